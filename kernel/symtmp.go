package kernel

func (b *boot) symbolsByContent() error { return errNoImage }
func (b *boot) moduleSymbols() (int, error) { return 0, nil }
