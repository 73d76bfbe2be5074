package migrate

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	yaml "sigs.k8s.io/yaml/goyaml.v3"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
)

// patch is a document that has the annotations alone: a strategic merge patch, and what is applied on the server's side. Of values it has no name.
func patch(r *result) (string, error) {
	type metadata struct {
		Name        string    `yaml:"name,omitempty"`
		Namespace   string    `yaml:"namespace,omitempty"`
		Annotations yaml.Node `yaml:"annotations"`
	}
	var b strings.Builder
	w := r.Workload
	if w == nil {
		w = &reference{}
		fmt.Fprintf(&b, "# %s:%d: %s. For the workload itself, not for the template of its pods.\n", cli.Clean(r.From.File), r.From.Line, cli.Clean(r.From.Name))
	}
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	err := encoder.Encode(struct {
		APIVersion string   `yaml:"apiVersion,omitempty"`
		Kind       string   `yaml:"kind,omitempty"`
		Metadata   metadata `yaml:"metadata"`
	}{w.APIVersion, w.Kind, metadata{w.Name, w.Namespace, mapping(r.Annotations)}})
	return b.String(), err
}

// mapping has annotations in the order of the table.
func mapping(all map[string]string) yaml.Node {
	n := yaml.Node{Kind: yaml.MappingNode}
	for _, row := range annotations.Rows() {
		if value, ok := all[row.Name]; ok {
			var key, text yaml.Node
			key.SetString(row.Name)
			if text.SetString(value); !strings.Contains(value, "\n") {
				text.Style = yaml.DoubleQuotedStyle
			}
			n.Content = append(n.Content, &key, &text)
		}
	}
	return n
}

// command is the kubectl annotate of a workload, for a POSIX shell.
func command(r *result) string {
	version, _ := schema.ParseGroupVersion(r.Workload.APIVersion)
	words := []string{"kubectl", "annotate", shellWord(strings.ToLower(r.Workload.Kind) + "." + version.Group + "/" + r.Workload.Name)}
	if r.Workload.Namespace != "" {
		words = append(words, "-n", shellWord(r.Workload.Namespace))
	}
	for _, row := range annotations.Rows() {
		if value, ok := r.Annotations[row.Name]; ok {
			words = append(words, shellWord(row.Name+"="+value))
		}
	}
	return strings.Join(words, " ") + "\n"
}

// shellWord is text as one word of a POSIX shell.
func shellWord(text string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:@%+,"
	if text != "" && strings.Trim(text, plain) == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
