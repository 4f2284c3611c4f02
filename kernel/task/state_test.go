package task

import "testing"

func TestState(t *testing.T) {
	tests := []struct {
		s      State
		letter byte
		short  string
		text   string
	}{
		{Running, 'R', "RU", "TASK_RUNNING"},
		{Interruptible, 'S', "IN", "TASK_INTERRUPTIBLE"},
		{Interruptible | Freezable, 'S', "IN", "TASK_INTERRUPTIBLE|TASK_FREEZABLE"},
		{Uninterruptible, 'D', "UN", "TASK_UNINTERRUPTIBLE"},
		{Uninterruptible | WakeKill, 'D', "UN", "TASK_UNINTERRUPTIBLE|TASK_WAKEKILL"},
		{Idle, 'I', "ID", "TASK_UNINTERRUPTIBLE|TASK_NOLOAD"},
		{Stopped | WakeKill, 'T', "ST", "TASK_STOPPED|TASK_WAKEKILL"},
		{Traced, 't', "TR", "TASK_TRACED"},
		{Dead | ExitZombie, 'Z', "ZO", "EXIT_ZOMBIE|TASK_DEAD"},
		{Dead | ExitDead, 'X', "DE", "EXIT_DEAD|TASK_DEAD"},
		{Parked, 'P', "PA", "TASK_PARKED"},
		{Waking, 'R', "WA", "TASK_WAKING"},
		{New, 'R', "NE", "TASK_NEW"},
		{RTLockWait, 'D', "UN", "TASK_RTLOCK_WAIT"},
		{Frozen, 'D', "UN", "TASK_FROZEN"},
		{1 << 30, 'R', "RU", "(unknown)"},
	}
	for _, tt := range tests {
		if tt.s.Letter() != tt.letter || tt.s.Short() != tt.short || tt.s.String() != tt.text {
			t.Errorf("%#x: %c %s %s", uint32(tt.s), tt.s.Letter(), tt.s.Short(), tt.s)
		}
	}
}

func TestStateMapOfOldKernels(t *testing.T) {
	// v3.14 to v4.13: "X (dead)" 16, "Z (zombie)" 32, "x (dead)" 64.
	m := stateMap{Interruptible, Uninterruptible, Stopped, Traced, ExitDead, ExitZombie, Dead, WakeKill}
	if got := m.state(64 | 32); got != Dead|ExitZombie {
		t.Errorf("%s", got)
	}
	if got := stateMap(nil).state(0x402); got != Idle {
		t.Errorf("without a map: %s", got)
	}
}
