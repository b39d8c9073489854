package main

import (
	"embed"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/template"

	"github.com/alecthomas/kong"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
)

// The scripts call the program back for what may stand in a place.
//
//go:embed completion
var scripts embed.FS

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

func (c completionCommand) Run(s *session) error {
	script, err := scripts.ReadFile("completion/tripplite." + c.Shell)
	if err == nil {
		_, err = s.stdout.Write(script)
	}
	return err
}

// completing is the command of the scripts, followed by the words up to the cursor.
const completing = "__complete"

// complete prints what may stand for the last word, a line each: a word, a tab, what it is. It
// fails where a file may stand there as well.
func (s *session) complete(words []string) error {
	last := len(words) - 1
	words, typed, written := words[:last], words[last], ""
	if flag, value, ok := strings.Cut(typed, "="); ok {
		words, typed, written = append(words, flag), value, strings.TrimPrefix(flag+"=", "=")
	}
	// bash makes three words of --flag=value.
	words = slices.DeleteFunc(words, func(word string) bool { return word == "" || word == "=" })
	model := newParser(&cli{}, io.Discard).Model
	node, previous := model.Node, ""
	for _, word := range words {
		if child := childOf(model, word); child != nil && node == model.Node {
			node = child
		}
		previous = word
	}
	offered, files := offers(node, previous)
	for _, offer := range offered {
		if strings.HasPrefix(offer, typed) {
			fmt.Fprintln(s.stdout, written+offer)
		}
	}
	if files {
		return exitFailure
	}
	return nil
}

// childOf returns the command of a name, or nil.
func childOf(model *kong.Application, name string) *kong.Node {
	for _, n := range model.Children {
		if n.Name == name {
			return n
		}
	}
	return nil
}

// offers returns the values of the flag that was written before, or else commands, arguments and
// flags.
func offers(node *kong.Node, previous string) (found []string, files bool) {
	for _, child := range node.Children {
		found = append(found, child.Name+"\t"+child.Help)
	}
	if node.Positional != nil {
		found, files = valuesFor(node.Positional[0])
	}
	for _, f := range slices.Concat(node.AllFlags(true)...) {
		if !f.IsBool() && (previous == "--"+f.Name || previous == "-"+string(f.Short)) {
			return valuesFor(f.Value)
		}
		found = append(found, "--"+f.Name+"\t"+f.Help)
	}
	return found, files
}

// valuesFor returns what a flag or an argument may be.
func valuesFor(v *kong.Value) (found []string, files bool) {
	switch v.Name {
	case "file":
		return nil, true
	case "path":
		found, _ = tripplite.Paths()
	case "replay", "file|name":
		return capture.Names(), true
	case "command":
		for _, name := range commandNames {
			found = append(found, dashed(name))
		}
	case "key":
		for _, f := range fields() {
			for _, name := range names(f) {
				found = append(found, name+"\t"+f.Help)
			}
		}
	default:
		if words := strings.TrimPrefix(v.Enum, "auto,"); words != "" { // auto is for nobody to type
			found = strings.Split(words, ",")
		}
	}
	return found, files
}

//go:embed man.tmpl
var manPage string

type manCommand struct{}

func (manCommand) Run(s *session) error {
	// A line of roff that begins with a dot would be a request.
	roff := strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "~", `\(ti`,
		"\n\n", "\n.PP\n", "\n.", "\n"+`\&.`).Replace
	page := template.Must(template.New("").Funcs(template.FuncMap{"roff": roff}).Parse(manPage))
	return page.Execute(s.stdout, struct {
		*kong.Application
		Version string
	}{newParser(&cli{}, io.Discard).Model, version()})
}
