package arch

import "testing"

func TestMachineNamesRoundTrip(t *testing.T) {
	for m, name := range machineNames {
		if got, ok := ParseMachine(name); !ok || got != m || m.String() != name {
			t.Errorf("%s: %v, %v", name, got, ok)
		}
	}
	if s := Machine(9999).String(); s != "machine 9999" {
		t.Errorf("unknown machine is %q", s)
	}
}

func TestUnknownRegisterIsNotZero(t *testing.T) {
	var r Regs
	if _, ok := r.Get(RAX); ok {
		t.Error("RAX of an empty set is known")
	}
	r.Set(RAX, 0)
	if v, ok := r.Get(RAX); !ok || v != 0 {
		t.Error("RAX set to 0 is unknown")
	}
	r.Forget(RAX)
	if r.Known(RAX) {
		t.Error("RAX is known after Forget")
	}
}

func TestUserModeNeedsFullRegisters(t *testing.T) {
	r := Regs{CS: 0x33}
	if r.User() {
		t.Error("registers without CS count as user mode")
	}
	r.Full = true
	if !r.User() {
		t.Error("CS 0x33 is not user mode")
	}
}
