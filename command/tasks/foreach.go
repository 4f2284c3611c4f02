package tasks

import (
	"context"
	"slices"
	"strings"

	"github.com/kinquest/inquest/command"
	"github.com/kinquest/inquest/kernel/task"
	"github.com/kinquest/inquest/mem"
)

type foreachCommand struct{}

func (foreachCommand) Info() command.Info {
	return command.Info{
		Name: "foreach", Theme: theme, Short: "run bt or ps for many tasks",
		Args: "[pid | task | name | 'regex' | state | kernel | user | gleader | active] ... bt|ps [options]",
		Help: `  pid, task  these tasks
  name       the tasks of this name; with \ before it, it is no other word
  'regex'    the tasks whose name matches
  state      only tasks in this state: RU IN UN ST ZO TR DE WA PA ID NE
  kernel     only kernel threads; user: only the others
  gleader    only leaders of thread groups
  active     only the active task of each CPU
  Without any of these, all tasks. The options are those of the command.`,
	}
}

// eachArgs selects tasks.
type eachArgs struct {
	sels   []command.TaskSel
	states []string
	psArgs // the filters
}

func (foreachCommand) Parse(args []string) (command.Job, error) {
	verb := func(w string) bool { return w == "bt" || w == "ps" }
	at := slices.IndexFunc(args, verb)
	if at < 0 {
		return nil, command.Usagef("foreach", "names no command; it runs bt and ps")
	}
	var e eachArgs
	for _, w := range args[:at] {
		if err := e.word(w); err != nil {
			return nil, err
		}
	}
	if e.kernel && e.user {
		return nil, command.Usagef("foreach", "kernel and user exclude each other")
	}
	do, err := parseEach(args[at], args[at+1:])
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, env *command.Env) (command.Result, error) {
		tab, err := env.Tasks(ctx)
		if err != nil {
			return nil, err
		}
		who, err := e.tasks(env, tab)
		if err != nil {
			return nil, err
		}
		return do(ctx, env, tab, who)
	}, nil
}

// eachJob answers for the selected tasks.
type eachJob func(ctx context.Context, env *command.Env, tab *task.Table, who []*task.Task) (command.Result, error)

// parseEach parses the command that foreach runs.
func parseEach(verb string, args []string) (eachJob, error) {
	if verb == "ps" {
		a, err := parsePs("foreach ps", args)
		if err == nil && len(a.sels) > 0 {
			err = command.Usagef("foreach", "tasks stand before ps")
		}
		return a.show, err
	}
	a, err := parseBt("foreach bt", args)
	if err == nil && (len(a.sels) > 0 || a.who != 0 || a.group) {
		err = command.Usagef("foreach", "tasks stand before bt")
	}
	return func(ctx context.Context, env *command.Env, _ *task.Table, who []*task.Task) (command.Result, error) {
		return a.walk(ctx, env, who)
	}, err
}

func (e *eachArgs) word(w string) error {
	switch {
	case w == "kernel":
		e.kernel = true
	case w == "user":
		e.user = true
	case w == "gleader":
		e.leaders = true
	case w == "active":
		e.active = true
	case slices.Contains(stateOrder, strings.ToUpper(w)) && len(w) == 2:
		e.states = append(e.states, strings.ToUpper(w))
	default:
		s, err := command.ParseTaskSel("foreach", w)
		if err != nil {
			return err
		}
		e.sels = append(e.sels, s)
	}
	return nil
}

// tasks gives the selected tasks.
func (e *eachArgs) tasks(env *command.Env, tab *task.Table) ([]*task.Task, error) {
	all, err := chosen(tab, e.sels)
	if err != nil {
		return nil, err
	}
	running := map[mem.Virt]bool{}
	cur, err := env.Running()
	if err != nil && e.active {
		return nil, err
	}
	for _, c := range cur {
		running[c.Task] = true
	}
	return slices.DeleteFunc(all, func(t *task.Task) bool {
		return !e.match(t, running[t.Addr]) || e.states != nil && !slices.Contains(e.states, t.State.Short())
	}), nil
}
