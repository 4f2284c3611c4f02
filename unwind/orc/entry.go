// Package orc reads the ORC unwind tables that a kernel carries in its own
// memory (CONFIG_UNWINDER_ORC, Linux 4.14 and later): for any text address,
// where the caller's stack pointer, frame pointer and return address are.
package orc

import "encoding/binary"

// Reg is a base register of an Entry, whatever number the kernel gives it.
type Reg uint8

// The base registers (ORC_REG_*, arch/x86/include/asm/orc_types.h).
const (
	RegUndefined  Reg = iota // the register keeps its value
	RegPrevSP                // the caller's stack pointer, DWARF's CFA
	RegSP                    // RSP
	RegBP                    // RBP
	RegAX                    // RAX and the following: realigned stacks and entry code
	RegDX                    // RDX
	RegDI                    // RDI
	RegR10                   // R10
	RegR13                   // R13
	RegSPIndirect            // the word at RSP
	RegBPIndirect            // the word at RBP + offset
	RegInvalid               // a number that no kernel uses
)

// Type says what lies at the address an Entry computes.
type Type uint8

// The entry types (ORC_TYPE_*).
const (
	TypeUndefined   Type = iota // no unwind information here
	TypeEnd                     // the outermost frame of a stack
	TypeCall                    // the caller's stack pointer, above a return address
	TypeRegs                    // a whole pt_regs
	TypeRegsPartial             // the part of a pt_regs that the CPU pushes
	TypeInvalid                 // a number that no kernel uses
)

// Entry is one decoded struct orc_entry. Offsets are in bytes.
type Entry struct {
	SPOffset, BPOffset int16
	SPReg, BPReg       Reg
	Type               Type
	// Signal: the frame that this entry leads to was interrupted, so its PC is
	// an exact instruction and no return address.
	Signal bool
}

// entrySize is sizeof(struct orc_entry), packed in every version.
const entrySize = 6

// NullCall is the entry that stands for a PC outside of text: the CPU jumped or
// called there, and the caller's return address is on top of the stack
// (null_orc_entry, arch/x86/kernel/unwind_orc.c).
var NullCall = Entry{SPOffset: 8, SPReg: RegSP, BPReg: RegUndefined, Type: TypeCall}

// Format is a version of struct orc_entry's bits and register numbers, named
// after the first release that has it.
type Format uint8

// The formats. Distributions carry them back, so that a release does not tell.
const (
	FormatUnknown Format = iota
	Format4_14           // type:2, end:1
	Format6_3            // ffb1b4a41016: type:2, signal:1, end:1
	Format6_4            // fb799447ae29: type:3 with end-of-stack as a type, signal:1
	Format7_1            // Format6_4 with other register numbers
)

var formatNames = [...]string{"unknown", "4.14", "6.3", "6.4", "7.1"}

// String is the release that introduced the format.
func (f Format) String() string {
	if int(f) < len(formatNames) {
		return formatNames[f]
	}
	return formatNames[0]
}

// regs4_14 numbers the registers up to 7.0. Clang's RAX was added to it in
// stable kernels as number 10.
var regs4_14 = [16]Reg{
	RegUndefined, RegPrevSP, RegDX, RegDI, RegBP, RegSP, RegR10, RegR13,
	RegBPIndirect, RegSPIndirect, RegAX,
	RegInvalid, RegInvalid, RegInvalid, RegInvalid, RegInvalid,
}

var regs7_1 = [16]Reg{
	RegUndefined, RegAX, RegDX, RegSP, RegBP, RegDI, RegR10, RegR13,
	RegPrevSP, RegSPIndirect, RegBPIndirect,
	RegInvalid, RegInvalid, RegInvalid, RegInvalid, RegInvalid,
}

// Bits of the third 16-bit word of an entry: sp_reg 0-3, bp_reg 4-7, and then
const (
	typeShift = 8
	type2Mask = 3       // Format4_14, Format6_3
	type3Mask = 7       // Format6_4 on
	end4_14   = 1 << 10 // Format4_14
	signal6_3 = 1 << 10 // Format6_3
	end6_3    = 1 << 11 // Format6_3
	signal6_4 = 1 << 11 // Format6_4 on
)

// Decode decodes one raw entry; b must have 6 bytes. Values that the format
// does not define come out as RegInvalid and TypeInvalid.
func (f Format) Decode(b []byte) Entry {
	bits := binary.LittleEndian.Uint16(b[4:])
	e := Entry{
		SPOffset: int16(binary.LittleEndian.Uint16(b)),
		BPOffset: int16(binary.LittleEndian.Uint16(b[2:])),
	}
	regs := &regs4_14
	if f == Format7_1 {
		regs = &regs7_1
	}
	e.SPReg, e.BPReg = regs[bits&15], regs[bits>>4&15]
	e.Type, e.Signal = f.kind(bits, e.SPReg)
	return e
}

// kind gives the type and the signal flag of an entry.
func (f Format) kind(bits uint16, sp Reg) (Type, bool) {
	var t Type
	switch f {
	case Format4_14, Format6_3:
		end := uint16(end4_14)
		if f == Format6_3 {
			end = end6_3
		}
		if sp == RegUndefined {
			if bits&end != 0 {
				return TypeEnd, false
			}
			return TypeUndefined, false
		}
		t = TypeCall + Type(bits>>typeShift&type2Mask)
		if f == Format6_3 {
			return min(t, TypeInvalid), bits&signal6_3 != 0
		}
		// Registers are those of an interrupted frame, always.
		return min(t, TypeInvalid), t != TypeCall
	case Format6_4, Format7_1:
		t = Type(bits >> typeShift & type3Mask)
		return min(t, TypeInvalid), bits&signal6_4 != 0
	}
	return TypeInvalid, false
}
