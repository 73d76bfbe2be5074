// Command mini-hpa autoscales the workloads that carry mini-hpa/ annotations. Here is the table of its commands; each is a package of its own in
// cmd/internal.
package main

import (
	"os"
	// The zones of schedules. The image has nothing but this program, so there are no files of zones.
	_ "time/tzdata"

	"github.com/mini-hpa/mini-hpa/cmd/internal/activator"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/controller"
	"github.com/mini-hpa/mini-hpa/cmd/internal/dashboard"
	"github.com/mini-hpa/mini-hpa/cmd/internal/dictionary"
	"github.com/mini-hpa/mini-hpa/cmd/internal/doctor"
	"github.com/mini-hpa/mini-hpa/cmd/internal/explain"
	"github.com/mini-hpa/mini-hpa/cmd/internal/get"
	"github.com/mini-hpa/mini-hpa/cmd/internal/history"
	"github.com/mini-hpa/mini-hpa/cmd/internal/lint"
	"github.com/mini-hpa/mini-hpa/cmd/internal/migrate"
	"github.com/mini-hpa/mini-hpa/cmd/internal/pause"
	"github.com/mini-hpa/mini-hpa/cmd/internal/replay"
	"github.com/mini-hpa/mini-hpa/cmd/internal/selftest"
	"github.com/mini-hpa/mini-hpa/cmd/internal/simulate"
	"github.com/mini-hpa/mini-hpa/cmd/internal/sources"
	"github.com/mini-hpa/mini-hpa/cmd/internal/wake"
)

// Set by the linker: -ldflags "-X main.version=v1.2.3 -X main.commit=0123abcd".
var version, commit string

func main() {
	os.Exit(thisProgram().Main())
}

func thisProgram() cli.Program {
	return cli.Program{Commands: commands(), Build: cli.NewBuild(version, commit)}
}

// commands is the table, in the order in which usage lists it.
func commands() []cli.Command {
	return []cli.Command{activator.Command(), dictionary.Command(), cli.Completion(), controller.Command(), dashboard.Command(), doctor.Command(), get.Command(), explain.Command(), migrate.ExportCommand(), history.Command(), lint.Command(), migrate.Command(), pause.Command(), replay.Command(), pause.ResumeCommand(), selftest.Command(), simulate.Command(), sources.Command(), get.WaitCommand(), wake.Command(), controller.WebhookCommand(), cli.Version()}
}
