package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/tripplite-go/tripplite/internal/capture"
)

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help says how to load them.
func (completionCommand) Help() string {
	return `Load them from the start-up file of the shell: source <(tripplite completion bash) in
~/.bashrc; source <(tripplite completion zsh) in ~/.zshrc, behind compinit; tripplite completion
fish | source in ~/.config/fish/config.fish.`
}

func (c completionCommand) run(s *session) error {
	write := map[string]func(*kong.Application) string{
		"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion,
	}[c.Shell]
	_, err := io.WriteString(s.stdout, write(s.model))
	return err
}

// candidates are what may stand in a place: nothing, anything, one of some words, or a file.
type candidates struct {
	taken bool // there is a value at all
	words []string
	files bool
}

// candidatesFor takes them from an enum, or the tag "complete", which names a kind of words.
func candidatesFor(v *kong.Value) candidates {
	c := candidates{taken: !v.IsBool()}
	if v.Enum != "" {
		auto := func(word string) bool { return word == "auto" } // which is for nobody to type
		c.words = slices.DeleteFunc(v.EnumSlice(), auto)
	}
	switch v.Tag.Get("complete") {
	case "file":
		c.files = true
	case "capture":
		c.words, c.files = capture.Names(), true
	case "key":
		for _, f := range fields() {
			c.words = append(c.words, names(f)...)
		}
	}
	return c
}

// argumentOf returns what may stand behind a command.
func argumentOf(n *kong.Node) candidates {
	if n.Positional == nil {
		return candidates{}
	}
	return candidatesFor(n.Positional[0])
}

func commandNames(model *kong.Application) (found []string) {
	for _, n := range model.Children {
		found = append(found, n.Name)
	}
	return found
}

// flagWords returns a flag as it is typed, in the long form and the short one.
func flagWords(f *kong.Flag) []string {
	if f.Short == 0 {
		return []string{"--" + f.Name}
	}
	return []string{"--" + f.Name, "-" + string(f.Short)}
}

// bashCompletion needs nothing but bash itself, of version 3.2 or newer.
func bashCompletion(model *kong.Application) string {
	var values, words strings.Builder
	add := func(n *kong.Node, command, pattern string, offered []string, files bool) {
		for _, f := range n.Flags {
			offered = append(offered, flagWords(f)...)
			if value := candidatesFor(f.Value); value.taken {
				patterns := pattern + ":" + strings.Join(flagWords(f), " | "+pattern+":")
				fmt.Fprintf(&values, "\t%s) words='%s' files=%t flag=1 ;;\n",
					patterns, strings.Join(value.words, " "), value.files)
			}
		}
		for _, f := range model.Flags {
			if n != model.Node {
				offered = append(offered, flagWords(f)...)
			}
		}
		fmt.Fprintf(&words, "\t\t'%s') words='%s' files=%t ;;\n",
			command, strings.Join(offered, " "), files)
	}
	for _, n := range model.Children {
		argument := argumentOf(n)
		add(n, n.Name, n.Name, argument.words, argument.files)
	}
	add(model.Node, "", "*", commandNames(model), false)
	return `# bash completion for tripplite
_tripplite() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	local command='' words='' files=false flag='' i
	# bash makes --flag=value three words.
	if [[ $cur == = ]]; then
		cur=
	elif [[ $prev == = ]] && ((COMP_CWORD > 1)); then
		prev=${COMP_WORDS[COMP_CWORD-2]}
	fi
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		` + strings.Join(commandNames(model), " | ") + `) command=${COMP_WORDS[i]}; break ;;
		esac
	done
	case $command:$prev in
` + values.String() + `	esac
	if [[ ! $flag ]]; then
		case $command in
` + words.String() + `		esac
	fi
	local IFS=$'\n'
	COMPREPLY=($(compgen -W "${words// /$'\n'}" -- "$cur"))
	if $files && [[ $cur != -* ]]; then
		COMPREPLY+=($(compgen -f -- "$cur"))
		compopt -o filenames 2>/dev/null
	fi
}
complete -F _tripplite tripplite
`
}

// zshQuote makes a text fit for a single-quoted argument of _arguments, where brackets and colons
// mean something.
func zshQuote(text string) string {
	return strings.NewReplacer("'", `'\''`, "[", `\[`, "]", `\]`, ":", `\:`).Replace(text)
}

func zshValue(c candidates) string {
	switch {
	case !c.taken:
		return ""
	case c.files && c.words != nil:
		return ":capture:_tripplite_captures"
	case c.files:
		return ":file:_files"
	case c.words != nil:
		return ":value:(" + strings.Join(c.words, " ") + ")"
	}
	return ":value: "
}

func zshFlags(flags []*kong.Flag) string {
	var specs strings.Builder
	for _, f := range flags {
		value := zshValue(candidatesFor(f.Value))
		for _, word := range flagWords(f) {
			if value != "" && strings.HasPrefix(word, "--") {
				word += "="
			}
			fmt.Fprintf(&specs, " \\\n\t\t\t'%s[%s]%s'", word, zshQuote(f.Help), value)
		}
	}
	return specs.String()
}

func zshCompletion(model *kong.Application) string {
	var commands, cases strings.Builder
	for _, n := range model.Children {
		fmt.Fprintf(&commands, "\n\t\t'%s:%s'", n.Name, strings.ReplaceAll(n.Help, "'", `'\''`))
		argument := zshValue(argumentOf(n))
		if argument != "" {
			argument = " \\\n\t\t\t'1" + argument + "'"
		}
		fmt.Fprintf(&cases, "\t\t%s)\n\t\t\t_arguments%s%s\n\t\t\t;;\n",
			n.Name, zshFlags(slices.Concat(n.Flags, model.Flags)), argument)
	}
	return `#compdef tripplite
_tripplite_captures() {
	_alternative 'names:capture:(` + strings.Join(capture.Names(), " ") + `)' 'files:file:_files'
}
_tripplite() {
	local curcontext=$curcontext state line
	local -a commands
	commands=(` + commands.String() + `
	)
	_arguments -C` + zshFlags(model.Flags) + ` \
			'1: :->command' '*:: :->arguments'
	case $state in
	command) _describe command commands ;;
	arguments)
		case $words[1] in
` + cases.String() + `		esac
		;;
	esac
}
if [[ $funcstack[1] == _tripplite ]]; then
	_tripplite "$@"
else
	compdef _tripplite tripplite
fi
`
}

func fishQuote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'"
}

func fishValue(c candidates) string {
	text := ""
	switch {
	case c.files:
		text = " -r -F"
	case c.taken:
		text = " -x"
	}
	if c.words != nil {
		text += " -a " + fishQuote(strings.Join(c.words, " "))
	}
	return text
}

func fishCompletion(model *kong.Application) string {
	var lines strings.Builder
	add := func(condition string, n *kong.Node) {
		start := "complete -c tripplite" + condition
		for _, f := range n.Flags {
			short := ""
			if f.Short != 0 {
				short = " -s " + string(f.Short)
			}
			value := fishValue(candidatesFor(f.Value))
			fmt.Fprintf(&lines, "%s%s -l %s%s -d %s\n", start, short, f.Name, value, fishQuote(f.Help))
		}
		argument := argumentOf(n)
		if argument.words != nil {
			fmt.Fprintf(&lines, "%s -a %s\n", start, fishQuote(strings.Join(argument.words, " ")))
		}
		if argument.files {
			lines.WriteString(start + " -F\n")
		}
	}
	lines.WriteString("# fish completion for tripplite\ncomplete -c tripplite -f\n")
	add("", model.Node)
	for _, n := range model.Children {
		fmt.Fprintf(&lines, "complete -c tripplite -n __fish_use_subcommand -a %s -d %s\n",
			n.Name, fishQuote(n.Help))
		add(" -n "+fishQuote("__fish_seen_subcommand_from "+n.Name), n)
	}
	return lines.String()
}
