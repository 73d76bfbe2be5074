package arch

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// pages returns the Markdown files of the repository by their paths.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	walk(t, ".md", func(name, text string) { all[name] = text })
	if len(all) == 0 {
		t.Fatal("there are no pages")
	}
	return all
}

// walk reads the files of the repository whose names end with a suffix.
func walk(t *testing.T, suffix string, do func(name, text string)) {
	t.Helper()
	root := os.DirFS(repository)
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && name != ".github" && isSkipped(entry.Name()):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, suffix):
			return nil
		}
		text, err := fs.ReadFile(root, name)
		do(name, string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func isSkipped(dir string) bool {
	return dir == "testdata" || dir == "vendor" || dir != "." && strings.HasPrefix(dir, ".")
}

func exists(name string) bool {
	_, err := os.Stat(filepath.Join(repository, name))
	return err == nil
}

// anchor is the anchor that GitHub makes from a heading.
func anchor(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
}

// anchors returns the anchors of a page's headings.
func anchors(text string) []string {
	var all []string
	for _, found := range regexp.MustCompile(`(?m)^#+ +(.+?) *$`).FindAllStringSubmatch(text, -1) {
		all = append(all, anchor(found[1]))
	}
	return all
}

func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	all := pages(t)
	for name, text := range all {
		for _, found := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(text, -1) {
			target, at, _ := strings.Cut(found[1], "#")
			if strings.Contains(target, ":") {
				continue // somebody else's page
			}
			to := name
			if target != "" {
				to = path.Join(path.Dir(name), target)
			}
			switch {
			case !exists(to):
				t.Errorf("%s links to %s, which is not there", name, to)
			case at != "" && !slices.Contains(anchors(all[to]), at):
				t.Errorf("%s links to the heading %s of %s, which is not there", name, at, to)
			}
		}
	}
}

// TestTheDesignHasARowOfEachPackage that the plan has. Behind the first package of a row others stand without the folder that they share with it.
func TestTheDesignHasARowOfEachPackage(t *testing.T) {
	t.Parallel()
	rows := map[string]bool{}
	for line := range strings.Lines(pages(t)["docs/design.md"]) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 {
			continue
		}
		folder := ""
		for i, found := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[1], -1) {
			if name := found[1]; i == 0 || strings.Contains(name, "/") {
				folder, rows[name] = path.Dir(name), true
			} else {
				rows[path.Join(folder, name)] = true
			}
		}
	}
	for room := range House().Rooms {
		if !rows[room] {
			t.Errorf("the table of docs/design.md has no row of %s", room)
		}
	}
}

// TestPagesNameWhatIsThere: a path, a target of make or a test that a page names in backticks exists.
func TestPagesNameWhatIsThere(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile(filepath.Join(repository, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	tests := testNames(t)
	for name, text := range pages(t) {
		for _, found := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(text, -1) {
			words := strings.Fields(found[1])
			if len(words) == 0 {
				continue
			}
			first, _, isPath := strings.Cut(words[0], "/")
			switch {
			case words[0] == "make" && len(words) > 1 && !regexp.MustCompile(`(?m)^(\S+ )*`+regexp.QuoteMeta(words[1])+`[: ]`).Match(makefile):
				t.Errorf("%s names `%s`, but the Makefile has no such target", name, found[1])
			case len(words) == 1 && isTest.MatchString(words[0]) && !tests[words[0]]:
				t.Errorf("%s names %s, but there is no such test", name, words[0])
			case slices.Contains([]string{"bin", "dist", "demo-output", "bench-output"}, first): // what is built, drawn and measured is there or not
			case len(words) == 1 && isPath && first != "" && (exists(first) || strings.HasSuffix(words[0], ".go")) && !exists(words[0]):
				t.Errorf("%s names %s, which is not there", name, words[0])
			}
		}
	}
}

var isTest = regexp.MustCompile(`^(Test|Fuzz)[A-Z]\w+$`)

// testNames are the tests and fuzz targets of all modules.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	walk(t, "_test.go", func(_, text string) {
		for _, found := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`).FindAllStringSubmatch(text, -1) {
			names[found[1]] = true
		}
	})
	return names
}

// TestPagesDefineEachWordOnce: the glossary has one definition for a word.
func TestPagesDefineEachWordOnce(t *testing.T) {
	t.Parallel()
	_, after, _ := strings.Cut(pages(t)["docs/design.md"], "\n## Words\n")
	glossary, _, _ := strings.Cut(after, "\n## ")
	defined := map[string]string{}
	for _, row := range regexp.MustCompile(`(?m)^\| (.+?) \| (.+) \|$`).FindAllStringSubmatch(glossary, -1) {
		for word := range strings.SplitSeq(row[1], ", ") {
			if before, ok := defined[word]; ok {
				t.Errorf("the glossary defines %q twice: as %q and as %q", word, before, row[2])
			}
			defined[word] = row[2]
		}
	}
	if len(defined) < 60 {
		t.Errorf("only %d words were found", len(defined))
	}
}

// TestThreatsAreShown: each threat names a test that shows its answer, and each file of the guard answers a threat.
func TestThreatsAreShown(t *testing.T) {
	t.Parallel()
	page := pages(t)["docs/security.md"]
	threats := 0
	for _, section := range strings.Split(page, "\n## ")[1:] {
		for _, row := range regexp.MustCompile(`(?m)^\|.*\|$`).FindAllString(section, -1) {
			cells := strings.Split(strings.Trim(row, "|"), "|")
			if !strings.HasPrefix(section, "Threats") || strings.Contains(row, "---") || strings.TrimSpace(cells[len(cells)-1]) == "shown by" {
				continue
			}
			threats++
			if !regexp.MustCompile("`(Test|Fuzz)").MatchString(cells[len(cells)-1]) {
				t.Errorf("no test shows the answer to: %s", cells[0])
			}
		}
	}
	if threats < 20 {
		t.Errorf("only %d threats were found", threats)
	}
	files, err := filepath.Glob(filepath.Join(repository, "webhook", "guard", "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files of the guard: %v", len(files), err)
	}
	for _, file := range files {
		if name := "webhook/guard/" + filepath.Base(file); !strings.HasSuffix(name, "_test.go") && !strings.Contains(page, name) {
			t.Errorf("%s answers no threat", name)
		}
	}
}

// TestDecisionsOnRecord: each has its four parts and is in the list.
func TestDecisionsOnRecord(t *testing.T) {
	t.Parallel()
	all := pages(t)
	list := all["docs/adr/README.md"]
	for name, text := range all {
		base := path.Base(name)
		if path.Dir(name) != "docs/adr" || base == "README.md" {
			continue
		}
		if !strings.HasPrefix(text, "# "+base[:4]+": ") || !strings.Contains(list, "["+base[:4]+"]("+base+")") {
			t.Errorf("%s does not begin with its number, or is not in the list", name)
		}
		for _, part := range []string{"**Context.**", "**Decision.**", "**Consequences.**", "**What would change it.**"} {
			if !strings.Contains(text, part) {
				t.Errorf("%s has no part %s", name, part)
			}
		}
	}
}
