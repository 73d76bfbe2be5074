// Package state is what the controller that leads says of itself and of its workloads to those who ask: the forms in which it says it, and the
// handler that serves them.
package state

import (
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/sources"
)

// Paths that are served.
const (
	// PathAll has a Page: how each workload stands.
	PathAll = "/state"
	// PathHistory has a ChroniclePage: what has happened to each of them.
	PathHistory = "/state/history"
	// PathSources has a SourcesPage: how the sources of the administrator's file stand.
	PathSources = "/state/sources"
	// PathOne and after it NAMESPACE/KIND/NAME have an Explained: all that is known of one workload. KIND is as in annotations.Key.String.
	PathOne = "/state/explain/"
	// PathTraces has the files that are recorded, by the paths that they have in their directory, and lists of them.
	PathTraces = "/state/traces/"
)

// Parameters of a page.
const (
	// ParamNamespace leaves out the workloads of other namespaces.
	ParamNamespace = "namespace"
	// ParamKind leaves out those of other kinds.
	ParamKind = "kind"
	// ParamName leaves out those of other names.
	ParamName = "name"
	// ParamContinue is what the page before ends with.
	ParamContinue = "continue"
	// ParamLimit is how many workloads a page is of at most, from 1 to PageSize.
	ParamLimit = "limit"
)

// PageSize is how many workloads a page is of that does not say otherwise.
const PageSize = 500

// Head is what the controller says of itself.
type Head struct {
	// Time is when it says so.
	Time time.Time `json:"time"`
	// Version is that of its build, and Identity its name in the Lease.
	Version  string `json:"version"`
	Identity string `json:"identity"`
	// Leading says that it leads. If it does not, it says nothing of workloads.
	Leading bool `json:"leading"`
	// Namespace is the only one that it works in; empty for all.
	Namespace string `json:"namespace,omitempty"`
	// Class is that of the workloads that it scales; empty for those without one.
	Class string `json:"class,omitempty"`
	// Kinds are the custom resources that it scales.
	Kinds []schema.GroupResource `json:"kinds,omitempty"`
	// Defaults and Rules are the flags of its decisions.
	Defaults annotations.Defaults `json:"defaults"`
	Rules    recommend.Rules      `json:"rules"`
	// Newest is when the newest sample of the resource metrics API was taken, zero if there is none; MetricsError is why there are no current ones.
	Newest       time.Time `json:"newest,omitzero"`
	MetricsError string    `json:"metricsError,omitempty"`
}

// Page is a part of all workloads, in the order of scaler.CompareKeys.
type Page struct {
	Head
	Items []scaler.Status `json:"items"`
	// Continue is the parameter by which the next page is asked for; empty after the last.
	Continue string `json:"continue,omitempty"`
}

// ChroniclePage is what has happened to a part of all workloads.
type ChroniclePage struct {
	Head
	Items    []Chronicle `json:"items"`
	Continue string      `json:"continue,omitempty"`
}

// SourcesPage is how the sources of the administrator's file stand, by name.
type SourcesPage struct {
	Head
	Items []sources.Status `json:"items"`
	// FileError is why the file is not right as it is now; what it said before counts then. It is empty if it is right, or if there is none.
	FileError string `json:"fileError,omitempty"`
}

// Chronicle is what has happened to one workload, the oldest first.
type Chronicle struct {
	Kind      string         `json:"kind"`
	Group     string         `json:"group,omitempty"`
	Namespace string         `json:"namespace"`
	Name      string         `json:"name"`
	Entries   []scaler.Entry `json:"entries"`
}

// Explained is all that is known of one workload.
type Explained struct {
	Head
	scaler.Shown
}

// Failure is the answer to what cannot be answered.
type Failure struct {
	Head
	Error string `json:"error"`
}

// DefaultPort is where a controller serves on loopback, if it is not told otherwise.
const DefaultPort = 8082
