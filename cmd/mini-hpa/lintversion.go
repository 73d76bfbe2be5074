package main

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// workloadVersions are the versions in which API servers have the kinds that run pods.
var workloadVersions = map[string]string{
	"Deployment": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1", "ReplicaSet": "apps/v1",
	"Job": "batch/v1", "CronJob": "batch/v1", "Pod": "v1", "ReplicationController": "v1",
}

// rectified makes the version of a workload that asks for mini-hpa the one that was meant, if no API server knows its own, so that it can be said
// what else is wrong with it. A group with a dot may have kinds of the same name.
func (o object) rectified() field.ErrorList {
	meant, own := workloadVersions[o.GetKind()], o.Object["apiVersion"]
	text, isText := own.(string)
	group, _, _ := strings.Cut(text, "/")
	if meant == "" || own == meant || strings.Contains(group, ".") || len(o.ownKeys()) == 0 && !o.asksInVain() {
		return nil
	}
	o.SetAPIVersion(meant)
	at := field.NewPath("apiVersion")
	if own == nil || isText && text == "" {
		return field.ErrorList{field.Required(at, fmt.Sprintf("the API server refuses an object without it; write apiVersion: %s", meant)).WithOrigin(annotations.FoundInvalidField)}
	}
	return field.ErrorList{field.Invalid(at, own, fmt.Sprintf("API servers have no %s of this version; write apiVersion: %s", o.GetKind(), meant)).WithOrigin(annotations.FoundInvalidField)}
}
