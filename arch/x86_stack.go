package arch

// StackKind says what a kernel stack of x86_64 is for.
type StackKind uint8

// The stacks a CPU may be on (arch/x86/include/asm/stacktrace.h, enum
// stack_type, and the exception stacks of arch/x86/include/asm/cpu_entry_area.h).
const (
	NoStack StackKind = iota
	TaskStack
	IRQStack
	SoftIRQStack
	EntryStack // the trampoline from user mode, 4.15 and later
	DFStack
	NMIStack
	DBStack
	MCEStack
	VCStack // SEV-ES #VC
	VC2Stack
	NumStackKinds
)

var stackNames = [NumStackKinds]string{
	"unknown", "task", "IRQ", "softirq", "entry", "#DF", "NMI", "#DB", "#MC", "#VC", "#VC2",
}

// String is the name the kernel prints in a call trace ("IRQ", "NMI", "#DF"), or
// "task".
func (k StackKind) String() string {
	if k < NumStackKinds {
		return stackNames[k]
	}
	return stackNames[NoStack]
}

// IRQStackSize is the size of a CPU's IRQ stack in bytes without KASAN
// (IRQ_STACK_SIZE, arch/x86/include/asm/page_64_types.h, since 2.6.33).
const IRQStackSize = 16 << 10
