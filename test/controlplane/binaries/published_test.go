//go:build unix

package binaries

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// archive is a .tar.gz of these files, by path.
func archive(t *testing.T, files ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	plain := gzip.NewWriter(&out)
	w := tar.NewWriter(plain)
	for i := 0; i < len(files); i += 2 {
		if err := w.WriteHeader(&tar.Header{Name: files[i], Typeflag: tar.TypeReg, Mode: 0o600, Size: int64(len(files[i+1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := plain.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestWhatIsPublishedIsTaken: and only if it is what was pinned. Otherwise it is said why, and the program is built.
func TestWhatIsPublishedIsTaken(t *testing.T) {
	good := archive(t, "./v1/bin/other", "no", "v1/bin/tiny", "published", "v1/LICENSE", "text")
	program := []byte("published")
	sum512 := func(content []byte) string { return fmt.Sprintf("%x", sha512.Sum512(content)) }
	sum256 := func(content []byte) string { return fmt.Sprintf("%x", sha256.Sum256(content)) }
	for name, test := range map[string]struct {
		path    string
		content []byte // nil: 404
		sum     string
		built   string // what is said if it has to be built; empty if it is taken
	}{
		"archive":          {"/tiny.tar.gz", good, sum512(good), ""},
		"program":          {"/tiny", program, sum256(program), ""},
		"another archive":  {"/tiny.tar.gz", archive(t, "v1/bin/tiny", "evil"), sum512(good), "its checksum is "},
		"another program":  {"/tiny", []byte("evil"), sum256(program), "its checksum is "},
		"cut off":          {"/tiny.tar.gz", good[:20], sum512(good), "unexpected EOF"},
		"with more":        {"/tiny.tar.gz", append(bytes.Clone(good), "more"...), sum512(good), "its checksum is "},
		"no archive":       {"/tiny.tar.gz", bytes.Repeat(program, 9), sum256(program), "gzip: invalid header"},
		"without the file": {"/tiny.tar.gz", archive(t, "bin/tiny", "elsewhere"), sum512(archive(t, "bin/tiny", "elsewhere")), "it has no v1/bin/tiny"},
		"gone":             {"/tiny", nil, sum256(program), "404 Not Found"},
		"no checksum":      {"/tiny", program, "abc", `"abc" is neither`},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if asked++; test.content == nil || r.URL.Path != test.path {
					http.NotFound(w, r)
					return
				}
				_, _ = w.Write(test.content)
			}))
			defer server.Close()
			pin, cache := tiny(t, greeting), t.TempDir()
			pin.Published = map[string]Published{runtime.GOOS + "/" + runtime.GOARCH: {URL: server.URL + test.path, Sum: test.sum, Folder: "v1/bin"}}
			var out bytes.Buffer
			builder := Builder{Cache: cache, Out: &out}
			files, err := builder.Build(t.Context(), pin)
			if err != nil {
				t.Fatal(err)
			}
			isTaken := read(t, files["tiny"]) == "published"
			said := out.String()
			if isTaken != (test.built == "") || strings.Contains(said, "building tiny") == isTaken || !strings.Contains(said, test.built) || strings.Contains(said, "is built instead") == isTaken {
				t.Errorf("taken: %t; it said\n%s", isTaken, said)
			}
			if left, _ := filepath.Glob(filepath.Join(cache, "*", ".*")); len(left) > 0 {
				t.Errorf("unfinished files are left: %q", left)
			}
			before := asked
			if _, err := builder.Build(t.Context(), pin); err != nil || asked != before {
				t.Errorf("asked again for what is there: %v", err)
			}
		})
	}
}

// TestOneArchiveHasSeveralPrograms: it is asked for once, and what it is not said to have is built.
func TestOneArchiveHasSeveralPrograms(t *testing.T) {
	content := archive(t, "bin/second", "published 2", "bin/first", "published 1", "bin/tiny", "not asked for")
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { asked++; _, _ = w.Write(content) }))
	defer server.Close()
	pin := tiny(t, greeting)
	pin.Programs = append(pin.Programs, Program{Name: "first", Package: "example.com/none"}, Program{Name: "second", Package: "example.com/none"})
	pin.Unpublished = []string{"tiny"}
	pin.Published = map[string]Published{runtime.GOOS + "/" + runtime.GOARCH: {URL: server.URL + "/all.tar.gz", Sum: fmt.Sprintf("%x", sha512.Sum512(content)), Folder: "bin"}}
	var out bytes.Buffer
	files, err := Builder{Cache: t.TempDir(), Out: &out}.Build(t.Context(), pin)
	if err != nil {
		t.Fatal(err)
	}
	if asked != 1 || read(t, files["first"]) != "published 1" || read(t, files["second"]) != "published 2" || read(t, files["tiny"]) == "not asked for" {
		t.Errorf("asked %d times; it said\n%s", asked, &out)
	}
}

// TestChecksumsAreOfThePins: whoever changes a version has to change the checksums, too.
func TestChecksumsAreOfThePins(t *testing.T) {
	pins, err := Pins(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, pin := range pins {
		_, version, _ := strings.Cut(pin.Release, "@")
		if pin.Stamp != "" {
			if version, err = (goCommand{dir: pin.Dir}).output(t.Context(), "list", "-m", "-f", "{{.Version}}", pin.Stamp); err != nil {
				t.Fatal(err)
			}
		}
		if len(pin.Published) != 2 {
			t.Errorf("%s is published for %d platforms, want 2", pin.name(), len(pin.Published))
		}
		for platform, p := range pin.Published {
			if _, err := p.digest(); err != nil || !strings.Contains(p.URL, "/"+version+"/") || !strings.Contains(p.URL, strings.ReplaceAll(platform, "/", "-")) {
				t.Errorf("%s of %s, %s, is from %s (%v)", pin.name(), version, platform, p.URL, err)
			}
		}
	}
}
