package system

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/kinquest/inquest/command"
	"github.com/kinquest/inquest/kernel"
	"github.com/kinquest/inquest/kernel/module"
	"github.com/kinquest/inquest/render"
)

type modCommand struct{}

func (modCommand) Info() command.Info {
	return command.Info{
		Name: "mod", Aliases: []string{"lsmod"}, Theme: theme, Short: "list loaded modules",
		Args: "[-t]",
		Help: `  -t  only modules that taint the kernel, with their taint letters`,
	}
}

func (modCommand) Parse(args []string) (command.Job, error) {
	flags, rest, err := command.Getopt("mod", "t", args)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, command.Usagef("mod", "takes no %q", rest[0])
	}
	taints := len(flags) > 0
	return func(ctx context.Context, env *command.Env) (command.Result, error) {
		return listModules(env.Kernel, taints)
	}, nil
}

// ModResult is the list of modules, by address.
type ModResult struct {
	command.Partial
	Modules []ModuleRow `json:"modules"`

	taints, apart bool
}

// ModuleRow is one module.
type ModuleRow struct {
	Name    string              `json:"name"`
	Addr    render.Hex          `json:"module"` // its struct module
	Base    render.Hex          `json:"base"`   // of its text, as in /proc/modules
	Size    uint64              `json:"size"`   // bytes, as in /proc/modules
	State   string              `json:"state"`  // live, coming, going
	Taints  command.Opt[string] `json:"taints"`
	Version command.Opt[string] `json:"version"`
	BuildID command.Opt[string] `json:"build_id"`
}

// moduleStates are the values of enum module_state that a listed module can have.
var moduleStates = []string{"live", "coming", "going"}

func listModules(k *kernel.Kernel, taints bool) (command.Result, error) {
	mods, err := k.Modules()
	res := &ModResult{taints: taints, Modules: []ModuleRow{}}
	if err != nil && len(mods) == 0 {
		return nil, err
	}
	res.Lacks("module list", err)
	details, detErr := module.NewReader(k)
	for i := range mods {
		m := &mods[i]
		d, err := module.Details{}, detErr
		if err == nil {
			d, err = details.Of(m)
		}
		res.Lacks("module "+m.Name, err)
		res.apart = res.apart || m.Apart
		row := ModuleRow{
			Name: m.Name, Addr: render.Hex(m.Addr), Base: render.Hex(m.Base), Size: m.Size, State: fmt.Sprint(m.State),
			Taints: command.Got(d.Taints, err), Version: command.Got(d.Version, err), BuildID: command.Got(d.BuildID, err),
		}
		if m.State < uint64(len(moduleStates)) {
			row.State = moduleStates[m.State]
		}
		if !taints || d.Taints != "" {
			res.Modules = append(res.Modules, row)
		}
	}
	slices.SortFunc(res.Modules, func(a, b ModuleRow) int { return cmp.Compare(a.Base, b.Base) })
	return res, nil
}

// WriteText writes crash's columns.
func (r *ModResult) WriteText(w *render.Writer) error {
	width, sizes := len("NAME"), len("SIZE")
	for _, m := range r.Modules {
		width = max(width, len(render.Line(m.Name)))
		sizes = max(sizes, len(strconv.FormatUint(m.Size, 10)))
	}
	if r.taints {
		return r.writeTaints(w, width)
	}
	base := "     BASE"
	if r.apart {
		base = "  TEXT_BASE" // as crash heads it
	}
	w.Printf("     MODULE       %-*s   %-15s  %*s  OBJECT FILE\n", width, "NAME", base, sizes, "SIZE")
	for _, m := range r.Modules {
		w.Printf("%016x  %-*s  %016x  %*d  (not loaded)  [CONFIG_KALLSYMS]\n",
			uint64(m.Addr), width, render.Line(m.Name), uint64(m.Base), sizes, m.Size)
	}
	return w.Err()
}

func (r *ModResult) writeTaints(w *render.Writer, width int) error {
	if len(r.Modules) == 0 {
		w.Text("no tainted modules\n")
		return w.Err()
	}
	w.Printf("%-*s  TAINTS\n", width, "NAME")
	for _, m := range r.Modules {
		w.Printf("%-*s  %s\n", width, render.Line(m.Name), m.Taints.Text("%s"))
	}
	return w.Err()
}
