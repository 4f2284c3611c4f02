package main

import (
	"fmt"
	"strings"

	"github.com/kinquest/inquest/command"
)

// completion is a script that completes the command line in shell.
func completion(shell string, t *command.Table) string {
	var names []string
	for _, i := range t.Infos() {
		names = append(names, i.Name)
	}
	words := strings.Join(names, " ")
	switch shell {
	case "zsh":
		return fmt.Sprintf(zshScript, words)
	case "fish":
		return fmt.Sprintf(fishScript, words)
	}
	return fmt.Sprintf(bashScript, words)
}

const bashScript = `# bash completion for inquest: source it, or put it into
# /usr/share/bash-completion/completions/inquest
_inquest() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	local commands="%s"
	case $prev in
	-c|--command|help) COMPREPLY=($(compgen -W "$commands" -- "$cur")); return ;;
	completion) COMPREPLY=($(compgen -W "bash zsh fish" -- "$cur")); return ;;
	esac
	case $cur in
	-*) COMPREPLY=($(compgen -W "--json --command --help --version -c" -- "$cur")); return ;;
	esac
	COMPREPLY=($(compgen -f -- "$cur"))
	if [ "$COMP_CWORD" -eq 1 ]; then
		COMPREPLY+=($(compgen -W "run help version completion" -- "$cur"))
	fi
}
complete -o filenames -F _inquest inquest
`

const zshScript = `#compdef inquest
_inquest() {
	local -a commands
	commands=(%s)
	if (( CURRENT == 2 )); then
		compadd run help version completion
	fi
	case ${words[CURRENT-1]} in
	-c|--command|help) compadd -a commands; return ;;
	completion) compadd bash zsh fish; return ;;
	esac
	case ${words[CURRENT]} in
	-*) compadd -- --json --command --help --version -c; return ;;
	esac
	_files
}
compdef _inquest inquest
`

const fishScript = `# fish completion for inquest: put it into
# ~/.config/fish/completions/inquest.fish
set -l commands %s
complete -c inquest -n __fish_use_subcommand -a "run help version completion"
complete -c inquest -l json -d "answer as data"
complete -c inquest -n "__fish_seen_subcommand_from run" -s c -l command -x -a "$commands"
complete -c inquest -n "__fish_seen_subcommand_from help" -f -a "$commands"
complete -c inquest -n "__fish_seen_subcommand_from completion" -f -a "bash zsh fish"
`
