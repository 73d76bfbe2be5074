// Package catalog is the administrator's file of sources: which systems know how much work waits, what may be asked of them, and by whom.
//
//	version: v1
//	sources:
//	- name: orders-kafka
//	  type: kafka
//	  brokers: [kafka-0.kafka.svc:9093]
//	  allow: {group: ["$namespace.*"], topic: ["$namespace.*"]}
//
// A workload names a source in a line of its annotation mini-hpa/sources, and Resolve says whether it may, and what is asked. Nothing is read
// and nobody is asked here: the file is text, and what its paths lead to is read by those who connect.
package catalog
