// Command mini-hpa autoscales the Deployments that carry mini-hpa/ annotations. Here is the table of its commands; each is a package of its own in
// cmd/internal.
package main

import "os"

// Set by the linker: -ldflags "-X main.version=v1.2.3 -X main.commit=0123abcd".
var version, commit string

func main() {
	os.Exit(thisProgram().runMain())
}

func thisProgram() program { return program{commands: commands(), build: newBuild(version, commit)} }

// commands is the table, in the order in which usage lists it.
func commands() []command {
	return []command{controllerCommand(), explainCommand(), lintCommand(), replayCommand(), selftestCommand(), simulateCommand(), webhookCommand(), versionCommand()}
}
