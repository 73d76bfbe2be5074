//go:build unix && !linux

package controlplane

// holdCluster is for a test that only Linux can pass.
func holdCluster() {}
