package lab

// level4 is the fullest CPU that has no 5-level page tables.
const level4 = "max,la57=off"

// Recipes is every guest of the lab, most used first.
func Recipes() []Recipe {
	var all []Recipe
	for _, k := range Kernels() {
		all = append(all, kernelRecipes(k.Name)...)
	}
	return all
}

func kernelRecipes(kernel string) []Recipe {
	base := Recipe{Kernel: kernel, Scenario: SysRq, CPU: "max", CPUs: 2, MemMiB: 512}
	var out []Recipe
	for _, note := range []bool{true, false} {
		for _, s := range []Scenario{SysRq, Null, Smash, Running} {
			r := base
			r.Scenario, r.Note, r.Formats = s, note, fewFormats()
			if s == SysRq {
				r.Formats = qemuFormats()
			}
			out = append(out, r)
		}
	}
	for _, note := range []bool{true, false} {
		r := base
		r.Note, r.Formats = note, fewFormats()
		out = append(out,
			r.with("4level", func(r *Recipe) { r.CPU, r.CPUs = level4, 1 }),
			r.with("nokaslr", func(r *Recipe) { r.Cmdline, r.CPUs = "nokaslr", 4 }),
			r.with("4level-nokaslr", func(r *Recipe) { r.CPU, r.Cmdline, r.MemMiB = level4, "nokaslr", 1024 }))
	}
	irq := base
	irq.Scenario, irq.Note, irq.Formats = IRQ, true, fewFormats()
	kexec := base
	kexec.Scenario, kexec.Cmdline, kexec.Formats = Kexec, "crashkernel=192M", kexecFormats()
	big := base
	big.Note, big.OnDemand, big.Formats = true, true, fewFormats()
	return append(out, irq, kexec,
		big.with("big", func(r *Recipe) { r.MemMiB, r.Tasks = 4096, 2000 }))
}

// with is a recipe with something unusual about it.
func (r Recipe) with(option string, change func(*Recipe)) Recipe {
	r.Option = option
	change(&r)
	return r
}
