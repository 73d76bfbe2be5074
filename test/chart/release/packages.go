package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

//go:embed homebrew.rb
var homebrew string

// facts are what the templates of package managers may say.
type facts struct {
	// TagName is the version, by the name that krew's bot has for it.
	TagName string
	sums    map[string]string
}

// Number is the version without its v.
func (f facts) Number() string { return strings.TrimPrefix(f.TagName, "v") }

// URL is where a file is published.
func (f facts) URL(file string) string {
	return "https://github.com/mini-hpa/mini-hpa/releases/download/" + f.TagName + "/" + file
}

// Sum is a file's SHA-256. It returns an error if there is no such file.
func (f facts) Sum(file string) (string, error) {
	sum, ok := f.sums[file]
	if !ok {
		return "", fmt.Errorf("there is no %s", file)
	}
	return sum, nil
}

// source is what krew's bot makes of an address: https://github.com/rajatjindal/krew-release-bot
func (f facts) source(address, tag string) (string, error) {
	address = strings.ReplaceAll(address, "{{ .TagName }}", tag)
	sum, err := f.Sum(filepath.Base(address))
	return fmt.Sprintf("uri: %s\n    sha256: %s", address, sum), err
}

// packages adds what package managers are told of the files that are there.
func (o options) packages(out folder) error {
	sums, err := out.sums()
	if err != nil {
		return err
	}
	krew, err := os.ReadFile(filepath.Join(o.Root, ".krew.yaml"))
	if err != nil {
		return err
	}
	f := facts{TagName: o.Version, sums: sums}
	for name, text := range map[string]string{"krew.yaml": string(krew), "mini-hpa.rb": homebrew} {
		filled, err := f.fill(name, text)
		if err != nil {
			return err
		}
		if err := out.write(name, filled); err != nil {
			return err
		}
	}
	return nil
}

func (f facts) fill(name, text string) ([]byte, error) {
	parsed, err := template.New(name).Funcs(template.FuncMap{"addURIAndSha": f.source}).Parse(text)
	if err != nil {
		return nil, err
	}
	var filled bytes.Buffer
	err = parsed.Execute(&filled, f)
	return filled.Bytes(), err
}
