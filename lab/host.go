package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
)

// hostPrograms are what the lab runs outside its chroot, and their packages.
var hostPrograms = [...]struct{ program, pkg string }{
	{"qemu-system-x86_64", "qemu-system-x86"},
	{"debootstrap", "debootstrap"},
	{"busybox", "busybox-static"},
	{"xz", "xz-utils"},
	{"unshare", "util-linux"},
}

// host installs the programs that are missing, and says so.
func (l *Lab) host(ctx context.Context) error {
	return l.share("host", func() error {
		if os.Geteuid() != 0 {
			return fmt.Errorf("the lab needs root, for chroot and mount namespaces")
		}
		var missing []string
		for _, p := range hostPrograms {
			if _, err := exec.LookPath(p.program); err != nil {
				missing = append(missing, p.pkg)
			}
		}
		if len(missing) == 0 {
			return nil
		}
		l.say("host: apt-get install %v", missing)
		if err := run(ctx, "apt-get", "-q", "update"); err != nil {
			return err
		}
		return run(ctx, "apt-get", append([]string{"-qy", "--no-install-recommends", "install"}, missing...)...)
	})
}
