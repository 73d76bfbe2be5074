package rig

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Record has the fields of an audit.k8s.io/v1 Event that are read: a request that the API server has carried out or refused.
type Record struct {
	Verb       string
	RequestURI string
	// Stage is ResponseStarted when a watch begins, and ResponseComplete when a request has been answered, or a watch has ended.
	Stage string
	// Received and Answered are when the API server had read the request and when it had answered it.
	Received  time.Time `json:"requestReceivedTimestamp"`
	Answered  time.Time `json:"stageTimestamp"`
	User      struct{ Username string }
	UserAgent string
	// ObjectRef is nil if the request is not for a resource.
	ObjectRef *struct{ APIGroup, Resource, Subresource, Namespace, Name string }
	Response  struct{ Code int } `json:"responseStatus"`
	// RequestObject and ResponseObject are there for writes of Deployments, their scales and Leases.
	RequestObject, ResponseObject json.RawMessage
}

// Stored says whether the API server has carried the request out.
func (r Record) Stored() bool { return r.Response.Code >= 200 && r.Response.Code < 300 }

// On says whether it is a request for a resource with its subresource, as "deployments/scale".
func (r Record) On(resource string) bool {
	return r.ObjectRef != nil && strings.TrimSuffix(r.ObjectRef.Resource+"/"+r.ObjectRef.Subresource, "/") == resource
}

// ReadAudit reads an audit log to which the API server may still be writing.
func ReadAudit(path string) ([]Record, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	defer file.Close()
	var records []Record
	for lines := bufio.NewReader(file); ; {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return records, nil // a line without its end is not complete
		}
		if err != nil {
			return nil, fmt.Errorf("read the audit log %s: %w", path, err)
		}
		var r Record
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("read line %d of the audit log %s: %w", len(records)+1, path, err)
		}
		records = append(records, r)
	}
}

// object has the fields of a body that are read. A JSON patch, which is a list, has none of them.
type object struct {
	Metadata struct{ ResourceVersion string }
	Spec     struct {
		Replicas             *int32
		HolderIdentity       *string
		RenewTime            *time.Time
		LeaseDurationSeconds *int
	}
}

func read(body json.RawMessage) object {
	var o object
	if json.Unmarshal(body, &o) != nil {
		return object{}
	}
	return o
}

// readReplicas is read for a body with replicas. A Scale leaves out a 0.
func readReplicas(r Record, body json.RawMessage) object {
	o := read(body)
	if whole := r.Verb == "update" || r.Stored() && o.version() > 0; o.Spec.Replicas == nil && r.ObjectRef.Subresource == "scale" && whole {
		o.Spec.Replicas = new(int32)
	}
	return o
}

func (o object) version() uint64 {
	n, _ := strconv.ParseUint(o.Metadata.ResourceVersion, 10, 64) // 0 is no version
	return n
}

// Write is one write of a Deployment's replicas, carried out or refused.
type Write struct {
	// At is when the API server had read it, User who sent it, and Manager its field manager, "" if it named none.
	At            time.Time
	User, Manager string
	Name          string
	// From is the number of replicas that its author saw: at the version that the write was for, or else before the write. -1 is unknown.
	From, To int32
	// Scale says that it went through deployments/scale. Status is the status code: 200 is stored, 409 a conflict.
	Scale  bool
	Status int
}

// Stored says whether the API server has carried it out.
func (w Write) Stored() bool { return w.Status >= 200 && w.Status < 300 }

// String describes the write in one line.
func (w Write) String() string {
	return fmt.Sprintf("%s %s (%s) %s %d->%d: %d", w.At.Format("15:04:05.000"), w.User, w.Manager, w.Name, w.From, w.To, w.Status)
}

// Writes returns the writes of replicas of a namespace's Deployments by all users, in the order in which they came. It leaves out writes
// that do not change replicas, such as of a label. The name "" means all Deployments.
func Writes(records []Record, namespace, name string) []Write {
	var found []Write
	for of, requests := range byDeployment(records, namespace) {
		if name == "" || name == of {
			found = append(found, writesOf(requests)...)
		}
	}
	slices.SortFunc(found, func(a, b Write) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Name, b.Name)) })
	return found
}

func byDeployment(records []Record, namespace string) map[string][]Record {
	found := map[string][]Record{}
	for _, r := range records {
		writes := r.Verb == "update" || r.Verb == "patch" || r.Verb == "create"
		if !writes || !r.On("deployments") && !r.On("deployments/scale") || r.ObjectRef.Namespace != namespace {
			continue
		}
		found[r.ObjectRef.Name] = append(found[r.ObjectRef.Name], r)
	}
	return found
}

// writesOf returns those of one Deployment. The API server's answers to stored writes say how many replicas each version had.
func writesOf(requests []Record) []Write {
	had := map[uint64]int32{}
	for _, r := range requests {
		if after := readReplicas(r, r.ResponseObject); r.Stored() && after.Spec.Replicas != nil {
			had[after.version()] = *after.Spec.Replicas
		}
	}
	var found []Write
	for _, r := range requests {
		sent, after := readReplicas(r, r.RequestObject), readReplicas(r, r.ResponseObject)
		seen := sent.version()
		if seen == 0 && after.version() > 0 {
			seen = after.version() - 1
		}
		w := Write{At: r.Received, User: r.User.Username, Manager: manager(r.RequestURI), Name: r.ObjectRef.Name, From: upTo(had, seen), To: -1,
			Scale: r.ObjectRef.Subresource == "scale", Status: r.Response.Code}
		switch {
		case r.Stored() && after.Spec.Replicas != nil:
			w.To = *after.Spec.Replicas
		case sent.Spec.Replicas != nil:
			w.To = *sent.Spec.Replicas
		}
		if w.Scale || w.To >= 0 && w.From != w.To {
			found = append(found, w)
		}
	}
	return found
}

// upTo returns the replicas at a version: those of the last write up to it. Without a version, it is the last write.
func upTo(had map[uint64]int32, version uint64) int32 {
	last, replicas := uint64(0), int32(-1)
	for at, n := range had {
		if at >= last && (version == 0 || at <= version) {
			last, replicas = at, n
		}
	}
	return replicas
}

func manager(uri string) string {
	parsed, err := url.ParseRequestURI(uri)
	if err != nil {
		return ""
	}
	return parsed.Query().Get("fieldManager")
}

// Hold is a time in which one user held a Lease: from the write that took it to the end of its last renewal, or to the write that gave
// the Lease to somebody else or to nobody.
type Hold struct {
	User     string
	From, To time.Time
}

// Holds returns the times in which a Lease was held, in order, by the API server's clock, except that a renewal has its author's time.
func Holds(records []Record, namespace, name string) []Hold {
	var holds []Hold
	for _, r := range leaseWrites(records, namespace, name) {
		spec, last := read(r.ResponseObject).Spec, len(holds)-1
		held := spec.HolderIdentity != nil && *spec.HolderIdentity != "" && spec.RenewTime != nil && spec.LeaseDurationSeconds != nil
		goesOn := held && last >= 0 && holds[last].User == r.User.Username && !r.Received.After(holds[last].To)
		if last >= 0 && !goesOn && r.Answered.Before(holds[last].To) {
			holds[last].To = r.Answered
		}
		if !held {
			continue
		}
		until := spec.RenewTime.Add(time.Duration(*spec.LeaseDurationSeconds) * time.Second)
		if goesOn {
			holds[last].To = until
		} else {
			holds = append(holds, Hold{User: r.User.Username, From: r.Received, To: until})
		}
	}
	return holds
}

// leaseWrites returns the stored writes of a Lease, in order.
func leaseWrites(records []Record, namespace, name string) []Record {
	var found []Record
	for _, r := range records {
		if r.On("leases") && r.ObjectRef.Namespace == namespace && r.ObjectRef.Name == name && r.Stored() && len(r.ResponseObject) > 0 {
			found = append(found, r)
		}
	}
	slices.SortStableFunc(found, func(a, b Record) int { return a.Answered.Compare(b.Answered) })
	return found
}

// Usurped returns the writes through deployments/scale, stored or refused, whose user did not hold the Lease when the API server read
// them.
func Usurped(writes []Write, holds []Hold) []Write {
	var found []Write
	for _, w := range writes {
		held := slices.ContainsFunc(holds, func(h Hold) bool {
			return h.User == w.User && !w.At.Before(h.From) && !w.At.After(h.To)
		})
		if w.Scale && !held {
			found = append(found, w)
		}
	}
	return found
}
