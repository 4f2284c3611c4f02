package lab

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"
)

// A qmp is a connection to QEMU's machine protocol (docs/interop/qmp-spec).
type qmp struct {
	conn net.Conn
	in   *bufio.Reader
}

// qmpLimit is for one command; dumping 4 GiB takes most of it on a slow disk.
const qmpLimit = 5 * time.Minute

func dialQMP(socket string) (*qmp, error) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return nil, fmt.Errorf("connect to QEMU: %w", err)
	}
	q := &qmp{conn: conn, in: bufio.NewReader(conn)}
	if _, err := q.in.ReadBytes('\n'); err != nil { // the greeting
		return nil, errors.Join(fmt.Errorf("connect to QEMU: %w", err), conn.Close())
	}
	if err := q.do("qmp_capabilities", nil); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return q, nil
}

func (q *qmp) close() error { return q.conn.Close() }

// do runs a command and waits for its answer; events are passed over.
func (q *qmp) do(command string, args any) error {
	if err := q.conn.SetDeadline(time.Now().Add(qmpLimit)); err != nil {
		return fmt.Errorf("tell QEMU %s: %w", command, err)
	}
	request := map[string]any{"execute": command}
	if args != nil {
		request["arguments"] = args
	}
	if err := json.NewEncoder(q.conn).Encode(request); err != nil {
		return fmt.Errorf("tell QEMU %s: %w", command, err)
	}
	for {
		line, err := q.in.ReadBytes('\n')
		if err != nil {
			return fmt.Errorf("wait for QEMU's %s: %w", command, err)
		}
		var answer struct {
			Return json.RawMessage
			Error  *struct{ Desc string }
		}
		if err := json.Unmarshal(line, &answer); err != nil {
			return fmt.Errorf("wait for QEMU's %s: %w", command, err)
		}
		if answer.Error != nil {
			return fmt.Errorf("QEMU refuses %s: %s", command, answer.Error.Desc)
		}
		if answer.Return != nil {
			return nil
		}
	}
}

// dump writes the guest's memory.
func (q *qmp) dump(path string, f Format) error {
	return q.do("dump-guest-memory", map[string]any{
		"paging": f.Paging, "protocol": "file:" + path, "format": f.QMP,
	})
}
