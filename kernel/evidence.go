package kernel

// Evidence is one fact that the bootstrap established, and what it rests on.
// The list of them is the trail that `sys -v` shows.
type Evidence struct {
	Stage string `json:"stage"`           // "VMCOREINFO", "page tables", "symbols", …
	Found string `json:"found,omitempty"` // what was established, for people
	From  string `json:"from,omitempty"`  // where it was read or how it was checked
	Err   string `json:"error,omitempty"` // why the stage failed; Found is then empty
}

// trail collects the evidence of the stages in order.
type trail []Evidence

func (t *trail) found(stage, found, from string) {
	*t = append(*t, Evidence{Stage: stage, Found: found, From: from})
}

func (t *trail) failed(stage string, err error) {
	*t = append(*t, Evidence{Stage: stage, Err: err.Error()})
}
