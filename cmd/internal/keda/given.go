package keda

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
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
	// isTyped says that its metricType is in what was made of it, and isTrusted that its authenticationRef was told of.
	isTyped, isTrusted bool
}

// drop says that nothing comes of the trigger, so that nothing else is to be told of it.
func (g *given) drop(path, value, why, do string) {
	g.lost(path, value, why, do)
	g.left, g.isTyped, g.isTrusted = nil, true, true
	g.dropped++
}

// needless takes metadata that nothing has to come of here, and says why.
func (g *given) needless(key, why, do string) {
	if value := g.take(key); value != "" {
		g.tell(g.path+".metadata."+key, value, why, do)
	}
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
	var found []string
	for _, key := range keys {
		for _, key := range []string{key, key + "FromEnv"} {
			if _, is := g.left[key]; is {
				found = append(found, key)
			}
			delete(g.left, key)
		}
	}
	if len(found) > 0 {
		g.tell(g.path+".metadata", strings.Join(found, ", "), areElsewhere, mountThem)
	}
	if g.trigger.AuthenticationRef == nil {
		return len(found) > 0
	}
	g.tell(g.path+".authenticationRef", g.authentication(), areElsewhere, mountThem)
	g.isTrusted = true
	return true
}

// What is said of credentials, and what is to be done.
const (
	areElsewhere = "has credentials, which are not read: the entry of the file names the files that they belong in"
	mountThem    = "put them into a Secret of the name that its paths have, and mount it (sourceSecrets of the chart)"
)

// tls are the settings of encryption, made for the name of an entry; nil is none. Whether it is on may not be said, and then be said by what the
// authenticationRef names: then that is to be filled in.
func (g *given) tls(isOn, isSaid, isInsecure bool) func(name string) map[string]any {
	switch ref := g.trigger.AuthenticationRef; {
	case isOn && isInsecure:
		return func(string) map[string]any { return map[string]any{"insecure": true} }
	case isOn:
		return func(name string) map[string]any { return map[string]any{"caFile": directory + name + "/ca.crt"} }
	case ref != nil && !isSaid:
		unless := "; remove all of tls, unless tls of " + g.authentication() + " is enable>"
		if isInsecure {
			return func(string) map[string]any { return map[string]any{"insecure": "<true" + unless} }
		}
		return func(name string) map[string]any {
			return map[string]any{"caFile": "<" + directory + name + "/ca.crt" + unless}
		}
	case isInsecure:
		g.tell(g.path+".metadata.unsafeSsl", "true", "means nothing where nothing is encrypted", "")
	}
	return nil
}

// says is whether the trigger, or the environment of the workload, has one of these.
func (g *given) says(keys ...string) bool {
	return slices.ContainsFunc(keys, func(key string) bool { return g.left[key]+g.left[key+"FromEnv"] != "" })
}

// passing takes what several triggers say of how they are asked.
func (g *given) passing() {
	g.needless("metricName", "is not needed: a line has a name of its own", "")
	g.needless("timeout", "is not read: an entry has 5s, unless it says otherwise", "set timeout in the entry, if that does not do")
}

// target takes what a number is held at, and what it is active above, as words of a line.
func (g *given) target(usual string, activation string, keys ...string) string {
	word := "target"
	if g.trigger.MetricType == autoscalingv2.ValueMetricType {
		word, g.isTyped = "total", true
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

// login is how a server that is asked by HTTP is told who asks.
type login struct{ user, token, certificate bool }

// login takes what the trigger says of it. isUser says that the URL has a user.
func (g *given) login(isUser bool) login {
	has, l := g.hasCredentials("username", "password", "bearerToken", "token", "apiKey"), login{}
	known := false
	for _, key := range []string{"authModes", "authMode"} {
		for _, mode := range split(g.take(key)) {
			switch known = true; mode {
			case "basic":
				l.user = true
			case "bearer":
				l.token = true
			case "tls":
				l.certificate = true
			default:
				g.lost(g.path+".metadata."+key, mode, "is lost: a user with a password, a bearer token or a certificate says who asks", "")
			}
		}
	}
	l.user = !l.token && (l.user || isUser || has && !known)
	return l
}

// hasUser says whether a URL has one. That the entry has neither that nor the parameters of the URL is told.
func (g *given) hasUser(key, address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return false
	}
	if u.RawQuery != "" || u.Fragment != "" {
		g.lost(g.path+".metadata."+key, bare(address), "is asked without what follows the question mark", "")
	}
	if u.User != nil {
		g.tell(g.path+".metadata."+key, bare(address), areElsewhere, mountThem)
	}
	return u.User != nil
}

// web are the settings of what is asked by HTTP. Neither a user nor anything else that a URL may hide is repeated.
func (l login) web(address, name string, isInsecure bool) map[string]any {
	settings := map[string]any{"url": bare(address)}
	if tls := l.tls(name, isInsecure); len(tls) > 0 && !strings.HasPrefix(address, "http://") {
		settings["tls"] = tls
	}
	switch {
	case l.token:
		settings["auth"] = map[string]any{"bearerTokenFile": directory + name + "/token"}
	case l.user:
		settings["auth"] = map[string]any{"userFile": directory + name + "/user", "passwordFile": directory + name + "/password"}
	}
	return settings
}

func (l login) tls(name string, isInsecure bool) map[string]any {
	tls := map[string]any{}
	if l.certificate {
		tls["certFile"], tls["keyFile"] = directory+name+"/tls.crt", directory+name+"/tls.key"
	}
	switch {
	case isInsecure:
		tls["insecure"] = true
	case l.certificate:
		tls["caFile"] = directory + name + "/ca.crt"
	}
	return tls
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
