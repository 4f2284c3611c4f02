package elfnote

import (
	"encoding/binary"
	"fmt"

	"github.com/kinquest/inquest/arch"
	"github.com/kinquest/inquest/dump/format"
)

// ntPRStatus is NT_PRSTATUS of include/uapi/linux/elf.h.
const ntPRStatus = 1

// Sizes of a PRSTATUS descriptor (struct elf_prstatus of linux/elfcore.h) and
// where its pr_pid and pr_reg lie; pr_reg is struct user_regs_struct.
const (
	prstatusSize64, prPid64, prReg64 = 336, 32, 112
	prstatusSize32, prPid32, prReg32 = 144, 24, 72
)

// regs64 is the order of the general registers in x86_64 user_regs_struct
// (arch/x86/include/asm/user_64.h); orig_rax follows them.
var regs64 = [...]arch.Reg{
	arch.R15, arch.R14, arch.R13, arch.R12, arch.RBP, arch.RBX, arch.R11, arch.R10,
	arch.R9, arch.R8, arch.RAX, arch.RCX, arch.RDX, arch.RSI, arch.RDI,
}

// regs32 is the same of i386 (arch/x86/include/asm/user_32.h).
var regs32 = [...]arch.Reg{arch.RBX, arch.RCX, arch.RDX, arch.RSI, arch.RDI, arch.RBP, arch.RAX}

// regsQEMU is the order of the general registers in QEMUCPUState.
var regsQEMU = [...]arch.Reg{
	arch.RAX, arch.RBX, arch.RCX, arch.RDX, arch.RSI, arch.RDI, arch.RSP, arch.RBP,
	arch.R8, arch.R9, arch.R10, arch.R11, arch.R12, arch.R13, arch.R14, arch.R15, arch.RIP,
}

// Layout of QEMUCPUState version 1 (QEMU target/i386/arch_dump.c): u32 version
// and size, 18 registers, 10 segments of 24 bytes (selector, limit, flags, pad,
// base), cr[5]; since QEMU 3.0 kernel_gs_base.
const (
	qemuVersion   = 1
	qemuFlags     = 8 + 17*8
	qemuSegs      = qemuFlags + 8
	qemuSegSize   = 24
	qemuSegBase   = 16
	qemuCR        = qemuSegs + 10*qemuSegSize
	qemuKernelGS  = qemuCR + 5*8
	qemuSizeSmall = qemuKernelGS
	qemuSizeGS    = qemuKernelGS + 8
)

// Positions of the segments in QEMUCPUState.
const (
	segCS  = 0
	segFS  = 3
	segGS  = 4
	segSS  = 5
	segGDT = 8
	segIDT = 9
)

// CPUs gives what the notes recorded of each CPU, in their order. QEMU writes
// the PRSTATUS notes of all CPUs, then its own notes in the same order; the two
// of one CPU become one arch.CPU, with Source "QEMU". Registers are known for
// x86 machines; for others, and when a note is malformed, the error says so
// and the CPUs that could be read are returned too.
func CPUs(notes []format.Note, m arch.Machine) ([]arch.CPU, error) {
	if m != arch.X86_64 && m != arch.I386 && m != arch.None {
		return nil, fmt.Errorf("registers of %v in notes are not supported", m)
	}
	var cpus []arch.CPU
	var qemu []arch.CPU
	var bad error
	for _, n := range notes {
		var c arch.CPU
		var err error
		switch {
		case n.Name == "CORE" && n.Type == ntPRStatus:
			if c, err = prstatus(n.Desc); err == nil {
				cpus = append(cpus, c)
			}
		case n.Name == "QEMU" && n.Type == 0:
			if c, err = qemuState(n.Desc); err == nil {
				qemu = append(qemu, c)
			}
		}
		if err != nil && bad == nil {
			bad = err
		}
	}
	cpus = merge(cpus, qemu)
	for i := range cpus {
		cpus[i].Index = i
	}
	return cpus, bad
}

func merge(cpus, qemu []arch.CPU) []arch.CPU {
	for i, q := range qemu {
		if i >= len(cpus) {
			cpus = append(cpus, q)
			continue
		}
		cpus[i].Control = q.Control
		cpus[i].Source = q.Source
	}
	return cpus
}

func prstatus(d []byte) (arch.CPU, error) {
	le := binary.LittleEndian
	c := arch.CPU{Source: "NT_PRSTATUS"}
	r := &c.Regs
	r.Full = true
	switch len(d) {
	case prstatusSize64:
		c.PID = int32(le.Uint32(d[prPid64:]))
		word := func(i int) uint64 { return le.Uint64(d[prReg64+8*i:]) }
		for i, reg := range regs64 {
			r.Set(reg, word(i))
		}
		r.OrigRAX = word(15)
		r.Set(arch.RIP, word(16))
		r.CS, r.Flags = word(17), word(18)
		r.Set(arch.RSP, word(19))
		r.SS = word(20)
	case prstatusSize32:
		c.PID = int32(le.Uint32(d[prPid32:]))
		word := func(i int) uint64 { return uint64(le.Uint32(d[prReg32+4*i:])) }
		for i, reg := range regs32 {
			r.Set(reg, word(i))
		}
		r.OrigRAX = word(11)
		r.Set(arch.RIP, word(12))
		r.CS, r.Flags = word(13)&0xffff, word(14)
		r.Set(arch.RSP, word(15))
		r.SS = word(16) & 0xffff
	default:
		return c, fmt.Errorf("NT_PRSTATUS note of %d bytes: x86_64 has %d, i386 %d", len(d), prstatusSize64, prstatusSize32)
	}
	return c, nil
}

func qemuState(d []byte) (arch.CPU, error) {
	le := binary.LittleEndian
	c := arch.CPU{Source: "QEMU"}
	if len(d) < qemuSizeSmall {
		return c, fmt.Errorf("QEMU note of %d bytes is shorter than %d", len(d), qemuSizeSmall)
	}
	if v := le.Uint32(d); v != qemuVersion {
		return c, fmt.Errorf("QEMU note of version %d, only %d is known", v, qemuVersion)
	}
	word := func(off int) uint64 { return le.Uint64(d[off:]) }
	seg := func(i int) int { return qemuSegs + i*qemuSegSize }
	base := func(i int) uint64 { return word(seg(i) + qemuSegBase) }
	r := &c.Regs
	r.Full = true
	for i, reg := range regsQEMU {
		r.Set(reg, word(8+8*i))
	}
	r.Flags = word(qemuFlags)
	r.CS, r.SS = uint64(le.Uint32(d[seg(segCS):])), uint64(le.Uint32(d[seg(segSS):]))
	c.Control = &arch.Control{
		CR0: word(qemuCR), CR2: word(qemuCR + 16), CR3: word(qemuCR + 24), CR4: word(qemuCR + 32),
		IDTBase: base(segIDT), GDTBase: base(segGDT), FSBase: base(segFS), GSBase: base(segGS),
	}
	if len(d) >= qemuSizeGS && le.Uint32(d[4:]) >= qemuSizeGS {
		c.Control.KernelGSBase, c.Control.HasKernelGSBase = word(qemuKernelGS), true
	}
	return c, nil
}
