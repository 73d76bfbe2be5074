package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/registry"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/pusher"
	"sigs.k8s.io/yaml"

	"github.com/mini-hpa/mini-hpa/test/chart/publish"
	"github.com/mini-hpa/mini-hpa/test/image"
	"github.com/mini-hpa/mini-hpa/test/image/product"
)

// root is the repository, seen from here.
const root = "../../.."

// small stands in for the program, which takes minutes to compile for six platforms.
const small = `package main

import "sigs.k8s.io/yaml"

var version, commit string

func main() { text, _ := yaml.Marshal(version + commit); print(string(text)) }
`

// repository copies what a release reads, with the small program, and with the version where a release has it.
func repository(t *testing.T, version string) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.CopyFS(filepath.Join(dir, "charts"), os.DirFS(filepath.Join(root, "charts"))))
	for _, name := range []string{"go.mod", "go.sum", "LICENSE", "NOTICE", ".krew.yaml"} {
		must(t, os.WriteFile(filepath.Join(dir, name), read(t, root, name), 0o600))
	}
	must(t, os.MkdirAll(filepath.Join(dir, "cmd", "mini-hpa"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "cmd", "mini-hpa", "main.go"), []byte(small), 0o600))
	about := strings.ReplaceAll(string(read(t, root, "charts", "mini-hpa", "Chart.yaml")), chart(t).AppVersion, version)
	must(t, os.WriteFile(filepath.Join(dir, "charts", "mini-hpa", "Chart.yaml"), []byte(about), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "CHANGELOG.md"), []byte("# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-01-02\n\n- Something new.\n\n## [1.2.2] - 2026-01-01\n"), 0o600))
	return dir
}

// versionsOf are those that the repository's Chart.yaml has.
type versionsOf struct{ Version, AppVersion string }

func chart(t *testing.T) versionsOf {
	t.Helper()
	var about versionsOf
	must(t, yaml.Unmarshal(read(t, root, "charts", "mini-hpa", "Chart.yaml"), &about))
	if about.Version == "" || about.AppVersion == "" {
		t.Fatalf("Chart.yaml has the versions %+v", about)
	}
	return about
}

func (v versionsOf) file() string { return "mini-hpa-" + v.Version + ".tgz" }

// newRelease releases v1.2.3 of a copy of the repository, and returns the folder.
func newRelease(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "dist")
	var stdout, stderr bytes.Buffer
	args := []string{"-root", repository(t, "v1.2.3"), "-o", out, "-version", "v1.2.3", "-commit", "0123abcd"}
	if code := command(t.Context(), args, &stdout, &stderr); code != product.ExitWritten {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	return out
}

func TestAReleaseMadeTwiceIsTheSame(t *testing.T) {
	t.Setenv(product.EpochVariable, "1700000000")
	t.Setenv("HELM_REGISTRY_CONFIG", filepath.Join(t.TempDir(), "registry.json"))
	one, another := newRelease(t), newRelease(t)
	files := names(t, one)
	if diff := cmp.Diff(files, names(t, another)); diff != "" {
		t.Errorf("another folder has other files:\n%s", diff)
	}
	for _, name := range files {
		if !bytes.Equal(read(t, one, name), read(t, another, name)) {
			t.Errorf("%s is made another way in another folder", name)
		}
	}
	want := []string{"checksums.txt", "install.yaml", "krew.yaml", chart(t).file(), "mini-hpa.rb", "mini-hpa_image.tar", "mini-hpa_kustomize.tar.gz", "notes.md", "release.json"}
	for _, platform := range defaultPlatforms() {
		name := "mini-hpa_" + strings.ReplaceAll(platform, "/", "_")
		ending := map[bool]string{true: ".zip", false: ".tar.gz"}[strings.HasPrefix(platform, "windows")]
		want = append(want, name+ending, name+".cdx.json")
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if notes := string(read(t, one, "notes.md")); notes != "- Something new.\n" {
		t.Errorf("the notes are %q", notes)
	}
	checksums(t, one)
	archives(t, one)
	manifests(t, one)
	plugin(t, one)
	formula(t, one)
	if a, b := push(t, one), push(t, another); a != b {
		t.Errorf("a registry has the chart as %s, and once more as %s", a, b)
	}
}

// checksums wants that sha256sum finds all files as they are.
func checksums(t *testing.T, dist string) {
	t.Helper()
	check := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", "checksums.txt")
	check.Dir = dist
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for _, name := range names(t, dist) {
		if named := strings.Contains(string(read(t, dist, "checksums.txt")), "  "+name+"\n"); named == (name == "checksums.txt" || name == "notes.md") {
			t.Errorf("%s is among the checksums: %t", name, named)
		}
	}
}

// archives wants a program that may be run, and its license, in each archive.
func archives(t *testing.T, dist string) {
	t.Helper()
	for _, platform := range defaultPlatforms() {
		name, program := filepath.Join(dist, "mini-hpa_"+strings.ReplaceAll(platform, "/", "_")), "-rwxr-xr-x mini-hpa"
		var found []string
		if strings.HasPrefix(platform, "windows") {
			program += ".exe"
			archive, err := zip.OpenReader(name + ".zip")
			must(t, err)
			for _, file := range archive.File {
				found = append(found, file.Mode().String()+" "+file.Name)
			}
			must(t, archive.Close())
		} else {
			compressed, err := gzip.NewReader(bytes.NewReader(read(t, name+".tar.gz")))
			must(t, err)
			for archive := tar.NewReader(compressed); ; {
				header, err := archive.Next()
				if err == io.EOF {
					break
				}
				must(t, err)
				found = append(found, header.FileInfo().Mode().String()+" "+header.Name)
			}
		}
		if diff := cmp.Diff([]string{"-rw-r--r-- LICENSE", "-rw-r--r-- NOTICE", program}, found); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

// manifests wants plain objects that ask for the image of the release.
func manifests(t *testing.T, dist string) {
	t.Helper()
	var released about
	must(t, json.Unmarshal(read(t, dist, "release.json"), &released))
	text := string(read(t, dist, "install.yaml"))
	if !strings.Contains(text, `image: "`+product.ImageName+"@"+released.Digest+`"`) || !strings.HasPrefix(released.Digest, "sha256:") {
		t.Errorf("install.yaml does not ask for %s", released.Digest)
	}
	if strings.Contains(text, "Helm") || strings.Contains(text, "helm") {
		t.Error("install.yaml speaks of Helm")
	}
	want := about{Version: "v1.2.3", Commit: "0123abcd", Created: "2023-11-14T22:13:20Z", Chart: chart(t).file(), Image: product.ImageName + ":v1.2.3", Go: released.Go, Digest: released.Digest, Platforms: released.Platforms}
	if diff := cmp.Diff(want, released); diff != "" || len(released.Platforms) != 2 || !strings.HasPrefix(released.Go, "go1.") {
		t.Errorf("release.json: %v\n%s", released.Platforms, diff)
	}
}

// plugin holds krew's manifest to krew's rules and to the archives.
func plugin(t *testing.T, dist string) {
	t.Helper()
	var manifest struct {
		Metadata struct{ Name string }
		Spec     struct {
			Version, ShortDescription string
			Platforms                 []struct {
				Selector         struct{ MatchLabels map[string]string }
				URI, Sha256, Bin string
			}
		}
	}
	must(t, yaml.Unmarshal(read(t, dist, "krew.yaml"), &manifest))
	if manifest.Metadata.Name != "mini-hpa" || manifest.Spec.Version != "v1.2.3" || len(manifest.Spec.ShortDescription) > 50 || len(manifest.Spec.Platforms) != 6 {
		t.Errorf("krew.yaml: %+v", manifest)
	}
	for _, p := range manifest.Spec.Platforms {
		platform, file := p.Selector.MatchLabels["os"]+"_"+p.Selector.MatchLabels["arch"], filepath.Base(p.URI)
		windows := strings.HasPrefix(platform, "windows")
		if !strings.HasPrefix(file, "mini-hpa_"+platform+".") || !strings.Contains(p.URI, "/releases/download/v1.2.3/") || strings.HasSuffix(p.Bin, ".exe") != windows {
			t.Errorf("%s is %+v", platform, p)
		}
		if !strings.Contains(string(read(t, dist, "checksums.txt")), p.Sha256+"  "+file+"\n") {
			t.Errorf("%s has another checksum than %s", file, p.Sha256)
		}
	}
}

// formula wants an address and its checksum, four times, and the class for which Homebrew looks in a file of that name.
func formula(t *testing.T, dist string) {
	t.Helper()
	const name = "mini-hpa.rb"
	text, class := string(read(t, dist, name)), ""
	for _, word := range strings.Split(strings.TrimSuffix(name, ".rb"), "-") {
		class += strings.ToUpper(word[:1]) + word[1:]
	}
	if !strings.Contains(text, "\nclass "+class+" < Formula\n") {
		t.Errorf("%s has no class %s", name, class)
	}
	found := regexp.MustCompile(`url "https://github\.com/mini-hpa/mini-hpa/releases/download/v1\.2\.3/(\S+)"\n +sha256 "(\S+)"`).FindAllStringSubmatch(text, -1)
	for _, one := range found {
		if !strings.Contains(string(read(t, dist, "checksums.txt")), one[2]+"  "+one[1]+"\n") {
			t.Errorf("%s has another checksum than %s", one[1], one[2])
		}
	}
	if len(found) != 4 || !strings.Contains(text, `version "1.2.3"`) || strings.Contains(text, "{{") {
		t.Errorf("the formula is\n%s", text)
	}
}

// push pushes the chart as `helm push` does, and returns the digest that the registry has it by.
func push(t *testing.T, dist string) string {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	p, err := pusher.NewOCIPusher(pusher.WithPlainHTTP(true))
	must(t, err)
	must(t, p.Push(filepath.Join(dist, chart(t).file()), "oci://"+host+"/charts"))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodHead, server.URL+"/v2/charts/mini-hpa/manifests/"+chart(t).Version, nil)
	must(t, err)
	response, err := server.Client().Do(request)
	must(t, err)
	must(t, response.Body.Close())
	digest := response.Header.Get("Docker-Content-Digest")
	if !strings.HasPrefix(digest, "sha256:") {
		t.Fatalf("%s, digest %q", response.Status, digest)
	}
	return digest
}

// The real node is given a chart for an image that was made for it alone.
func TestTheChartOfAnImageThatIsThereAlready(t *testing.T) {
	t.Parallel()
	out, digest := filepath.Join(t.TempDir(), "dist"), "sha256:"+strings.Repeat("0a", 32)
	var stdout, stderr bytes.Buffer
	args := []string{"-root", repository(t, "v1.2.3"), "-o", out, "-version", "v1.2.4-rc.1", "-snapshot", "-image", digest}
	if code := command(t.Context(), args, &stdout, &stderr); code != product.ExitWritten {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	if diff := cmp.Diff([]string{"install.yaml", "mini-hpa-1.2.4-rc.1.tgz", "mini-hpa_kustomize.tar.gz"}, names(t, out)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	released, err := loader.LoadFile(filepath.Join(out, "mini-hpa-1.2.4-rc.1.tgz"))
	must(t, err)
	manifests, err := publish.Manifests(released)
	must(t, err)
	if want := `image: "` + product.ImageName + "@" + digest + `"`; !strings.Contains(string(manifests), want) || !bytes.Equal(manifests, read(t, out, "install.yaml")) {
		t.Errorf("the chart does not install install.yaml with %s:\n%s", want, manifests)
	}
}

// TestTheBillNamesWhatIsInTheProgram holds the SBOM to what Go itself says of the real program, which is the same byte for byte where it is compiled in another folder.
func TestTheBillNamesWhatIsInTheProgram(t *testing.T) {
	t.Parallel()
	program, another, copied := filepath.Join(t.TempDir(), "mini-hpa"), filepath.Join(t.TempDir(), "mini-hpa"), t.TempDir()
	source := product.Release{Root: root, Version: "v1.2.3", Commit: "0123abcd"}
	must(t, image.Compile(t.Context(), source.Source(), "linux/amd64", program))
	for _, folder := range []string{"annotations", "cmd", "informer", "scaler", "webhook"} {
		must(t, os.CopyFS(filepath.Join(copied, folder), os.DirFS(filepath.Join(root, folder))))
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		must(t, os.WriteFile(filepath.Join(copied, name), read(t, root, name), 0o600))
	}
	source.Root = copied
	must(t, image.Compile(t.Context(), source.Source(), "linux/amd64", another))
	if !bytes.Equal(read(t, program), read(t, another)) {
		t.Error("the program is another one where it is compiled in another folder")
	}
	says, err := exec.CommandContext(t.Context(), "go", "version", "-m", program).Output()
	must(t, err)
	var want []string
	for line := range strings.Lines(string(says)) {
		if fields := strings.Fields(line); len(fields) == 4 && fields[0] == "dep" {
			want = append(want, "pkg:golang/"+fields[1]+"@"+strings.ReplaceAll(fields[2], "+", "%2B"))
		}
	}
	text, err := bom(program, "v1.2.3", "linux/amd64", time.Unix(0, 0).UTC())
	must(t, err)
	var bill cyclonedx.BOM
	must(t, cyclonedx.NewBOMDecoder(bytes.NewReader(text), cyclonedx.BOMFileFormatJSON).Decode(&bill))
	var got []string
	for _, one := range *bill.Components {
		if one.Name != "std" {
			got = append(got, one.PackageURL)
		}
		if one.Name != "std" && (one.Hashes == nil || len((*one.Hashes)[0].Value) != 64) {
			t.Errorf("%s has no hash", one.Name)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" || len(got) < 30 {
		t.Errorf("%d modules (-go version -m, +SBOM):\n%s", len(got), diff)
	}
	if main := bill.Metadata.Component; main.Version != "v1.2.3" || main.PackageURL != "pkg:golang/github.com/mini-hpa/mini-hpa@v1.2.3" {
		t.Errorf("it is about %+v", main)
	}
}

func TestAReleaseThatTheRepositoryDoesNotSpeakOf(t *testing.T) {
	t.Parallel()
	dir := repository(t, "v1.2.3")
	full := t.TempDir()
	must(t, os.WriteFile(filepath.Join(full, "old.zip"), nil, 0o600))
	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no version":                 {nil, product.ExitFailed, `the version "" is not one such as v1.2.3`},
		"a version without its v":    {[]string{"-version", "1.2.3"}, product.ExitFailed, `the version "1.2.3"`},
		"a version of the future":    {[]string{"-version", "v1.3.0"}, product.ExitFailed, `Chart.yaml has no line "appVersion: v1.3.0"`},
		"an image of another one":    {[]string{"-version", "v1.3.0"}, product.ExitFailed, `no line "image: ghcr.io/mini-hpa/mini-hpa:v1.3.0"`},
		"a changelog without it":     {[]string{"-version", "v1.3.0"}, product.ExitFailed, `no heading "## [1.3.0] - YYYY-MM-DD"`},
		"a changelog that is silent": {[]string{"-version", "v1.2.2"}, product.ExitFailed, `no heading "## [1.2.2] - YYYY-MM-DD" with something below it`},
		"a commit that is split":     {[]string{"-version", "v1.2.3", "-commit", "a b"}, product.ExitFailed, `the commit "a b"`},
		"a platform of others":       {[]string{"-version", "v1.2.3", "-platform", "plan9/amd64"}, product.ExitFailed, `unknown platform "plan9/amd64"`},
		"a folder that is not empty": {[]string{"-version", "v1.2.3", "-o", full}, product.ExitFailed, "must be empty, and holds old.zip"},
		"an image without a digest":  {[]string{"-version", "v1.2.3", "-image", "sha256:12"}, product.ExitUsage, "wrong number of hex digits"},
		"an argument":                {[]string{"v1.2.3"}, product.ExitUsage, `unexpected argument "v1.2.3"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			code := command(t.Context(), append([]string{"-root", dir, "-o", filepath.Join(t.TempDir(), "dist")}, test.args...), &stdout, &stderr)
			if code != test.code || !strings.Contains(stderr.String(), test.want) {
				t.Errorf("exit code %d, want %d, with %q in\n%s", code, test.code, test.want, &stderr)
			}
		})
	}
}

func names(t *testing.T, dist string) []string {
	t.Helper()
	entries, err := os.ReadDir(dist)
	must(t, err)
	var all []string
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return all
}

func read(t *testing.T, path ...string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(path...))
	must(t, err)
	return content
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
