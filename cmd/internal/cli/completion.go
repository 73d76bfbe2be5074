package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// completeCommand is how a shell, or kubectl, asks what the last of some words may be. Command, answer and directives are those of cobra, which kubectl knows:
//
//	mini-hpa __complete get --sort-by st     ->  state
//	                                             :4
const completeCommand = "__complete"

// Directives of cobra.
const (
	orFiles   = ":0"
	noFiles   = ":4"
	patience  = 3 * time.Second // of whoever waits for a completion
	emptyWord = `""`            // what PowerShell passes for an empty word
)

// complete writes what the last of the words may be, each on a line, with a tab before what it means, and a directive in the end.
func complete(ctx context.Context, commands []Command, words []string, w io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	all, directive := choices(ctx, commands, words)
	for _, choice := range all {
		fmt.Fprintln(w, choice)
	}
	if _, err := fmt.Fprintln(w, directive); err != nil {
		return fmt.Errorf("cannot write the completion: %w", err)
	}
	return nil
}

func choices(ctx context.Context, commands []Command, words []string) (all []string, directive string) {
	if len(words) == 0 {
		return nil, noFiles
	}
	before, word := words[:len(words)-1], words[len(words)-1]
	if word == emptyWord {
		word = ""
	}
	if len(before) == 0 || before[0] == "help" {
		for _, c := range commands {
			all = append(all, c.Name+"\t"+c.Summary)
		}
		return starting(append(all, "help\tshow how the program or a command is called"), word), noFiles
	}
	at := slices.IndexFunc(commands, func(c Command) bool { return c.Name == before[0] })
	if at < 0 {
		return nil, noFiles
	}
	c := commands[at]
	f := c.Flags(c.Task())
	before = before[1:]
	flag, value, prefix := flagOf(f, before, word)
	switch {
	case flag != nil:
		all, directive = c.values(ctx, f, flag, before, value)
		for i := range all {
			all[i] = prefix + all[i]
		}
		return all, directive
	case strings.HasPrefix(word, "-"):
		f.VisitAll(func(flag *pflag.Flag) {
			_, usage := pflag.UnquoteUsage(flag)
			all = append(all, "--"+flag.Name+"\t"+usage)
		})
		return starting(all, word), noFiles
	case c.Args == "":
		return nil, noFiles
	case c.Complete == nil:
		return nil, orFiles
	}
	_ = f.Parse(before) // what is wrong is said when the command is run
	return starting(c.Complete(ctx, f, "", word), word), noFiles
}

// flagOf is the flag whose value is being typed, that value, and what stands before it in the same word; nil if it is none. bash makes three words of
// --flag=value.
func flagOf(f *pflag.FlagSet, before []string, word string) (flag *pflag.Flag, value, prefix string) {
	if name, value, given := strings.Cut(word, "="); given && strings.HasPrefix(name, "--") {
		return f.Lookup(name[2:]), value, name + "="
	}
	if word == "=" {
		before, word = append(slices.Clone(before), word), ""
	}
	last := len(before) - 1
	if last > 0 && before[last] == "=" {
		return lookup(f, before[last-1]), word, ""
	}
	if last >= 0 {
		if flag := lookup(f, before[last]); flag != nil && flag.NoOptDefVal == "" {
			return flag, word, ""
		}
	}
	return nil, "", ""
}

// lookup is the flag of a word such as --namespace or -n; nil if it is none.
func lookup(f *pflag.FlagSet, word string) *pflag.Flag {
	switch name, long := strings.CutPrefix(word, "--"); {
	case long:
		return f.Lookup(name)
	case len(word) == 2 && word[0] == '-':
		return f.ShorthandLookup(word[1:])
	}
	return nil
}

// values are what a flag may be set to.
func (c Command) values(ctx context.Context, f *pflag.FlagSet, flag *pflag.Flag, before []string, value string) (all []string, directive string) {
	if v, ok := flag.Value.(interface{ Choices() []string }); ok && len(v.Choices()) > 0 {
		return starting(v.Choices(), value), noFiles
	}
	if c.Complete == nil {
		return nil, orFiles
	}
	_ = f.Parse(before)
	if all = starting(c.Complete(ctx, f, flag.Name, value), value); len(all) == 0 {
		return nil, orFiles
	}
	return all, noFiles
}

// starting are those that begin with a word.
func starting(all []string, word string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(choice string) bool { return !strings.HasPrefix(choice, word) || choice == "" })
}

// Completion is the command that writes the script by which a shell completes the words of the others.
func Completion() Command {
	return Command{
		Name:    "completion",
		Args:    "bash|zsh|fish|powershell",
		Summary: "write the script by which a shell completes commands, flags and names",
		About: `Writes a script for a shell, in which it then completes commands, flags, what they may be set to, and the names of workloads and namespaces, as far as your
kubeconfig reaches them:

    bash        source <(mini-hpa completion bash), in ~/.bashrc
    zsh         source <(mini-hpa completion zsh), in ~/.zshrc after compinit
    fish        mini-hpa completion fish > ~/.config/fish/completions/mini-hpa.fish
    powershell  mini-hpa completion powershell | Out-String | Invoke-Expression, in $PROFILE

As a plugin of kubectl the program is called kubectl-mini_hpa; "kubectl mini-hpa" is completed by kubectl's own script if the program, or a link to it,
is in the PATH as kubectl_complete-mini_hpa, too.`,
		Complete: func(context.Context, *pflag.FlagSet, string, string) []string {
			return []string{"bash", "zsh", "fish", "powershell"}
		},
		Task: func() Task { return completionTask{} },
	}
}

type completionTask struct{}

// Declare is Task's.
func (completionTask) Declare(*pflag.FlagSet) {}

// Run is Task's.
func (completionTask) Run(_ context.Context, args []string, s Streams) error {
	if len(args) != 1 || scripts[args[0]] == "" {
		return Usagef("want one of bash, zsh, fish and powershell")
	}
	if _, err := io.WriteString(s.Out, scripts[args[0]]); err != nil {
		return fmt.Errorf("cannot write the script: %w", err)
	}
	return nil
}

// scripts are by shell. Each asks completeCommand.
var scripts = map[string]string{
	"bash": `# bash completion for mini-hpa
__mini_hpa() {
    local i line taken= words=()
    COMPREPLY=()
    for ((i = 1; i <= COMP_CWORD; i++)); do # bash makes several words of arn:aws:eks and of admin@kind
        if [[ ${#words[@]} -gt 0 && (${COMP_WORDS[i]} == [:@]* || ${COMP_WORDS[i-1]} == *[:@]) ]]; then
            words[${#words[@]}-1]+=${COMP_WORDS[i]}
            taken=${words[${#words[@]}-1]%"$2"}
        else
            words+=("${COMP_WORDS[i]}")
            taken=
        fi
    done
    while IFS= read -r line; do
        case $line in
            :0) if [ ${#COMPREPLY[@]} -eq 0 ]; then compopt -o default; fi ;;
            :*) ;;
            *) line=${line%%$'\t'*}; COMPREPLY+=("${line#"$taken"}") ;;
        esac
    done < <("${COMP_WORDS[0]}" __complete "${words[@]}" 2>/dev/null)
}
complete -F __mini_hpa mini-hpa
`,
	"zsh": `#compdef mini-hpa
_mini_hpa() {
    local -a all
    local line word
    while IFS= read -r line; do
        case $line in
            :0) if [ ${#all} -eq 0 ]; then _files; fi ;;
            :*) ;;
            *) word=${line%%$'\t'*}; all+=("${word//:/\\:}:${line#*$'\t'}") ;;
        esac
    done < <("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)
    _describe mini-hpa all
}
if [ "$funcstack[1]" = "_mini_hpa" ]; then _mini_hpa; else compdef _mini_hpa mini-hpa; fi
`,
	//nolint:dupword // blocks of fish end one after the other
	"fish": `# fish completion for mini-hpa
function __mini_hpa
    set -l words (commandline -opc)
    set -l last (commandline -ct)
    set -l all ($words[1] __complete $words[2..-1] "$last" 2>/dev/null)
    if test "$all" = ":0"
        __fish_complete_path "$last"
    else
        string match -v -r '^:\d+$' -- $all
    end
end
complete -c mini-hpa -f -a '(__mini_hpa)'
`,
	"powershell": `# PowerShell completion for mini-hpa
Register-ArgumentCompleter -Native -CommandName 'mini-hpa' -ScriptBlock {
    param($word, $ast, $cursor)
    $before = @($ast.CommandElements | Select-Object -Skip 1 | Where-Object { $_.Extent.EndOffset -lt $cursor } | ForEach-Object { "$_" })
    $last = if ($word) { $word } else { '""' }
    & "$($ast.CommandElements[0])" __complete @before $last 2>$null | Where-Object { $_ -notmatch '^:\d+$' } | ForEach-Object {
        $name, $about = $_ -split [char]9, 2
        [System.Management.Automation.CompletionResult]::new($name, $name, 'ParameterValue', $(if ($about) { $about } else { $name }))
    }
}
`,
}
