package lint

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// The parts of SARIF 2.1.0 (OASIS) that are needed, by the names they have there.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Invocations []sarifInvocation `json:"invocations"`
		Results     []sarifResult     `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID                   string       `json:"id"`
		ShortDescription     sarifMessage `json:"shortDescription"`
		Help                 sarifMessage `json:"help"`
		DefaultConfiguration sarifLevel   `json:"defaultConfiguration"`
	}
	sarifLevel struct {
		Level string `json:"level"`
	}
	sarifMessage struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown,omitempty"`
	}
	sarifInvocation struct {
		ExecutionSuccessful bool                `json:"executionSuccessful"`
		Notifications       []sarifNotification `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotification struct {
		Level     string          `json:"level"`
		Message   sarifMessage    `json:"message"`
		Locations []sarifLocation `json:"locations,omitempty"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		RuleIndex int             `json:"ruleIndex"`
		Level     string          `json:"level"`
		Message   sarifMessage    `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifLocation struct {
		PhysicalLocation sarifPhysicalLocation `json:"physicalLocation"`
	}
	sarifPhysicalLocation struct {
		ArtifactLocation sarifArtifact `json:"artifactLocation"`
		Region           *sarifRegion  `json:"region,omitempty"` // without one, the file is meant
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine int `json:"startLine"`
	}
)

const homepage = "https://github.com/mini-hpa/mini-hpa"

// sarifOf is a report as code scanning takes it.
func sarifOf(r report, version string) sarifLog {
	rules := sarifRules()
	run := sarifRun{
		Tool:        sarifTool{sarifDriver{Name: "mini-hpa", Version: version, InformationURI: homepage, Rules: rules}},
		Invocations: []sarifInvocation{{ExecutionSuccessful: len(r.Unreadable) == 0}},
		Results:     []sarifResult{},
	}
	for _, f := range r.Findings {
		run.Results = append(run.Results, sarifResult{
			RuleID: f.Rule, Level: f.Severity, Message: sarifMessage{Text: f.sentence()},
			RuleIndex: slices.IndexFunc(rules, func(rule sarifRule) bool { return rule.ID == f.Rule }), // -1 is the absence of one
			Locations: sarifPlace(f.File, f.Line),
		})
	}
	for _, n := range r.Unreadable {
		run.Invocations[0].Notifications = append(run.Invocations[0].Notifications,
			sarifNotification{Level: severityError, Message: sarifMessage{Text: n.Message}, Locations: sarifPlace(n.File, n.Line)})
	}
	return sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}}
}

// sarifPlace is a line of a file, or if that is 0 the file.
func sarifPlace(file string, line int) []sarifLocation {
	at := sarifPhysicalLocation{ArtifactLocation: sarifArtifact{fileURI(file)}}
	if line > 0 {
		at.Region = &sarifRegion{line}
	}
	return []sarifLocation{{at}}
}

func sarifRules() []sarifRule {
	var rules []sarifRule
	for _, f := range annotations.Findings() {
		level := severityWarning
		if f.Denies {
			level = severityError
		}
		// Elsewhere than in docs/, a link to another page of it needs the whole way.
		markdown := strings.ReplaceAll(f.When+"\n\n"+f.Fix, "](", "]("+homepage+"/blob/main/docs/")
		rules = append(rules, sarifRule{ID: f.Name, DefaultConfiguration: sarifLevel{level},
			ShortDescription: sarifMessage{Text: f.When}, Help: sarifMessage{Text: f.When + " " + f.Fix, Markdown: markdown}})
	}
	return rules
}

// fileURI is relative to the working directory where it can be, which has to be the root of the repository for GitHub.
func fileURI(file string) string {
	if !filepath.IsAbs(file) {
		return (&url.URL{Path: slashed(file)}).String()
	}
	if here, err := os.Getwd(); err == nil {
		if inside, err := filepath.Rel(here, file); err == nil && filepath.IsLocal(inside) {
			return (&url.URL{Path: slashed(inside)}).String()
		}
	}
	return (&url.URL{Scheme: "file", Path: slashed(file)}).String()
}
