// Package layers holds the plan of the house in a form that a test can check:
// which package stands on which floor, and what it may import and use.
package layers

import (
	_ "embed"
	"fmt"
	"path"
	"strconv"
	"strings"
)

//go:embed layers.txt
var text string

// Plan is the parsed list of rooms.
type Plan struct {
	rooms    []room
	sideways []sideway
	only     map[string][]string
}

type room struct {
	layer   int
	pattern string
}

// sideway is a permission to import within a layer.
type sideway struct {
	from, to string // patterns
	used     bool
}

// Load parses layers.txt.
func Load() (*Plan, error) { return parse(text) }

func parse(text string) (*Plan, error) {
	p := &Plan{only: map[string][]string{}}
	for n, line := range strings.Split(text, "\n") {
		f := strings.Fields(line)
		if len(f) == 0 || strings.HasPrefix(f[0], "#") {
			continue
		}
		ok := len(f) >= 3
		switch {
		case ok && f[0] == "layer":
			layer, err := strconv.Atoi(f[1])
			ok = err == nil
			for _, pat := range f[2:] {
				p.rooms = append(p.rooms, room{layer, pat})
			}
		case ok && f[0] == "sideways":
			ok = len(f) == 3
			if ok {
				p.sideways = append(p.sideways, sideway{from: f[1], to: f[2]})
			}
		case ok && f[0] == "only":
			p.only[f[1]] = f[2:]
		default:
			ok = false
		}
		if !ok {
			return nil, fmt.Errorf("layers.txt:%d: cannot read %q", n+1, line)
		}
	}
	return p, nil
}

// internalLayer is below all others: its packages may be used anywhere.
const internalLayer = -1

// Layer gives the floor of a package named by its path below the module's
// root. An exact name counts before a pattern.
func (p *Plan) Layer(pkg string) (layer int, ok bool) {
	for _, r := range p.rooms {
		if r.pattern == pkg {
			return r.layer, true
		}
	}
	for _, r := range p.rooms {
		if match(r.pattern, pkg) {
			return r.layer, true
		}
	}
	if strings.HasPrefix(pkg, "internal/") {
		return internalLayer, true
	}
	return 0, false
}

// Import says why package from may not import package to; nil if it may.
func (p *Plan) Import(from, to string) error {
	lf, ok := p.Layer(from)
	if !ok {
		return fmt.Errorf("%s is in no layer of layers.txt", from)
	}
	lt, ok := p.Layer(to)
	if !ok {
		return fmt.Errorf("%s is in no layer of layers.txt", to)
	}
	if lt < lf || lf == internalLayer && lt == internalLayer {
		return nil
	}
	if lt == lf {
		for i := range p.sideways {
			if s := &p.sideways[i]; match(s.from, from) && match(s.to, to) {
				s.used = true
				return nil
			}
		}
		return fmt.Errorf("%s imports %s of its own layer %d, which layers.txt does not list", from, to, lf)
	}
	return fmt.Errorf("%s of layer %d imports %s of layer %d", from, lf, to, lt)
}

// Unused gives the permissions to import sideways that no Import needed so far.
func (p *Plan) Unused() (lines []string) {
	for _, s := range p.sideways {
		if !s.used {
			lines = append(lines, "sideways "+s.from+" "+s.to)
		}
	}
	return lines
}

// Use says why a package may not use a thing of the "only" list; nil if it
// may. Things of no list are free.
func (p *Plan) Use(pkg, thing string) error {
	pats, listed := p.only[thing]
	if !listed {
		return nil
	}
	for _, pat := range pats {
		if match(pat, pkg) {
			return nil
		}
	}
	return fmt.Errorf("%s uses %s, which is only for %s", pkg, thing, strings.Join(pats, ", "))
}

func match(pattern, pkg string) bool {
	ok, err := path.Match(pattern, pkg)
	return err == nil && ok
}
