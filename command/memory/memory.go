// Package memory holds the commands about memory: rd, vtop.
package memory

import "github.com/kinquest/inquest/command"

const theme = "memory"

// Commands gives the commands of this theme.
func Commands() []command.Command { return []command.Command{rdCommand{}, vtopCommand{}} }
