// Package calls makes requests of five kinds, each with a number of its own, and serves them. Whoever serves one enters its number into a ledger, so
// that it shows which were lost and which were served twice. The node test has workloads that sleep and wake meanwhile.
package calls
