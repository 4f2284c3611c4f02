package command

// Env is what a command works on and with. It belongs to one session and is
// not safe for concurrent use; the dump itself is.
type Env struct {
	Radix int // 10 or 16: how integers are shown
}
