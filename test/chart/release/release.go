package main

import (
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mini-hpa/mini-hpa/test/image"
	"github.com/mini-hpa/mini-hpa/test/image/product"
)

// folder is what is written, and when it is said to have been made.
type folder struct {
	path string
	at   time.Time
}

// write adds a file.
func (f folder) write(name string, content []byte) error {
	return os.WriteFile(filepath.Join(f.path, name), content, 0o644)
}

// release writes the files of a version and reports them.
func release(ctx context.Context, o options, stdout io.Writer) error {
	notes, err := o.check()
	if err != nil {
		return err
	}
	out, err := o.open(ctx)
	if err != nil {
		return err
	}
	if o.digest != "" {
		_, err := o.chart(out, o.digest)
		return err
	}
	aside, err := os.MkdirTemp("", "mini-hpa-release-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(aside) }()
	programs, err := o.compile(ctx, out, aside)
	if err != nil {
		return err
	}
	picture, err := o.image(out, programs)
	if err != nil {
		return err
	}
	chart, err := o.chart(out, picture.Digest)
	if err != nil {
		return err
	}
	summary, err := summarize(o, out.at, picture, chart, programs)
	if err != nil {
		return err
	}
	about, err := json.MarshalIndent(summary, "", "  ")
	if err != nil {
		return err
	}
	if err := errors.Join(out.write("release.json", append(about, '\n')), o.packages(out)); err != nil {
		return err
	}
	if err := out.seal(stdout); err != nil {
		return err
	}
	return out.write("notes.md", notes) // not one of the files that are published: the release's own text
}

// versions are tags: https://semver.org without build metadata, which an image's tag cannot have.
var versions = regexp.MustCompile(`^v(0|[1-9][0-9]*)[.](0|[1-9][0-9]*)[.](0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?$`)

// check refuses a version that the repository does not speak of, and returns what its changelog says.
func (o options) check() (notes []byte, err error) {
	if !versions.MatchString(o.Version) {
		return nil, fmt.Errorf("the version %.64q is not one such as v1.2.3 or v1.2.3-rc.1", o.Version)
	}
	if err := o.Check(); err != nil {
		return nil, err
	}
	log, err := os.ReadFile(filepath.Join(o.Root, "CHANGELOG.md"))
	if err != nil {
		return nil, err
	}
	about, err := os.ReadFile(filepath.Join(o.Root, "charts", "mini-hpa", "Chart.yaml"))
	if err != nil {
		return nil, err
	}
	if o.snapshot {
		return []byte("A snapshot that is not released.\n"), nil
	}
	var problems []error
	for _, line := range []string{"appVersion: " + o.Version, "image: " + product.ImageName + ":" + o.Version} {
		if !slices.Contains(strings.Split(strings.ReplaceAll(string(about), "  ", ""), "\n"), line) {
			problems = append(problems, fmt.Errorf("the chart's Chart.yaml has no line %q", line))
		}
	}
	notes = section(string(log), strings.TrimPrefix(o.Version, "v"))
	if notes == nil {
		problems = append(problems, fmt.Errorf("CHANGELOG.md has no heading \"## [%s] - YYYY-MM-DD\" with something below it", strings.TrimPrefix(o.Version, "v")))
	}
	return notes, errors.Join(problems...)
}

// section is what the changelog says below the heading of a version, or nil.
func section(log, number string) []byte {
	heading := regexp.MustCompile(`(?m)^## \[` + regexp.QuoteMeta(number) + `\] - [0-9]{4}-[0-9]{2}-[0-9]{2}\n`)
	at := heading.FindStringIndex(log)
	if at == nil {
		return nil
	}
	text, _, _ := strings.Cut(log[at[1]:], "\n## [")
	if text = strings.TrimSpace(text); text == "" {
		return nil
	}
	return []byte(text + "\n")
}

// open makes the folder. What an earlier run has left would be taken for this version's.
func (o options) open(ctx context.Context) (folder, error) {
	at, err := o.Time(ctx)
	if err != nil {
		return folder{}, err
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return folder{}, err
	}
	entries, err := os.ReadDir(o.out)
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("%s must be empty, and holds %s: remove what is there", o.out, entries[0].Name())
	}
	return folder{path: o.out, at: at}, err
}

// compile adds an archive and an SBOM for each platform, and returns the programs, which are in a folder each, aside.
func (o options) compile(ctx context.Context, out folder, aside string) (map[string]string, error) {
	programs := map[string]string{}
	for _, platform := range o.platforms {
		program := filepath.Join(aside, strings.ReplaceAll(platform, "/", "_"), "mini-hpa")
		if strings.HasPrefix(platform, "windows/") {
			program += ".exe"
		}
		if err := os.Mkdir(filepath.Dir(program), 0o700); err != nil {
			return nil, err
		}
		if err := image.Compile(ctx, o.Source(), platform, program); err != nil {
			return nil, err
		}
		if err := o.pack(out, platform, program); err != nil {
			return nil, err
		}
		programs[platform] = program
	}
	return programs, nil
}

// pack adds the archive and the SBOM of a platform.
func (o options) pack(out folder, platform, program string) error {
	name := "mini-hpa_" + strings.ReplaceAll(platform, "/", "_")
	bill, err := bom(program, o.Version, platform, out.at)
	if err != nil {
		return fmt.Errorf("list what the program for %s is made of: %w", platform, err)
	}
	files := append(o.Texts(), program)
	if strings.HasPrefix(platform, "windows/") {
		err = out.zip(name+".zip", files...)
	} else {
		err = out.tar(name+".tar.gz", files...)
	}
	return errors.Join(err, out.write(name+".cdx.json", bill))
}

// image adds the image of the platforms that nodes have.
func (o options) image(out folder, programs map[string]string) (image.Result, error) {
	nodes := map[string]string{}
	for platform, program := range programs {
		if slices.Contains(image.Platforms(), platform) {
			nodes[platform] = program
		}
	}
	return image.Write(filepath.Join(out.path, "mini-hpa_image.tar"), product.ImageName+":"+o.Version, o.Image(nodes, out.at))
}

// about is what the workflow has to know of the files.
type about struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Created string `json:"created"` // when, as RFC 3339 has it
	Chart   string `json:"chart"`   // the file
	Image   string `json:"image"`   // its name, with the tag
	Digest  string `json:"digest"`
	Go      string `json:"go"` // the release of Go with which others get the same bytes
	// Platforms are the digests of the image's parts, by platform.
	Platforms map[string]string `json:"platforms"`
}

func summarize(o options, at time.Time, picture image.Result, chart string, programs map[string]string) (about, error) {
	a := about{Version: o.Version, Commit: o.Commit, Created: at.Format(time.RFC3339), Chart: chart, Image: picture.Name, Digest: picture.Digest, Platforms: map[string]string{}}
	for _, one := range picture.Images {
		a.Platforms[one.Platform] = one.Digest
		info, err := buildinfo.ReadFile(programs[one.Platform])
		if err != nil {
			return about{}, err
		}
		a.Go = info.GoVersion
	}
	return a, nil
}

// sums are the SHA-256 of all files, by name.
func (f folder) sums() (map[string]string, error) {
	entries, err := os.ReadDir(f.path)
	if err != nil {
		return nil, err
	}
	sums := map[string]string{}
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(f.path, entry.Name()))
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(content)
		sums[entry.Name()] = hex.EncodeToString(sum[:])
	}
	return sums, nil
}

// seal adds the checksums in the form of sha256sum, gives all files their time, because a registry is told that of the chart, and reports.
func (f folder) seal(stdout io.Writer) error {
	sums, err := f.sums()
	if err != nil {
		return err
	}
	text := ""
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		text += sums[name] + "  " + name + "\n"
	}
	if err := f.write("checksums.txt", []byte(text)); err != nil {
		return err
	}
	for _, name := range append(slices.Collect(maps.Keys(sums)), "checksums.txt") {
		if err := os.Chtimes(filepath.Join(f.path, name), f.at, f.at); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(stdout, "%s%s: %d files and checksums.txt\n", text, f.path, len(sums))
	return err
}
