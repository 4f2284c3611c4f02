package mem

import (
	"encoding/json"
	"testing"
)

func TestAddressesKeepEveryBitInJSON(t *testing.T) {
	b, err := json.Marshal([]any{Virt(1<<64 - 1), Phys(4096), Mach(0)})
	if err != nil || string(b) != `["0xffffffffffffffff","0x1000","0x0"]` {
		t.Errorf("%s, %v", b, err)
	}
}
