package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/registry"
	helmregistry "helm.sh/helm/v4/pkg/registry"
	"sigs.k8s.io/yaml"
)

// The workflow publishes by programs that are not here or would publish indeed, so that a play of it has stand-ins: this test's own program under their names. Each
// writes down how it was called. skopeo is then the real one, helm is Helm's library, and both find a registry on loopback in the place of ghcr.io; cosign and gh
// hold what they are given to that registry and to the files, because nothing but a machine of GitHub's can sign.
func TestMain(m *testing.M) {
	play, played := standIns()[filepath.Base(os.Args[0])]
	if !played {
		os.Exit(m.Run())
	}
	if err := play(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// What a stand-in finds in its environment.
const (
	ledgerVariable   = "RELEASE_TEST_LEDGER"   // the file that it writes to
	registryVariable = "RELEASE_TEST_REGISTRY" // the registry on loopback
	skopeoVariable   = "RELEASE_TEST_SKOPEO"   // the real one
	failVariable     = "RELEASE_TEST_FAIL"     // which of them fails
	away             = "ghcr.io/"
	elsewhere        = "registry.example.com/" // that of docs/install.md
)

func standIns() map[string]func(args []string) error {
	all := map[string]func(args []string) error{"skopeo": playSkopeo, "helm": playHelm, "cosign": playCosign, "gh": playGH}
	for name, play := range all {
		all[name] = func(args []string) error {
			if err := enter(append([]string{name}, args...)); err != nil {
				return err
			}
			if strings.HasPrefix(strings.Join(append([]string{name}, args...), " "), os.Getenv(failVariable)) && os.Getenv(failVariable) != "" {
				return errors.New("it fails, as it is told to")
			}
			if slices.Contains(args, "login") {
				password, err := io.ReadAll(os.Stdin)
				if err == nil && (string(password) != "a-token" || !slices.Contains(args, "--password-stdin")) {
					err = fmt.Errorf("the password is %q", password)
				}
				return err
			}
			return play(args)
		}
	}
	return all
}

// enter writes a call into the ledger.
func enter(call []string) error {
	file, err := os.OpenFile(os.Getenv(ledgerVariable), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(json.NewEncoder(file).Encode(call), file.Close())
}

// playSkopeo is the real one, which is led to the registry on loopback.
func playSkopeo(args []string) error {
	call := []string{os.Getenv(skopeoVariable), args[0], map[string]string{"copy": "--dest-tls-verify=false", "inspect": "--tls-verify=false"}[args[0]]}
	for _, arg := range args[1:] {
		for _, host := range []string{away, elsewhere} {
			arg = strings.Replace(arg, "docker://"+host, "docker://"+os.Getenv(registryVariable)+"/", 1)
		}
		call = append(call, arg)
	}
	return syscall.Exec(call[0], call, os.Environ())
}

func playHelm(args []string) error {
	if len(args) != 3 || args[0] != "push" || !strings.HasPrefix(args[2], "oci://"+away) {
		return fmt.Errorf("helm does not know %q", args)
	}
	content, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	about, err := os.Stat(args[1])
	if err != nil {
		return err
	}
	client, err := helmregistry.NewClient(helmregistry.ClientOptPlainHTTP(), helmregistry.ClientOptWriter(os.Stderr))
	if err != nil {
		return err
	}
	name, version, _ := strings.Cut(strings.TrimSuffix(filepath.Base(args[1]), ".tgz"), "-hpa-")
	to := os.Getenv(registryVariable) + "/" + strings.TrimPrefix(args[2], "oci://"+away) + "/" + name + "-hpa:" + version
	_, err = client.Push(content, to, helmregistry.PushOptCreationTime(about.ModTime().UTC().Format("2006-01-02T15:04:05Z07:00")))
	return err
}

func playCosign(args []string) error {
	switch subject := args[len(args)-1]; args[0] {
	case "sign":
		return held(subject)
	case "attest":
		predicate := args[slices.Index(args, "--predicate")+1]
		text, err := os.ReadFile(predicate)
		if err == nil && !bytes.Contains(text, []byte(`"CycloneDX"`)) {
			err = fmt.Errorf("%s is not a bill of materials", predicate)
		}
		return errors.Join(err, held(subject))
	case "sign-blob":
		if _, err := os.Stat(subject); err != nil {
			return err
		}
		return os.WriteFile(args[slices.Index(args, "--bundle")+1], []byte("{}"), 0o600)
	}
	return fmt.Errorf("cosign does not know %q", args)
}

func playGH(args []string) error {
	for i, arg := range args {
		if strings.HasPrefix(arg, "dist/") || i > 0 && args[i-1] == "--notes-file" {
			about, err := os.Stat(arg)
			if err != nil {
				return err
			}
			if about.Size() == 0 {
				return fmt.Errorf("%s is empty", arg)
			}
		}
	}
	return nil
}

// held wants that the registry has what REPOSITORY@DIGEST names.
func held(subject string) error {
	repository, digest, found := strings.Cut(strings.TrimPrefix(subject, away), "@")
	if !found || !strings.HasPrefix(digest, "sha256:") {
		return fmt.Errorf("%s names no digest", subject)
	}
	request, err := http.NewRequest(http.MethodHead, "http://"+os.Getenv(registryVariable)+"/v2/"+repository+"/manifests/"+digest, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		err = fmt.Errorf("the registry has no %s: %s", subject, response.Status)
	}
	return errors.Join(err, response.Body.Close())
}

// workflow is what of .github/workflows/release.yml a machine of GitHub's goes by.
type workflow struct {
	Permissions map[string]string
	Jobs        map[string]struct {
		Needs, Environment string
		Permissions, Env   map[string]string
		Steps              []struct {
			ID, Name, Uses, Run string
			With                map[string]any
		}
	}
}

func theWorkflow(t *testing.T) workflow {
	t.Helper()
	var w workflow
	must(t, yaml.Unmarshal(read(t, root, ".github", "workflows", "release.yml"), &w))
	return w
}

// machine is one of GitHub's, as far as the job "publish" needs it.
type machine struct {
	folder, registry string
	env              []string
	values           map[string]string // what expressions stand for
}

// newMachine has the registry, the stand-ins, and what the job "build" has left of a release, from both machines. It skips the test where skopeo or jq is missing.
func newMachine(t *testing.T, release string) *machine {
	t.Helper()
	skopeo := installed(t, "skopeo")
	installed(t, "jq")
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	m := &machine{folder: t.TempDir(), registry: strings.TrimPrefix(server.URL, "http://"), values: map[string]string{"github.token": "a-token"}}
	for _, runner := range []string{"ubuntu-24.04", "ubuntu-24.04-arm"} {
		must(t, os.CopyFS(filepath.Join(m.folder, "dist-"+runner), os.DirFS(release)))
	}
	self, err := os.Executable()
	must(t, err)
	bin := t.TempDir()
	for name := range standIns() {
		must(t, os.Symlink(self, filepath.Join(bin, name)))
	}
	m.env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "GITHUB_REF_NAME=v1.2.3", "GITHUB_REPOSITORY=mini-hpa/mini-hpa", "GITHUB_ACTOR=somebody",
		ledgerVariable+"="+m.path("ledger"), registryVariable+"="+m.registry, skopeoVariable+"="+skopeo,
		"HELM_REGISTRY_CONFIG="+m.path("registry.json"))
	return m
}

func (m *machine) path(name string) string { return filepath.Join(m.folder, name) }

func installed(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err != nil && os.Getenv("CI") == "true":
		t.Fatal(err)
	case err != nil:
		t.Skipf("%s is not installed: apt-get install --no-install-recommends %s", name, name)
	}
	return path
}

var expression = regexp.MustCompile(`\$\{\{ *(\S+) *\}\}`)

func (m *machine) filled(t *testing.T, text string) string {
	t.Helper()
	return expression.ReplaceAllStringFunc(text, func(one string) string {
		name := expression.FindStringSubmatch(one)[1]
		value, known := m.values[name]
		if !known {
			t.Errorf("the workflow asks for %s, which nothing has said by then", name)
		}
		return value
	})
}

// publish plays the job until a step fails. Actions of others are entered into the ledger by their names, with what they are given.
func (m *machine) publish(t *testing.T) error {
	t.Helper()
	job := theWorkflow(t).Jobs["publish"]
	env := m.env
	for name, value := range job.Env {
		env = append(env, name+"="+m.filled(t, value))
		m.values["env."+name] = m.filled(t, value)
	}
	for _, step := range job.Steps {
		if step.Uses != "" {
			action, _, _ := strings.Cut(step.Uses, "@")
			call := []string{action}
			for _, name := range slices.Sorted(maps.Keys(step.With)) {
				call = append(call, name+"="+m.filled(t, fmt.Sprint(step.With[name])))
			}
			must(t, m.enter(call))
			continue
		}
		output := m.path("output")
		must(t, os.WriteFile(output, nil, 0o600))
		script := m.path("script.sh")
		must(t, os.WriteFile(script, []byte(m.filled(t, step.Run)), 0o600))
		shell := exec.CommandContext(t.Context(), "bash", "--noprofile", "--norc", "-eo", "pipefail", script) // as "shell: bash" is
		shell.Dir, shell.Env = m.folder, append(env, "GITHUB_OUTPUT="+output)
		if said, err := shell.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", step.Name, err, said)
		}
		for line := range strings.Lines(string(read(t, output))) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			m.values["steps."+step.ID+".outputs."+name] = value
		}
	}
	return nil
}

func (m *machine) enter(call []string) error {
	file, err := os.OpenFile(m.path("ledger"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(json.NewEncoder(file).Encode(call), file.Close())
}

// calls are what the ledger has, a line each.
func (m *machine) calls(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(m.path("ledger"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var all []string
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		var call []string
		must(t, json.Unmarshal(lines.Bytes(), &call))
		all = append(all, strings.Join(call, " "))
	}
	return all
}

// TestTheWorkflowPublishesWhatWasBuilt plays the job that publishes: what each program is given is there, and comes in the order that RELEASE.md names.
func TestTheWorkflowPublishesWhatWasBuilt(t *testing.T) {
	t.Setenv("HELM_REGISTRY_CONFIG", filepath.Join(t.TempDir(), "registry.json"))
	dist := newRelease(t)
	var built about
	must(t, json.Unmarshal(read(t, dist, "release.json"), &built))
	m := newMachine(t, dist)
	must(t, m.publish(t))
	image, charts := "ghcr.io/mini-hpa/mini-hpa", "ghcr.io/mini-hpa/charts"
	chartDigest := m.values["steps.chart.outputs.digest"]
	attest := "actions/attest-build-provenance "
	want := []string{
		"actions/download-artifact",
		"sigstore/cosign-installer cosign-release=" + versionOfCosign(t),
		"skopeo login ghcr.io --username somebody --password-stdin", "helm registry login ghcr.io --username somebody --password-stdin", "cosign login ghcr.io --username somebody --password-stdin",
		"skopeo copy --all --preserve-digests oci-archive:dist/mini-hpa_image.tar docker://" + image + ":v1.2.3",
		"skopeo inspect --raw docker://" + image + ":v1.2.3",
		"cosign sign --yes --recursive " + image + "@" + built.Digest,
		"cosign attest --yes --type cyclonedx --predicate dist/mini-hpa_linux_amd64.cdx.json " + image + "@" + built.Platforms["linux/amd64"],
		"cosign attest --yes --type cyclonedx --predicate dist/mini-hpa_linux_arm64.cdx.json " + image + "@" + built.Platforms["linux/arm64"],
		"helm push dist/" + built.Chart + " oci://" + charts,
		"cosign sign --yes " + charts + "/mini-hpa@" + push(t, dist),
		attest + "push-to-registry=true subject-digest=" + built.Digest + " subject-name=" + image,
		attest + "push-to-registry=true subject-digest=" + chartDigest + " subject-name=" + charts + "/mini-hpa",
		attest + "subject-checksums=dist/checksums.txt",
		"cosign sign-blob --yes --bundle dist/checksums.txt.sigstore.json dist/checksums.txt",
	}
	var files []string
	for _, name := range append(names(t, dist), "checksums.txt.sigstore.json") {
		if name != "notes.md" {
			files = append(files, "dist/"+name)
		}
	}
	slices.Sort(files)
	want = append(want, "gh release create v1.2.3 "+strings.Join(files, " ")+" --repo mini-hpa/mini-hpa --verify-tag --title v1.2.3 --notes-file notes.md")
	if diff := cmp.Diff(want, m.calls(t)); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	notes := "- Something new.\n\nImage `" + image + "@" + built.Digest + "`, chart `oci://" + charts + "/mini-hpa@" + chartDigest + "`.\n"
	if diff := cmp.Diff(notes, string(read(t, m.folder, "notes.md"))); diff != "" {
		t.Errorf("the text of the release (-want +got):\n%s", diff)
	}
	for _, file := range files {
		if name := strings.TrimPrefix(file, "dist/"); name != "checksums.txt.sigstore.json" && !bytes.Equal(read(t, dist, name), read(t, m.folder, file)) {
			t.Errorf("%s is published as another one than was built", name)
		}
	}
}

// versionOfCosign is the one that the workflow pins.
func versionOfCosign(t *testing.T) string {
	t.Helper()
	for _, step := range theWorkflow(t).Jobs["publish"].Steps {
		if version, pinned := step.With["cosign-release"].(string); pinned && regexp.MustCompile(`^v\d+\.\d+\.\d+$`).MatchString(version) {
			return version
		}
	}
	t.Error("cosign is not pinned")
	return ""
}

// TestTheWorkflowStops: of a release of which something is wrong nothing goes any further, and no file is published that is not signed.
func TestTheWorkflowStops(t *testing.T) {
	t.Setenv("HELM_REGISTRY_CONFIG", filepath.Join(t.TempDir(), "registry.json"))
	dist := newRelease(t)
	change := func(file string) func(t *testing.T, m *machine) {
		return func(t *testing.T, m *machine) {
			t.Helper()
			for _, folder := range []string{"dist-ubuntu-24.04", "dist-ubuntu-24.04-arm"} {
				if path := m.path(filepath.Join(folder, file)); folder == "dist-ubuntu-24.04-arm" || file != "install.yaml" {
					must(t, os.WriteFile(path, append(read(t, path), '\n'), 0o600))
				}
			}
		}
	}
	fail := func(call string) func(t *testing.T, m *machine) {
		return func(_ *testing.T, m *machine) { m.env = append(m.env, failVariable+"="+call) }
	}
	for name, test := range map[string]struct {
		wrong func(t *testing.T, m *machine)
		step  string
		last  string // call
	}{
		"two machines have built two things":  {change("install.yaml"), "compare what two machines have built: ", "actions/download-artifact"},
		"a file is another one than its sum":  {change("mini-hpa_darwin_arm64.tar.gz"), "compare what two machines have built: ", "actions/download-artifact"},
		"nobody is let in":                    {fail("skopeo login"), "log in: ", "skopeo login"},
		"the image is not taken":              {fail("skopeo copy"), "push the image: ", "skopeo copy"},
		"the image is not to be had":          {fail("skopeo inspect"), "push the image: ", "skopeo inspect"},
		"the image is not signed":             {fail("cosign sign --yes --recursive"), "push the image: ", "cosign sign "},
		"what is in the image is not told of": {fail("cosign attest"), "push the image: ", "cosign attest "},
		"the chart is not taken":              {fail("helm push"), "push the chart: ", "helm push"},
		"the chart is not signed":             {fail("cosign sign --yes ghcr.io"), "push the chart: ", "cosign sign --yes ghcr.io"},
		"the sums are not signed":             {fail("cosign sign-blob"), "sign the checksums: ", "cosign sign-blob"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, dist)
			test.wrong(t, m)
			err := m.publish(t)
			if err == nil || !strings.HasPrefix(err.Error(), test.step) {
				t.Errorf("%v, want that %q fails", err, test.step)
			}
			if calls := m.calls(t); !strings.HasPrefix(calls[len(calls)-1], test.last) {
				t.Errorf("the last call is %q, want %q", calls[len(calls)-1], test.last)
			}
		})
	}
}

// TestWhoMayPublish: the job that can write waits for the builds and for whoever may approve it, and no other can.
func TestWhoMayPublish(t *testing.T) {
	t.Parallel()
	w := theWorkflow(t)
	if diff := cmp.Diff(map[string]string{"contents": "read"}, w.Permissions); diff != "" {
		t.Errorf("what each job may (-want +got):\n%s", diff)
	}
	for name, job := range w.Jobs {
		if name == "publish" {
			if job.Needs != "build" || job.Environment != "release" || len(job.Permissions) != 4 {
				t.Errorf("it needs %q, waits for the environment %q and may %v", job.Needs, job.Environment, job.Permissions)
			}
		} else if job.Permissions != nil {
			t.Errorf("the job %s may %v", name, job.Permissions)
		}
		for _, step := range job.Steps {
			if step.Uses != "" && !regexp.MustCompile(`@[0-9a-f]{40}$`).MatchString(step.Uses) {
				t.Errorf("%s is not pinned by its commit", step.Uses)
			}
		}
	}
}

// TestARegistryOfOnesOwn does with the real skopeo what docs/install.md says for where the registry of the releases is out of reach: the image keeps its digest, and has all platforms.
func TestARegistryOfOnesOwn(t *testing.T) {
	dist := newRelease(t)
	var built about
	must(t, json.Unmarshal(read(t, dist, "release.json"), &built))
	m := newMachine(t, dist)
	line := regexp.MustCompile(`(?m)^skopeo copy .*:mini-hpa_image\.tar .*$`).FindString(string(read(t, root, "docs", "install.md")))
	shell := exec.CommandContext(t.Context(), "bash", "-c", strings.ReplaceAll(line, "v0.1.0", "v1.2.3"))
	shell.Dir, shell.Env = dist, m.env
	if said, err := shell.CombinedOutput(); err != nil || line == "" {
		t.Fatalf("%q: %v\n%s", line, err, said)
	}
	t.Setenv(registryVariable, m.registry)
	for platform, digest := range built.Platforms {
		if err := held("mini-hpa/mini-hpa@" + digest); err != nil {
			t.Errorf("%s: %v", platform, err)
		}
	}
	must(t, held("mini-hpa/mini-hpa@"+built.Digest))
}
