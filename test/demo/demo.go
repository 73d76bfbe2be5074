package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mini-hpa/mini-hpa/test/demo/observe"
	"github.com/mini-hpa/mini-hpa/test/demo/play"
	"github.com/mini-hpa/mini-hpa/test/demo/stage"
	"github.com/mini-hpa/mini-hpa/test/demo/story"
)

// The files of a run, in the folder of --out.
const (
	transcriptFile = "demo.txt"
	logFile        = "controller.log"
)

// demo is one run.
type demo struct {
	options
	root string
	text io.Writer
}

// perform is the run from beginning to end. Its error says what could not be done or was not seen.
func perform(ctx context.Context, o options) (err error) {
	d := demo{options: o}
	if d.root, err = stage.Root(ctx); err != nil {
		return err
	}
	if d.out == "" {
		d.out = filepath.Join(d.root, "demo-output")
	}
	if err := os.MkdirAll(d.out, 0o755); err != nil {
		return fmt.Errorf("could not make the folder for the results: %w", err)
	}
	transcript, err := os.Create(filepath.Join(d.out, transcriptFile))
	if err != nil {
		return fmt.Errorf("could not make the transcript: %w", err)
	}
	d.text = io.MultiWriter(os.Stdout, transcript)
	return errors.Join(d.onStage(ctx), transcript.Close())
}

// onStage sets up, plays and takes down.
func (d demo) onStage(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "mini-hpa-demo-bin-")
	if err != nil {
		return fmt.Errorf("could not make a temporary directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	program, err := stage.Build(ctx, d.root, dir)
	if err != nil {
		return err
	}
	s, err := d.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	controller, err := s.Run(ctx, program, filepath.Join(d.out, logFile))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, controller.Close()) }()
	return d.watched(ctx, s, controller)
}

func (d demo) open(ctx context.Context) (*stage.Stage, error) {
	if d.here {
		return stage.Here(ctx, d.image, d.text)
	}
	return stage.Own(ctx, d.text)
}

// watched plays the story before an observer and shows what it has recorded, also when it was cut short.
func (d demo) watched(ctx context.Context, s *stage.Stage, c *stage.Controller) error {
	eye, err := observe.New(ctx, observe.Config{Client: s.Client, Metrics: s.Metrics, Namespace: s.Namespace, Request: s.Request, Load: s.Load})
	if err != nil {
		return err
	}
	defer eye.Close()
	phases := story.Workshop(s.Pace)
	facts := facts(s)
	fmt.Fprintf(d.text, "%s\nThe story takes at most %s.\n", strings.Join(facts, "\n"), story.Longest(phases).Round(time.Second))
	player := play.Player{
		Stage: s, Eye: eye, Out: d.text, Request: s.Request, Period: s.Period, Aligned: s.Simulated,
		Patience: 2 * (s.Pace.Sample + s.Pace.Start), Broken: c.Broken,
	}
	acts, playErr := player.Play(ctx, phases)
	recording := story.Recording{Facts: facts, Request: s.Request, Target: story.Target, Acts: acts, Tracks: eye.Tracks()}
	return errors.Join(playErr, d.show(ctx, s, recording), verdict(acts, filepath.Join(d.out, logFile)))
}

// facts are what the audience should know about how it is done.
func facts(s *stage.Stage) []string {
	pods := "pods that really use CPU"
	if s.Simulated {
		pods = "the pods' CPU is simulated, everything else is real"
	}
	return []string{
		fmt.Sprintf("Kubernetes %s; a new sample every %s; %s.", s.Version, s.Period, pods),
		fmt.Sprintf("Every pod requests %dm of CPU; at the target of %d%% it uses %dm.", s.Request, story.Target, s.Request*int64(story.Target)/100),
		fmt.Sprintf("The scale-down stabilization window of web is shortened to %s by its annotation; the default is 5m.", s.Pace.Stabilization),
	}
}

// verdict is the error of a phase that failed, with what the controller said last.
func verdict(acts []story.Act, log string) error {
	for _, act := range acts {
		if act.Verdict.State == story.Failed {
			return fmt.Errorf("phase %q did not show what it should: %s\nThe end of the controller's log:\n%s",
				act.Phase.Title, act.Verdict.Says, stage.Tail(log))
		}
	}
	return nil
}
