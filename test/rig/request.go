package rig

import (
	"net/http"
	"strings"
	"time"
)

// Request is a request to the API server in the API server's own words, as its audit log has them.
type Request struct {
	// Verb is get, list, watch, create, update, patch, delete or deletecollection.
	Verb string
	// Group is the API group; "" is the core group, or the request is not for a resource.
	Group string
	// Resource is the plural with its subresource, such as "deployments/scale"; "" if the request is not for a resource, such as /version.
	Resource string
	// Namespace and Name are "" if the request names none.
	Namespace, Name string
	// At is when it reached the proxy.
	At time.Time
}

// parse reads a request by its path:
//
//	/api/v1/namespaces/NAMESPACE/RESOURCE/NAME/SUBRESOURCE
//	/apis/GROUP/VERSION/RESOURCE
func parse(r *http.Request, at time.Time) Request {
	parsed := Request{Verb: strings.ToLower(r.Method), At: at}
	path := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	prefix := map[string]int{"api": 2, "apis": 3}[path[0]]
	if prefix == 0 || len(path) <= prefix {
		return parsed
	}
	if path[0] == "apis" {
		parsed.Group = path[1]
	}
	path = path[prefix:]
	if path[0] == "namespaces" && len(path) > 2 {
		parsed.Namespace, path = path[1], path[2:]
	}
	parsed.Resource = path[0]
	if len(path) > 1 {
		parsed.Name = path[1]
	}
	if len(path) > 2 {
		parsed.Resource += "/" + path[2]
	}
	parsed.Verb = verb(r, parsed.Name != "")
	return parsed
}

func verb(r *http.Request, named bool) string {
	switch r.Method {
	case http.MethodGet:
		if watch := r.URL.Query().Get("watch"); watch == "true" || watch == "1" {
			return "watch"
		}
		if !named {
			return "list"
		}
	case http.MethodPost:
		return "create"
	case http.MethodPut:
		return "update"
	case http.MethodDelete:
		if !named {
			return "deletecollection"
		}
	}
	return strings.ToLower(r.Method)
}

// Match selects requests.
type Match func(Request) bool

// On matches requests with a verb to a resource, such as "update" and "deployments/scale"; "" matches any.
func On(verb, resource string) Match {
	return func(r Request) bool {
		return (verb == "" || verb == r.Verb) && (resource == "" || resource == r.Resource)
	}
}

// In matches requests to a namespace.
func (m Match) In(namespace string) Match {
	return func(r Request) bool { return m(r) && r.Namespace == namespace }
}

// Named matches requests for an object.
func (m Match) Named(name string) Match {
	return func(r Request) bool { return m(r) && r.Name == name }
}

// Before matches requests that came before a moment. Before now are the open streams, but not those that replace them.
func (m Match) Before(moment time.Time) Match {
	return func(r Request) bool { return m(r) && r.At.Before(moment) }
}
