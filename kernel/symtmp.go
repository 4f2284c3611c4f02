package kernel

func (b *boot) symbolsByContent() error { return errNoImage }
