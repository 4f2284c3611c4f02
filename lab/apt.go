package lab

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// An apt is a private apt configuration for one suite: the machine's own is left alone.
type apt struct {
	conf string // path of its configuration file
}

const aptConf = `Dir::Etc "%[1]s/etc";
Dir::Etc::Parts "%[1]s/etc/apt.conf.d";
Dir::Etc::SourceList "%[1]s/sources.list";
Dir::Etc::SourceParts "-";
Dir::Etc::PreferencesParts "%[1]s/etc/preferences.d";
Dir::State "%[1]s/state";
Dir::State::Lists "%[1]s/lists";
Dir::State::status "%[1]s/status";
Dir::Cache "%[1]s/cache";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
APT::Architecture "%[2]s";
APT::Sandbox::User "root";
`

const aptSource = "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n"

// apt sets up the configuration of a suite and fetches its package lists, once.
func (l *Lab) apt(ctx context.Context, suite, arch string) (*apt, error) {
	dir := l.path("apt", suite+"-"+arch)
	err := l.share("apt "+suite+" "+arch, func() error {
		mirror, err := l.mirror(ctx)
		if err != nil {
			return err
		}
		for _, d := range []string{"etc/apt.conf.d", "etc/preferences.d", "state", "lists/partial", "cache/archives/partial"} {
			if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
				return fmt.Errorf("set up apt: %w", err)
			}
		}
		for name, text := range map[string]string{
			"status":       "",
			"sources.list": fmt.Sprintf(aptSource, mirror, suite),
			"apt.conf":     fmt.Sprintf(aptConf, dir, arch),
		} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				return fmt.Errorf("set up apt: %w", err)
			}
		}
		l.say("apt: fetch the package lists of %s", suite)
		return run(ctx, "apt-get", "-c", filepath.Join(dir, "apt.conf"), "-q", "update")
	})
	return &apt{conf: filepath.Join(dir, "apt.conf")}, err
}

// mirror is the archive that the machine's own apt takes Debian from; it has
// the other suites, too.
func (l *Lab) mirror(ctx context.Context) (string, error) {
	err := l.share("mirror", func() error {
		query := []string{"indextargets", "--format", "$(REPO_URI)", "Origin: Debian", "Label: Debian"}
		out, err := output(ctx, "apt-get", query...)
		if err == nil && len(bytes.TrimSpace(out)) == 0 { // a machine that has never asked its mirror
			if err = run(ctx, "apt-get", "-q", "update"); err == nil {
				out, err = output(ctx, "apt-get", query...)
			}
		}
		uri, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		if err == nil && uri == "" {
			err = errors.New("none of its sources is Debian's archive")
		}
		l.debian = uri
		return err
	})
	if err != nil {
		return "", fmt.Errorf("find the Debian mirror of this machine's apt: %w", err)
	}
	return l.debian, nil
}

func (a *apt) ask(ctx context.Context, args ...string) ([]string, error) {
	out, err := output(ctx, "apt-cache", append([]string{"-c", a.conf}, args...)...)
	var lines []string
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		lines = append(lines, strings.TrimSpace(s.Text()))
	}
	return lines, err
}

// dependencies lists the packages that pkg depends on whose names match.
func (a *apt) dependencies(ctx context.Context, pkg string, match *regexp.Regexp) ([]string, error) {
	lines, err := a.ask(ctx, "depends", "--important", pkg)
	var names []string
	for _, line := range lines {
		name, ok := strings.CutPrefix(strings.TrimPrefix(line, "|"), "Depends: ")
		if ok && match.MatchString(name) {
			names = append(names, name)
		}
	}
	return names, err
}

// dependency is dependencies where there must be one.
func (a *apt) dependency(ctx context.Context, pkg string, match *regexp.Regexp) ([]string, error) {
	names, err := a.dependencies(ctx, pkg, match)
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("package %s depends on nothing like %v", pkg, match)
	}
	return names, err
}

// version is the version of a package that would be fetched.
func (a *apt) version(ctx context.Context, pkg string) (string, error) {
	lines, err := a.ask(ctx, "show", "--no-all-versions", pkg)
	if err != nil {
		return "", err
	}
	for _, line := range lines {
		if v, ok := strings.CutPrefix(line, "Version: "); ok {
			return v, nil
		}
	}
	return "", fmt.Errorf("package %s has no version", pkg)
}

// download fetches a package's file into dir.
func (a *apt) download(ctx context.Context, dir, pkg string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("download %s: %w", pkg, err)
	}
	script := `cd "$1" && exec apt-get -c "$2" -q download "$3"`
	if err := run(ctx, "sh", "-c", script, "sh", dir, a.conf, pkg); err != nil {
		return "", err
	}
	found, err := filepath.Glob(filepath.Join(dir, pkg+"_*.deb"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("download %s: found %q (%w)", pkg, found, err)
	}
	return found[0], nil
}

// unpack fetches packages and unpacks their files under root, without installing them.
func (a *apt) unpack(ctx context.Context, root string, pkgs ...string) error {
	tmp, err := os.MkdirTemp(filepath.Dir(a.conf), "deb")
	if err != nil {
		return fmt.Errorf("unpack %q: %w", pkgs, err)
	}
	defer os.RemoveAll(tmp)
	for _, pkg := range pkgs {
		deb, err := a.download(ctx, tmp, pkg)
		if err != nil {
			return err
		}
		if err := run(ctx, "dpkg-deb", "-x", deb, root); err != nil {
			return err
		}
	}
	return nil
}
