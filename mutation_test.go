package tripplite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// mutated are the files that decide what is believed, and when.
var mutated = []string{
	"battery.go", "queue.go", "connect.go", "listener.go", "pulse.go", "hidpower.go", "plan.go",
	"decode.go", "watch.go", "bank.go", "onbattery.go",
}

// TestNoChangeOfTheCodeGoesUnnoticed changes the library in every place, one at a time: it turns
// each condition and each comparison round, swaps && and ||, and leaves out each statement and each
// part of an assignment. The other tests of this package have to fail. docs/mutation.md explains
// the changes that survive. All changes are compiled into one test binary, and an environment
// variable picks one.
func TestNoChangeOfTheCodeGoesUnnoticed(t *testing.T) {
	files := strings.Fields(os.Getenv("MUTATE"))
	switch {
	case len(files) == 0:
		t.Skip("takes a quarter of an hour: .ci/mutate")
	case files[0] == "all":
		files = mutated
	}
	root, err := os.Getwd()
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "module")
	require.NoError(t, os.CopyFS(dir, os.DirFS(root)))
	require.NoError(t, os.Remove(filepath.Join(dir, "mutation_test.go")))
	require.NoError(t, os.Remove(filepath.Join(dir, "example_test.go")))

	var mutants []mutant
	for _, file := range files {
		source, err := os.ReadFile(filepath.Join(dir, file))
		require.NoError(t, err)
		changed := mutate(t, file, source, &mutants)
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), changed, 0o644))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "mutant.go"), []byte(runtimeOfMutants), 0o644))
	binary := filepath.Join(dir, "mutant.test")
	build := exec.Command("go", "test", "-c", "-o", binary, ".")
	build.Dir = dir
	output, err := build.CombinedOutput()
	require.NoError(t, err, string(output))

	run := func(n int) error {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		command := exec.CommandContext(ctx, binary, "-test.failfast", "-test.timeout=25s")
		command.Dir = dir
		command.Env = append(os.Environ(), fmt.Sprintf("MUTANT=%d", n))
		output, err := command.CombinedOutput()
		if n == 0 {
			require.NoError(t, err, string(output))
		}
		return err
	}
	require.NoError(t, run(0), "without a change")

	next := make(chan int)
	var survivors []mutant
	var mu sync.Mutex
	var all sync.WaitGroup
	for range runtime.NumCPU() {
		all.Go(func() {
			for n := range next {
				err := run(n + 1)
				if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
					assert.NoError(t, err)
				}
				if err == nil {
					mu.Lock()
					survivors = append(survivors, mutants[n])
					fmt.Println(mutants[n])
					mu.Unlock()
				}
			}
		})
	}
	for n := range mutants {
		next <- n
	}
	close(next)
	all.Wait()
	t.Logf("%d changes, %d not noticed", len(mutants), len(survivors))

	explained, err := os.ReadFile("docs/mutation.md")
	require.NoError(t, err)
	for _, m := range survivors {
		if !strings.Contains(string(explained), m.row()) {
			t.Errorf("%v: no test notices it, and docs/mutation.md does not explain it", m)
		}
	}
}

// runtimeOfMutants is what the changed files call.
const runtimeOfMutants = `package tripplite

import (
	"os"
	"strconv"
)

var mutantNumber, _ = strconv.Atoi(os.Getenv("MUTANT"))

func isMutant(n int) bool { return n == mutantNumber }

func mutantAnd(n int, a bool, b func() bool) bool {
	if isMutant(n) {
		return a || b()
	}
	return a && b()
}

func mutantOr(n int, a bool, b func() bool) bool {
	if isMutant(n) {
		return a && b()
	}
	return a || b()
}
`

// mutant is one change.
type mutant struct {
	file       string
	line       int
	text, kind string
}

func (m mutant) String() string {
	return fmt.Sprintf("%s:%d: %s: %s", m.file, m.line, m.kind, m.text)
}

// row is how the explanation of a change begins in docs/mutation.md.
func (m mutant) row() string {
	change := strings.ReplaceAll(m.kind+": "+m.text, "|", `\|`)
	return fmt.Sprintf("| %s | `%s` |", m.file, change)
}

// edit puts a text at a place of a file, in the place of some bytes. At the same place, what closes
// a node comes before what opens one, and what was added last closes first.
type edit struct {
	at, length int
	text       string
	order      int
}

// mutate returns a file with every change in it, each behind its number.
func mutate(t *testing.T, file string, source []byte, mutants *[]mutant) []byte {
	t.Helper()
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, source, parser.ParseComments)
	require.NoError(t, err)
	var edits []edit
	offset := func(p token.Pos) int { return set.Position(p).Offset }
	textOf := func(n ast.Node) string { return string(source[offset(n.Pos()):offset(n.End())]) }
	add := func(n ast.Node, kind, text string) int {
		first, _, _ := strings.Cut(text, "\n")
		*mutants = append(*mutants, mutant{file, set.Position(n.Pos()).Line, first, kind})
		return len(*mutants)
	}
	skipped := func(n ast.Node) bool { // a log entry, which no test has to notice
		return strings.Contains(textOf(n), "log.")
	}
	around := func(n ast.Node, before, after string) {
		edits = append(edits, edit{offset(n.Pos()), 0, before, len(edits)},
			edit{offset(n.End()), 0, after, -1 - len(edits)})
	}
	turnRound := func(e ast.Expr) {
		around(e, "((", fmt.Sprintf(") != isMutant(%d))", add(e, "turned round", textOf(e))))
	}
	condition := func(e ast.Expr) { // a comparison is turned round where it is met itself
		if _, compares := e.(*ast.BinaryExpr); !compares && !skipped(e) {
			turnRound(e)
		}
	}
	leaveOut := func(list []ast.Stmt) {
		for _, s := range list {
			if !canBeLeftOut(s) || skipped(s) {
				continue
			}
			around(s, fmt.Sprintf("if !isMutant(%d) { ", add(s, "left out", textOf(s))), " }")
			assign, ok := s.(*ast.AssignStmt)
			if !ok || len(assign.Lhs) == 1 || len(assign.Lhs) != len(assign.Rhs) {
				continue
			}
			for i := range assign.Lhs {
				left := mapped(slices.Delete(slices.Clone(assign.Lhs), i, i+1), textOf)
				right := mapped(slices.Delete(slices.Clone(assign.Rhs), i, i+1), textOf)
				out := textOf(assign.Lhs[i]) + " = " + textOf(assign.Rhs[i])
				around(s, fmt.Sprintf("if isMutant(%d) { %s = %s } else { ", add(s, "left out", out),
					strings.Join(left, ", "), strings.Join(right, ", ")), " }")
			}
		}
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.IfStmt:
			condition(n.Cond)
		case *ast.ForStmt:
			if n.Cond != nil {
				condition(n.Cond)
			}
		case *ast.BinaryExpr:
			switch n.Op {
			case token.LAND, token.LOR:
				name := "mutantAnd"
				if n.Op == token.LOR {
					name = "mutantOr"
				}
				around(n, fmt.Sprintf("%s(%d, ", name, add(n, "swapped", textOf(n))), ")})")
				edits = append(edits, edit{offset(n.OpPos), 2, ", func() bool { return (", 0})
			case token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ:
				turnRound(n)
			}
		case *ast.BlockStmt:
			leaveOut(n.List)
		case *ast.SwitchStmt:
			if n.Tag == nil {
				for _, c := range n.Body.List {
					for _, e := range c.(*ast.CaseClause).List {
						condition(e)
					}
				}
			}
		case *ast.CaseClause:
			leaveOut(n.Body)
		case *ast.CommClause:
			leaveOut(n.Body)
		case *ast.GenDecl:
			return n.Tok != token.CONST && n.Tok != token.TYPE
		}
		return true
	})
	slices.SortFunc(edits, func(a, b edit) int { return cmp.Or(a.at-b.at, a.order-b.order) })
	var changed []byte
	at := 0
	for _, e := range edits {
		changed = append(append(changed, source[at:e.at]...), e.text...)
		at = e.at + e.length
	}
	return append(changed, source[at:]...)
}

// canBeLeftOut reports whether a statement does something and declares nothing.
func canBeLeftOut(s ast.Stmt) bool {
	switch s := s.(type) {
	case *ast.ExprStmt, *ast.IncDecStmt, *ast.SendStmt:
		return true
	case *ast.AssignStmt:
		return s.Tok != token.DEFINE
	}
	return false
}

// mapped returns what f makes of each expression.
func mapped(list []ast.Expr, f func(ast.Node) string) (texts []string) {
	for _, e := range list {
		texts = append(texts, f(e))
	}
	return texts
}
