package keda

import (
	"cmp"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

// given is what a trigger says. What is taken from it is not left, and what is left at the end is lost.
type given struct {
	*conversion
	trigger *Trigger
	path    string
	left    map[string]string
	// why is what is said of all that is left.
	why string
}

// namespace is the ScaledObject's.
func (g *given) namespace() string { return cmp.Or(g.from.Namespace, "<namespace>") }

// take returns the first of these that is there, and takes all of them.
func (g *given) take(keys ...string) string {
	value := ""
	for _, key := range keys {
		value = cmp.Or(value, g.left[key])
		delete(g.left, key)
	}
	return value
}

// isTrue takes a switch.
func (g *given) isTrue(key string) bool {
	on, _ := strconv.ParseBool(g.take(key))
	return on
}

// wanted takes what an entry needs. What is in the workload's environment, or in a TriggerAuthentication, has to be filled in.
func (g *given) wanted(what string, keys ...string) string {
	var found string
	for _, key := range keys {
		variable := g.take(key + "FromEnv")
		if value := g.take(key); value != "" {
			found = cmp.Or(found, value)
		} else if variable != "" && found == "" {
			found = fmt.Sprintf("<%s, as in %s of the workload's environment>", what, variable)
		}
	}
	if found == "" && g.trigger.AuthenticationRef != nil {
		found = fmt.Sprintf("<%s, as in %s>", what, g.authentication())
	}
	found = cmp.Or(found, "<"+what+">")
	if strings.HasPrefix(found, "<") {
		g.tell(g.path, g.trigger.Type, "does not say the "+what, "fill it in where the entry of the file has it in angle brackets")
	}
	return found
}

// entry is that of the file with these settings, for whoever the trigger is of.
func (g *given) entry(kind string, settings func(name string) map[string]any) *Source {
	return g.file.entry(kind, g.namespace(), g.authentication(), settings)
}

// authentication names what has the credentials; empty if nothing does.
func (g *given) authentication() string {
	r := g.trigger.AuthenticationRef
	if r == nil {
		return ""
	}
	return cmp.Or(r.Kind, "TriggerAuthentication") + " " + r.Name
}

// hasCredentials takes what a trigger says of them, and says whether there are any.
func (g *given) hasCredentials(keys ...string) bool {
	has := g.trigger.AuthenticationRef != nil
	for _, key := range keys {
		for _, key := range []string{key, key + "FromEnv"} {
			_, is := g.left[key]
			has = has || is
			delete(g.left, key)
		}
	}
	if has {
		at, value := g.path+".metadata", ""
		if g.trigger.AuthenticationRef != nil {
			at, value = g.path+".authenticationRef", g.authentication()
		}
		g.tell(at, value, "has credentials, which are not read: the entry of the file names the files that they belong in", "put them into a Secret of the name that its paths have, and mount it (sourceSecrets of the chart)")
	}
	return has
}

// target takes what a number is held at, and what it is active above, as words of a line.
func (g *given) target(usual string, activation string, keys ...string) string {
	word := "target"
	if g.trigger.MetricType == autoscalingv2.ValueMetricType {
		word = "total"
	}
	text := ""
	if value := cmp.Or(g.take(keys...), usual); value != "" {
		text = " " + word + "=" + value
	}
	if active := g.take(activation); active != "" && active != "0" {
		text += " active=" + active
	}
	return text
}

// parameter is a key of a line, in quotes where its value needs them.
func parameter(key, value string) string {
	if strings.ContainsFunc(value, func(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune("\"`", c) }) {
		value = strconv.Quote(value)
	}
	return " " + key + "=" + value
}

func (g *given) line(s *Source, words ...string) {
	g.lines = append(g.lines, s.Name+strings.Join(words, ""))
}

// queryName is that of the trigger, or of what is scaled.
func (g *given) queryName() string {
	name := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_.", c) {
			return c
		}
		return '-'
	}, cmp.Or(g.trigger.Name, g.from.Name))
	return name[:min(len(name), 63)]
}

// web are the settings of what is asked by HTTP. Neither a user nor anything else that a URL may hide is repeated.
func (g *given) web(address string, name string, credentials, insecure bool) map[string]any {
	settings := map[string]any{"url": bare(address)}
	if u, err := url.Parse(address); err == nil && u.User != nil {
		credentials = true
	}
	if insecure {
		settings["tls"] = map[string]any{"insecure": true}
	}
	if credentials {
		settings["auth"] = map[string]any{"userFile": directory + name + "/user", "passwordFile": directory + name + "/password"}
	}
	return settings
}

// bare is a URL without a user, query and fragment. What cannot be read as one may hide a password anywhere.
func bare(address string) string {
	u, err := url.Parse(address)
	switch {
	case strings.HasPrefix(address, "<"):
		return address
	case err != nil || u.Host == "":
		return "<URL>"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return strings.TrimSuffix(u.String(), "/")
}

// literal is text in which no "$" is a variable.
func literal(text string) string { return strings.ReplaceAll(text, "$", "$$") }

// split takes a list of addresses, or of parts of them, apart.
func split(list string) []string {
	if strings.HasPrefix(list, "<") {
		return []string{list}
	}
	var items []string
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, withoutUser(item))
		}
	}
	return items
}
