// Package types holds the commands about symbols and C types: sym, struct, union.
package types

import "github.com/kinquest/inquest/command"

const theme = "symbols and types"

// Commands gives the commands of this theme.
func Commands() []command.Command {
	return []command.Command{symCommand{}, structCommand{name: "struct"}, structCommand{name: "union"}}
}
