package lab

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The chroot is a newer Debian than most hosts: it has the reference tools
// (crash 9, drgn 0.3), makedumpfile 1.7 and a compiler that runs the kernel
// build tools of every older suite.
const chrootSuite = "sid"

const chrootPackages = "crash,python3-drgn,makedumpfile,gcc,libc6-dev,make,pahole,e2fsprogs"

// inside is where the lab's directory is seen from within the chroot.
const inside = "/lab"

func (l *Lab) chrootDir() string { return l.path("chroot", chrootSuite) }

// chroot makes the chroot, once.
func (l *Lab) chroot(ctx context.Context) error {
	return l.share("chroot", func() error {
		if exists(filepath.Join(l.chrootDir(), "lab")) {
			return nil
		}
		mirror, err := l.mirror(ctx)
		if err != nil {
			return err
		}
		l.say("chroot: debootstrap %s with %s", chrootSuite, chrootPackages)
		return into(l.chrootDir(), func(part string) error {
			err := run(ctx, "debootstrap", "--variant=minbase", "--include="+chrootPackages, chrootSuite, part, mirror)
			if err != nil {
				return err
			}
			return os.Mkdir(filepath.Join(part, "lab"), 0o755)
		})
	})
}

// guestPath is the name of one of the lab's files as seen in the chroot.
func (l *Lab) guestPath(path string) string {
	rel, ok := strings.CutPrefix(path, l.dir+"/")
	if !ok {
		return path
	}
	return inside + "/" + rel
}

// inChroot is command within the chroot. A mount namespace of its own takes
// the lab's directory in, so that nothing stays mounted afterwards.
func (l *Lab) inChroot(ctx context.Context, name string, args ...string) *exec.Cmd {
	const script = `mount --bind "$1" "$2/lab" && mount --bind /proc "$2/proc" && shift && exec chroot "$@"`
	all := append([]string{"-m", "sh", "-c", script, "sh", l.dir, l.chrootDir(), name}, args...)
	return command(ctx, "unshare", all...)
}

// chrootRun runs a program in the chroot.
func (l *Lab) chrootRun(ctx context.Context, name string, args ...string) ([]byte, error) {
	return capture(ctx, l.inChroot, name, args...)
}
