// Package all lists every command of inquest.
package all

import (
	"slices"

	"github.com/kinquest/inquest/command"
	"github.com/kinquest/inquest/command/memory"
	"github.com/kinquest/inquest/command/report"
	"github.com/kinquest/inquest/command/system"
	"github.com/kinquest/inquest/command/tasks"
	"github.com/kinquest/inquest/command/types"
)

// Commands gives every command.
func Commands() []command.Command {
	return slices.Concat(memory.Commands(), report.Commands(), system.Commands(), tasks.Commands(), types.Commands())
}
