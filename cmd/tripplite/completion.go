package main

import (
	"fmt"
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
	return `Load them from the shell's start-up file: source <(tripplite completion bash) in ~/.bashrc; source <(tripplite completion zsh) in ~/.zshrc, behind compinit; tripplite completion fish | source in ~/.config/fish/config.fish.`
}

func (c completionCommand) run(s *session) int {
	write := map[string]func([]completed) string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}[c.Shell]
	if _, err := fmt.Fprint(s.stdout, write(completedOf(s.model))); err != nil {
		s.complain(err)
		return exitFailure
	}
	return exitOK
}

// completed is a command, or with the name "" the program itself, whose flags all commands have.
type completed struct {
	name, help string
	flags      []completedFlag
	argument   candidates
}

type completedFlag struct {
	name, short, help string
	value             candidates
}

// candidates are what may stand in a place: nothing, anything, one of some words, or a file.
type candidates struct {
	taken bool // there is a value at all
	words []string
	files bool
}

func completedOf(model *kong.Application) []completed {
	all := []completed{{flags: completedFlags(model.Node)}}
	for _, node := range model.Children {
		c := completed{name: node.Name, help: node.Help, flags: completedFlags(node)}
		for _, argument := range node.Positional {
			c.argument = candidatesFor(argument)
		}
		all = append(all, c)
	}
	return all
}

func completedFlags(node *kong.Node) (flags []completedFlag) {
	for _, f := range node.Flags {
		c := completedFlag{name: f.Name, help: f.Help, value: candidatesFor(f.Value)}
		if f.Short != 0 {
			c.short = string(f.Short)
		}
		flags = append(flags, c)
	}
	return flags
}

// candidatesFor takes them from an enum, or the tag "complete", which names a kind of words.
func candidatesFor(v *kong.Value) candidates {
	c := candidates{taken: !v.IsBool()}
	if v.Enum != "" {
		c.words = slices.DeleteFunc(v.EnumSlice(), func(word string) bool { return word == v.Default && word == "auto" })
	}
	switch v.Tag.Get("complete") {
	case "file":
		c.files = true
	case "capture":
		c.words, c.files = capture.Names(), true
	case "key":
		for _, k := range keys {
			c.words = append(c.words, dashed(k.name))
		}
	}
	return c
}

func names(all []completed) (names []string) {
	for _, c := range all[1:] {
		names = append(names, c.name)
	}
	return names
}

func flagWords(flags []completedFlag) (words []string) {
	for _, f := range flags {
		words = append(words, "--"+f.name)
		if f.short != "" {
			words = append(words, "-"+f.short)
		}
	}
	return words
}

// bashCompletion needs nothing but bash itself, of version 3.2 or newer.
func bashCompletion(all []completed) string {
	var values, words strings.Builder
	for _, c := range all {
		for _, f := range c.flags {
			if !f.value.taken {
				continue
			}
			in := c.name
			if in == "" {
				in = "*"
			}
			pattern := in + ":--" + f.name
			if f.short != "" {
				pattern += " | " + in + ":-" + f.short
			}
			fmt.Fprintf(&values, "\t%s) words='%s' files=%t flag=1 ;;\n", pattern, strings.Join(f.value.words, " "), f.value.files)
		}
		offered := append(slices.Clone(c.argument.words), flagWords(slices.Concat(c.flags, all[0].flags))...)
		if c.name == "" {
			offered = append(names(all), flagWords(c.flags)...)
		}
		fmt.Fprintf(&words, "\t\t'%s') words='%s' files=%t ;;\n", c.name, strings.Join(offered, " "), c.argument.files)
	}
	return `# bash completion for tripplite
_tripplite() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command='' words='' files=false flag='' i
	# bash makes --flag=value three words.
	if [[ $cur == = ]]; then
		cur=
	elif [[ $prev == = ]] && ((COMP_CWORD > 1)); then
		prev=${COMP_WORDS[COMP_CWORD-2]}
	fi
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		` + strings.Join(names(all), " | ") + `) command=${COMP_WORDS[i]}; break ;;
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

// zshQuote makes a text fit for a single-quoted argument of _arguments, where brackets and colons mean something.
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

func zshFlags(flags []completedFlag) string {
	var specs strings.Builder
	for _, f := range flags {
		help, value, equals := zshQuote(f.help), zshValue(f.value), ""
		if f.value.taken {
			equals = "="
		}
		fmt.Fprintf(&specs, " \\\n\t\t\t'--%s%s[%s]%s'", f.name, equals, help, value)
		if f.short != "" {
			fmt.Fprintf(&specs, " \\\n\t\t\t'-%s[%s]%s'", f.short, help, value)
		}
	}
	return specs.String()
}

func zshCompletion(all []completed) string {
	var commands, cases strings.Builder
	for _, c := range all[1:] {
		fmt.Fprintf(&commands, "\n\t\t'%s:%s'", c.name, strings.ReplaceAll(c.help, "'", `'\''`))
		argument := ""
		if c.argument.taken {
			argument = " \\\n\t\t\t'1" + zshValue(c.argument) + "'"
		}
		fmt.Fprintf(&cases, "\t\t%s)\n\t\t\t_arguments%s%s%s\n\t\t\t;;\n", c.name, zshFlags(c.flags), zshFlags(all[0].flags), argument)
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
	_arguments -C` + zshFlags(all[0].flags) + ` \
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

func fishCompletion(all []completed) string {
	var lines strings.Builder
	lines.WriteString("# fish completion for tripplite\ncomplete -c tripplite -f\n")
	for _, c := range all {
		condition := ""
		if c.name != "" {
			fmt.Fprintf(&lines, "complete -c tripplite -n __fish_use_subcommand -a %s -d %s\n", c.name, fishQuote(c.help))
			condition = " -n " + fishQuote("__fish_seen_subcommand_from "+c.name)
		}
		for _, f := range c.flags {
			short := ""
			if f.short != "" {
				short = " -s " + f.short
			}
			fmt.Fprintf(&lines, "complete -c tripplite%s%s -l %s%s -d %s\n", condition, short, f.name, fishValue(f.value), fishQuote(f.help))
		}
		if c.argument.words != nil {
			fmt.Fprintf(&lines, "complete -c tripplite%s -a %s\n", condition, fishQuote(strings.Join(c.argument.words, " ")))
		}
		if c.argument.files {
			fmt.Fprintf(&lines, "complete -c tripplite%s -F\n", condition)
		}
	}
	return lines.String()
}
