package kernel

import (
	"fmt"
	"strings"

	"github.com/kinquest/inquest/ctype/layout"
	"github.com/kinquest/inquest/mem"
)

// UTS is what uname(2) said in the initial namespace.
type UTS struct {
	Sysname    string `json:"sysname"`
	Nodename   string `json:"nodename"`
	Release    string `json:"release"` // "6.1.0-56-amd64"
	Version    string `json:"version"` // "#1 SMP PREEMPT_DYNAMIC Debian …"
	Machine    string `json:"machine"` // "x86_64"
	Domainname string `json:"domainname"`
}

type utsFields struct {
	Name       layout.Field `k:"uts_namespace.name"`
	Sysname    layout.Field `k:"new_utsname.sysname"`
	Nodename   layout.Field `k:"new_utsname.nodename"`
	Release    layout.Field `k:"new_utsname.release"`
	Version    layout.Field `k:"new_utsname.version"`
	Machine    layout.Field `k:"new_utsname.machine"`
	Domainname layout.Field `k:"new_utsname.domainname"`
}

// UTS reads the names of the initial UTS namespace (C init_uts_ns.name).
func (k *Kernel) UTS() (UTS, error) {
	var f utsFields
	if err := k.Bind(&f); err != nil {
		return UTS{}, fmt.Errorf("init_uts_ns: %w", err)
	}
	at, err := k.Sym("init_uts_ns")
	if err != nil {
		return UTS{}, err
	}
	r := layout.NewReader(k.Mem, at+mem.Virt(f.Name.Off))
	u := UTS{
		Sysname: r.Text(&f.Sysname), Nodename: r.Text(&f.Nodename), Release: r.Text(&f.Release),
		Version: r.Text(&f.Version), Machine: r.Text(&f.Machine), Domainname: r.Text(&f.Domainname),
	}
	return u, wrap("init_uts_ns", r.Err())
}

// maxBanner bounds linux_banner, which is a line of some 200 bytes.
const maxBanner = 1024

// Banner is the kernel's version line (C linux_banner), without the newline.
func (k *Kernel) Banner() (string, error) {
	at, err := k.Sym("linux_banner")
	if err != nil {
		return "", err
	}
	s, err := mem.CString(k.Mem, at, maxBanner)
	return strings.TrimRight(s, "\n"), wrap("linux_banner", err)
}
