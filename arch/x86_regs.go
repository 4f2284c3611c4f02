package arch

// Reg numbers an x86_64 register as DWARF and the psABI do (System V AMD64
// psABI, figure 3.36).
type Reg uint8

// The general registers and the return address.
const (
	RAX Reg = iota
	RDX
	RCX
	RBX
	RSI
	RDI
	RBP
	RSP
	R8
	R9
	R10
	R11
	R12
	R13
	R14
	R15
	RIP
	NumRegs
)

var regNames = [NumRegs]string{
	"RAX", "RDX", "RCX", "RBX", "RSI", "RDI", "RBP", "RSP",
	"R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15", "RIP",
}

// String is the register's name in upper case.
func (r Reg) String() string {
	if r < NumRegs {
		return regNames[r]
	}
	return "?"
}

// Regs is a set of x86_64 register values, of which some may be unknown.
type Regs struct {
	val   [NumRegs]uint64
	known uint32

	// Flags, CS, SS and OrigRAX are meaningful when Full is set: the set came
	// from a pt_regs or a register note, not from unwinding.
	Flags   uint64
	CS, SS  uint64
	OrigRAX uint64
	Full    bool
}

// Known says whether r has a value.
func (s *Regs) Known(r Reg) bool { return s.known&(1<<r) != 0 }

// Get gives the value of r; ok is false when it is unknown.
func (s *Regs) Get(r Reg) (v uint64, ok bool) { return s.val[r], s.Known(r) }

// Val gives the value of r, 0 when unknown; use it only after Known or Full.
func (s *Regs) Val(r Reg) uint64 { return s.val[r] }

// Set gives r a value.
func (s *Regs) Set(r Reg, v uint64) { s.val[r] = v; s.known |= 1 << r }

// Forget makes r unknown.
func (s *Regs) Forget(r Reg) { s.val[r] = 0; s.known &^= 1 << r }

// User says whether the registers are those of user mode: privilege level 3 in CS.
func (s *Regs) User() bool { return s.Full && s.CS&3 == 3 }

// CPU is what a dump recorded of one processor.
type CPU struct {
	Index   int // position in the dump's notes, which need not be the kernel's CPU number
	Regs    Regs
	Control *Control // nil when the format records only general registers
	PID     int32    // pr_pid of NT_PRSTATUS; QEMU writes the CPU index + 1
	Source  string   // "NT_PRSTATUS", "QEMU", …
}

// Control is the system state of one x86_64 CPU.
type Control struct {
	CR0, CR2, CR3, CR4 uint64
	IDTBase, GDTBase   uint64
	FSBase, GSBase     uint64
	KernelGSBase       uint64
	HasKernelGSBase    bool // older QEMU notes end before it
}
