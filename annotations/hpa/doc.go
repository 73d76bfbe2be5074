// Package hpa says what a HorizontalPodAutoscaler is in annotations, and what annotations are as one.
//
//	any version of autoscaling  -- Read -->  v2, complete  -- Annotations -->  mini-hpa/...
//	annotations                 -- Of ---->  v2
//
// What has no place on the other side is a Remark each; nothing is left out without one.
package hpa
