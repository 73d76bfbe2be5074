package migrate

import (
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	yaml "sigs.k8s.io/yaml/goyaml.v3"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// patch is a document that has the annotations alone: a strategic merge patch, and what is applied on the server's side.
func patch(r *result) (string, error) {
	type metadata struct {
		Name        string    `yaml:"name"`
		Namespace   string    `yaml:"namespace,omitempty"`
		Annotations yaml.Node `yaml:"annotations"`
	}
	var b strings.Builder
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	err := encoder.Encode(struct {
		APIVersion string   `yaml:"apiVersion"`
		Kind       string   `yaml:"kind"`
		Metadata   metadata `yaml:"metadata"`
	}{r.Workload.APIVersion, r.Workload.Kind, metadata{r.Workload.Name, r.Workload.Namespace, mapping(r.Annotations)}})
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
