package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"testing"
	"time"
)

func TestWriterNeutralizesTerminalCommands(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b)
	w.Printf("%s|%s\n", "evil\x1b[2J\x07", "tab\tgrüße\u202eabc\x9b\xff")
	want := `evil\x1b[2J\x07|tab` + "\t" + `grüße\u202eabc\x9b\xff` + "\n"
	if b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

func TestLineHasNoLineEnd(t *testing.T) {
	if got := Line("a\nb\tc\u0085d"); got != `a\x0ab\x09c\u0085d` {
		t.Errorf("got %q", got)
	}
	if got := Line("kworker/0:1"); got != "kworker/0:1" {
		t.Errorf("plain text became %q", got)
	}
}

func TestBoldOnlyWithColor(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b)
	w.Bold("x")
	w.Color = true
	w.Bold("y\x1b")
	if want := "x\x1b[1my\\x1b\x1b[0m"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

func TestLabelAligns(t *testing.T) {
	var b bytes.Buffer
	NewWriter(&b).Label(8, "CPUS", "%d", 2)
	if b.String() != "    CPUS: 2\n" {
		t.Errorf("got %q", b.String())
	}
}

type failing struct{ n int }

func (f *failing) Write(p []byte) (int, error) {
	f.n++
	return 0, io.ErrClosedPipe
}

func TestFirstErrorEndsOutput(t *testing.T) {
	f := &failing{}
	w := NewWriter(f)
	w.Printf("a")
	w.Text("b")
	w.Bold("c")
	if f.n != 1 || !errors.Is(w.Err(), io.ErrClosedPipe) {
		t.Errorf("%d writes, error %v", f.n, w.Err())
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0 bytes", 1023: "1023 bytes", 1024: "1 KB", 1536: "1.5 KB", 512 << 20: "512 MB",
		4 << 30: "4 GB", 581238784: "554 MB", 1<<64 - 1: "16 EB",
	} {
		if got := Size(n); got != want {
			t.Errorf("Size(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestUptime(t *testing.T) {
	for d, want := range map[time.Duration]string{
		6*time.Second + 999*time.Millisecond:                          "00:00:06",
		17*time.Hour + 13*time.Minute + 25*time.Second:                "17:13:25",
		10*24*time.Hour + 14*time.Hour + 14*time.Minute + time.Second: "10 days, 14:14:01",
	} {
		if got := Uptime(d); got != want {
			t.Errorf("%v: %q", d, got)
		}
	}
}

func TestEnvelopeIsOneLine(t *testing.T) {
	var b bytes.Buffer
	e := Envelope{
		Dump:     &DumpID{Files: []string{"vmcore"}, Format: "ELF core"},
		Command:  "sym <x>",
		Result:   struct{ Addr Hex }{0xffffffff81000000},
		Problems: []Problem{{"modules", "page excluded from the dump"}},
	}
	if err := WriteJSON(&b, e); err != nil {
		t.Fatal(err)
	}
	want := `{"schema":"inquest","version":1,"dump":{"files":["vmcore"],"format":"ELF core"},"command":"sym <x>",` +
		`"result":{"Addr":"0xffffffff81000000"},"problems":[{"what":"modules","why":"page excluded from the dump"}]}` + "\n"
	if b.String() != want {
		t.Errorf("got  %swant %s", b.String(), want)
	}
}

func TestHexKeepsEveryBit(t *testing.T) {
	for _, v := range []Hex{0, 1, 1 << 63, 1<<64 - 1} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var got Hex
		if err := json.Unmarshal(b, &got); err != nil || got != v {
			t.Errorf("%s became %#x, %v", b, uint64(got), err)
		}
	}
	var h Hex
	if json.Unmarshal([]byte(`"zebra"`), &h) == nil || json.Unmarshal([]byte(`7`), &h) == nil {
		t.Error("nonsense was accepted as an address")
	}
}
