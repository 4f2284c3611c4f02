// Package system holds the commands about the machine and its kernel as a
// whole: sys, log, mod.
package system

import "github.com/kinquest/inquest/command"

const theme = "system"

// Commands gives the commands of this theme.
func Commands() []command.Command {
	return []command.Command{sysCommand{}, logCommand{}, modCommand{}}
}
