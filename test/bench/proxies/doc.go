//go:build linux

// Command proxies holds the activator against haproxy and nginx: the same requests to the same backend, by way of each, one after the other in
// one run on this machine. All of them have one thread. It also measures what connections that are held cost, and Services that sleep.
package main
