// Package keda says what a ScaledObject of KEDA is in annotations, and which entries of the administrator's file of sources its triggers need.
//
//	ScaledObject  -- Convert -->  mini-hpa/... of its workload, entries of the file, remarks
//
// What the ScaledObject says of credentials is never repeated: an entry names files in their place. What it does not say, such as an address that is
// in the environment of the workload, stands in the entry in angle brackets, which the file does not take until it is filled in.
package keda
