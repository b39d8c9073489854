package main

import (
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"github.com/alecthomas/kong"
)

type manCommand struct{}

// Help says what to do with it.
func (manCommand) Help() string {
	return `The page is roff: tripplite man | man -l - shows it, and tripplite man >
/usr/local/share/man/man1/tripplite.1 installs it.`
}

func (manCommand) run(s *session) error {
	_, err := io.WriteString(s.stdout, manPage(s.model))
	return err
}

// manPage makes the manual page of the definitions of the commands.
func manPage(model *kong.Application) string {
	var page strings.Builder
	release := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		release = info.Main.Version
	}
	fmt.Fprintf(&page, ".TH TRIPPLITE 1 \"\" \"tripplite %s\" \"User Commands\"\n", roff(release))
	page.WriteString(".SH NAME\ntripplite \\- show what Tripp Lite UPSes say\n")
	page.WriteString(".SH SYNOPSIS\n.B tripplite\n[\\fIflags\\fR]\n")
	for _, node := range model.Children {
		fmt.Fprintf(&page, ".br\n.B tripplite %s\n[\\fIflags\\fR]%s\n", node.Name, roffArguments(node))
	}
	fmt.Fprintf(&page, ".SH DESCRIPTION\n%s\n", roff(model.Help))
	page.WriteString(".SH FLAGS OF EVERY COMMAND\n" + roffFlags(model.Node))
	page.WriteString(".SH COMMANDS\n")
	for _, node := range model.Children {
		fmt.Fprintf(&page, ".SS \"tripplite %s\"\n%s\n", node.Name, roff(node.Help))
		for paragraph := range strings.SplitSeq(node.Detail, "\n\n") {
			if paragraph != "" {
				fmt.Fprintf(&page, ".PP\n%s\n", roff(paragraph))
			}
		}
		for _, argument := range node.Positional {
			name := roff(strings.ToUpper(argument.Name))
			fmt.Fprintf(&page, ".TP\n\\fI%s\\fR\n%s\n", name, roff(argument.Help))
		}
		page.WriteString(roffFlags(node))
	}
	for _, section := range manSections {
		fmt.Fprintf(&page, ".SH %s\n", section.title)
		for _, item := range section.items {
			fmt.Fprintf(&page, ".TP\n.B %s\n%s\n", roff(item[0]), roff(item[1]))
		}
	}
	return page.String()
}

// manSections is what the definitions of the commands do not say.
var manSections = []struct {
	title string
	items [][2]string
}{
	{"EXIT STATUS", [][2]string{
		{"0", "Everything that was asked for was read."},
		{"1", "It was not: a line on standard error for each failure says why, and what to do."},
		{"2", "The command was called wrongly, or has no such key."},
		{"3", "Only of check, whose statuses are those of a monitoring plugin: 0 OK, 1 WARNING, " +
			"2 CRITICAL, 3 UNKNOWN, which a wrong call is too."},
	}},
	{"ENVIRONMENT", [][2]string{
		{"TRIPPLITE_TRANSPORT", "\"hidraw\" or \"hidapi\" forces a way to reach the units. Otherwise, " +
			"on Linux, hidraw is used where this user may open the unit's node."},
		{"NO_COLOR", "If it is not empty, no colours are used. They are used on a terminal only."},
		{"TERM", "If it is \"dumb\" or missing, watch writes lines of text on a terminal."},
	}},
	{"EXAMPLES", [][2]string{
		{"tripplite | jq '.status.\"ac present\"'", "Is there line power?"},
		{"tripplite get charge --path 1-4.2:1.0", "One value of one of several units."},
		{"tripplite check -w charge=50:,runtime=900: -c charge=20:,runtime=300:",
			"For a monitoring system."},
		{"tripplite watch --format csv > ups.csv", "A log for a spreadsheet."},
		{"tripplite capture my-ups.json --model SMART1500LCDT --listen 1m",
			"For a bug report or a new model."},
		{"tripplite capture | tripplite explain -", "Everything that a unit says, explained."},
	}},
	{"FILES", [][2]string{
		{"/etc/udev/rules.d/70-tripplite.rules", "Lets members of the group tripplite open the units."},
	}},
}

func roffArguments(node *kong.Node) string {
	text := ""
	for _, argument := range node.Positional {
		name := `\fI` + roff(strings.ToUpper(argument.Name)) + `\fR`
		if !argument.Required {
			name = "[" + name + "]"
		}
		text += " " + name
	}
	return text
}

func roffFlags(node *kong.Node) string {
	var text strings.Builder
	for _, f := range node.Flags {
		name := `\fB\-\-` + roff(f.Name) + `\fR`
		if f.Short != 0 {
			name = `\fB\-` + string(f.Short) + `\fR, ` + name
		}
		if !f.IsBool() {
			name += `=\fI` + roff(f.FormatPlaceHolder()) + `\fR`
		}
		fmt.Fprintf(&text, ".TP\n%s\n%s\n", name, roff(f.Help))
	}
	return text.String()
}

// roff makes a text fit for a line of roff, where a dot or an apostrophe at its start would be a
// request.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n", " ", "\"", `\(dq`, "'", `\(aq`,
		"~", `\(ti`).Replace(text)
	if strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	return text
}
