// Package annotations is what a user may write: the only reader of a mini-hpa/ annotation's text.
//
// One table (see Keys) says which annotations exist, what they mean and which function reads them. Parse turns the
// annotations of one workload into a Policy in the vocabulary of autoscaling/v2, or says everything that is wrong with
// them at once. The package is pure: it knows no cluster, no clock and no log.
package annotations
