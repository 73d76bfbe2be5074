// Package sources asks the systems that know how much work waits: message brokers, databases, Prometheus. The administrator's file says which
// there are (annotations/catalog). Each kind of source is one file here, with what an entry of it may say and the client that asks it:
//
//	metrics.Readers -> source: deadline, breaker, words for errors -> Client of a Kind -> the system
//
// One client asks for all workloads, as many questions at a time as the system takes.
package sources
