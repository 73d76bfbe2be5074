// Package sources asks real servers by the clients of scaler/sources: programs of the distribution that a test starts on the loopback
// address, and ends.
package sources
