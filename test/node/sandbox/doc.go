//go:build linux

// Package sandbox runs a part of a program in network, mount and process namespaces of its own, so that whatever it starts there
// (container runtimes, kubelets, bridges, mounts, packet filters) is gone when it ends, however it ends.
//
// The program starts itself again three times; Play tells them apart:
//
//	caller: Run     waits; its end, also by SIGKILL, closes a pipe
//	  keeper        in a session of its own; kills init when the pipe is closed, then removes the directory and the cgroups
//	    init        process 1 in the namespaces; makes mounts and network, reaps orphans; its end ends everything inside
//	      worker    the program's own work
package sandbox
