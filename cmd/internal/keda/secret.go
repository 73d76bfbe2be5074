package keda

import (
	"slices"
	"strings"
)

// plain are the names of KEDA's own metadata of which the values may be shown, where a trigger that is converted leaves them over: none of them is a
// credential, or has a place for one, as a URL or a header has. What has another name is told without its value.
var plain = []string{
	"accountID", "activationLagCount", "aggregateFromKubeServiceEndpoints", "aggregationType", "awsRegion", "ensureEvenDistributionOfPartitions", "excludePersistentLag", "fullMetadata",
	"groupByNode", "identityOwner", "lagCount", "limitToPartitionsWithLag", "metricName", "namespace", "operation", "pageSize", "partitionLimitation", "pendingEntriesCount",
	"saslTokenProvider", "scaleOnInFlight", "scaleToZeroOnInvalidOffset", "streamLength", "timeout", "value", "version",
}

func isPlain(name string) bool { return slices.Contains(plain, name) }

// isSecret says whether metadata of an external scaler may be a credential, by its name or by its value. Names are everybody's own, so that this takes
// far too many for secrets rather than one too few: what it takes for one is in a file, where it does no harm.
func isSecret(name, value string) bool {
	for _, word := range []string{"access", "auth", "bearer", "cert", "conn", "cookie", "credential", "dsn", "header", "jwt", "kerberos", "key", "license", "login", "param", "pass", "private", "pwd", "sas", "secret",
		"session", "signature", "token", "user", "webhook"} {
		if strings.Contains(strings.ToLower(name), word) {
			return true
		}
	}
	// These are short, and parts of other words.
	for _, word := range []string{"ca", "pat", "pin", "pw"} {
		if strings.EqualFold(name, word) || strings.HasSuffix(name, strings.ToUpper(word)) || strings.HasSuffix(name, strings.ToUpper(word[:1])+word[1:]) {
			return true
		}
	}
	// A URL with a user or parameters, a connection string, a header, a certificate, and what is as long as only random text is.
	lower := strings.ToLower(value)
	for _, part := range []string{"pass", "pwd", "secret", "token", "key", "sig=", "bearer ", "basic ", "-----begin", "@", "?", ";"} {
		if strings.Contains(lower, part) {
			return true
		}
	}
	return slices.ContainsFunc(strings.FieldsFunc(value, func(c rune) bool { return strings.ContainsRune(" ,./:-_", c) }), func(word string) bool { return len(word) >= 20 })
}

// withoutUser is an address without what stands before an "@".
func withoutUser(address string) string {
	scheme, rest, isURL := strings.Cut(address, "://")
	if !isURL {
		scheme, rest = "", address
	} else {
		scheme += "://"
	}
	return scheme + rest[strings.LastIndexByte(rest, '@')+1:]
}
