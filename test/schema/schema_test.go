// Package schema holds the published JSON schema of annotations to what others make of it.
package schema

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/yannh/kubeconform/pkg/validator"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// checked is what kubeconform says of the annotated Deployment of a text.
func checked(t *testing.T, v validator.Validator, text string) validator.Result {
	t.Helper()
	var found validator.Result
	for _, r := range v.Validate("m.yaml", io.NopCloser(strings.NewReader(text))) {
		if r.Status == validator.Error {
			t.Fatalf("%v\n%s", r.Err, text)
		}
		if sig, err := r.Resource.Signature(); err == nil && sig.Kind == "Deployment" {
			found = r
		}
	}
	return found
}

func schema(t *testing.T) validator.Validator {
	t.Helper()
	v, err := validator.New([]string{filepath.Join("..", "..", "docs", "mini-hpa.schema.json")}, validator.Opts{})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestManifests: each manifest that the webhook takes has the form of the schema, but for keys that it only warns of, and of those that it
// refuses for the form of a short annotation, each is refused by kubeconform, too.
func TestManifests(t *testing.T) {
	v := schema(t)
	files, err := filepath.Glob(filepath.Join("..", "e2e", "testdata", "admission", "corpus", "*.yaml"))
	if err != nil || len(files) < 100 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	count := map[bool]int{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(string(data), "\n")
		r := checked(t, v, string(data))
		isValid := r.Status == validator.Valid
		of := r.Resource.Bytes
		switch {
		case !strings.Contains(first, "InvalidAnnotations") && !strings.Contains(first, "NoMetric") && !strings.Contains(first, "UnknownAnnotation"):
			if !isValid {
				t.Errorf("%s: %q, and kubeconform says %v", filepath.Base(file), first, r.ValidationErrors)
			}
		case misformed(string(of)) && isValid:
			t.Errorf("%s: %q, and kubeconform finds nothing", filepath.Base(file), first)
		}
		count[isValid]++
	}
	t.Logf("%d manifests have the form of the schema, %d have not", count[true], count[false])
	if count[false] < 10 {
		t.Errorf("kubeconform finds only %d of %d", count[false], len(files))
	}
}

// misformed says whether a short annotation in the text has not the form of its row.
func misformed(text string) bool {
	for _, row := range annotations.Rows() {
		for _, m := range regexp.MustCompile(regexp.QuoteMeta(row.Name)+`"?: *"?([^"\n]*)"?`).FindAllStringSubmatch(text, -1) {
			if row.Pattern != "" && !regexp.MustCompile(row.Pattern).MatchString(m[1]) {
				return true
			}
		}
	}
	return false
}

// TestForms are the mistakes that editors are to mark.
func TestForms(t *testing.T) {
	v := schema(t)
	for name, test := range map[string]struct {
		annotations string
		valid       bool
	}{
		"none":                      {`{}`, true},
		"of others":                 {`{example.com/max: "x"}`, true},
		"right":                     {`{mini-hpa/target-cpu: "50", mini-hpa/max: "10", example.com/a: b}`, true},
		"a schedule alone":          {`{mini-hpa/schedule: "daily 08:00-20:00 min=2", mini-hpa/max: "10"}`, true},
		"a number":                  {`{mini-hpa/target-cpu: 50, mini-hpa/max: "10"}`, false},
		"no max":                    {`{mini-hpa/target-cpu: "50"}`, false},
		"no metric":                 {`{mini-hpa/max: "10"}`, false},
		"a misspelt key":            {`{mini-hpa/target-cpu: "50", mini-hpa/max: "10", mini-hpa/maximum: "3"}`, false},
		"a window without a unit":   {`{mini-hpa/target-cpu: "50", mini-hpa/max: "10", mini-hpa/scale-down-stabilization: "300"}`, false},
		"memory with a wrong unit":  {`{mini-hpa/target-memory: "512m", mini-hpa/max: "10"}`, false},
		"a mode that is none":       {`{mini-hpa/target-cpu: "50", mini-hpa/max: "10", mini-hpa/mode: "off"}`, false},
		"policies":                  {`{mini-hpa/target-cpu: "50", mini-hpa/max: "10", mini-hpa/scale-up-policies: "4 pods/15s, 100%/15s"}`, true},
		"0 percent":                 {`{mini-hpa/target-cpu: "0", mini-hpa/max: "10"}`, false},
		"too many millicores":       {`{mini-hpa/target-cpu: 1000000001m, mini-hpa/max: "10"}`, false},
		"no bytes":                  {`{mini-hpa/target-memory: 0Mi, mini-hpa/max: "10"}`, false},
		"the most replicas":         {`{mini-hpa/target-cpu: "50", mini-hpa/max: "2147483647", mini-hpa/min: "0"}`, true},
		"more than that":            {`{mini-hpa/target-cpu: "50", mini-hpa/max: "2147483648"}`, false},
		"nobody wakes":              {`{mini-hpa/target-cpu: "50", mini-hpa/max: "10", mini-hpa/wake-replicas: "0"}`, false},
		"a fallback to nothing":     {`{mini-hpa/target-cpu: "50", mini-hpa/max: "10", mini-hpa/fallback: 0 after 2m}`, false},
		"a fraction with 9 digits":  {`{mini-hpa/target-cpu: "50", mini-hpa/max: "10", mini-hpa/tolerance: "0.123456789"}`, true},
		"and with 10":               {`{mini-hpa/target-cpu: "50", mini-hpa/max: "10", mini-hpa/tolerance: "0.1234567891"}`, false},
		"a class of 63 letters":     {`{mini-hpa/target-cpu: "50", mini-hpa/max: "10", mini-hpa/class: ` + strings.Repeat("a", 63) + `}`, true},
		"and of 64":                 {`{mini-hpa/target-cpu: "50", mini-hpa/max: "10", mini-hpa/class: ` + strings.Repeat("a", 64) + `}`, false},
		"a container of 64":         {`{mini-hpa/target-cpu: "50", mini-hpa/max: "10", mini-hpa/container: ` + strings.Repeat("a", 64) + `}`, false},
		"policies without a period": {`{mini-hpa/target-cpu: "50", mini-hpa/max: "10", mini-hpa/scale-up-policies: "4 pods"}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := checked(t, v, "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, annotations: "+test.annotations+"}\n")
			if got := r.Status == validator.Valid; got != test.valid {
				t.Errorf("valid: %t, want %t: %v", got, test.valid, r.ValidationErrors)
			}
		})
	}
}
