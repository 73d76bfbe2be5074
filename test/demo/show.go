package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mini-hpa/mini-hpa/test/demo/picture"
	"github.com/mini-hpa/mini-hpa/test/demo/stage"
	"github.com/mini-hpa/mini-hpa/test/demo/story"
)

// patience is how long the Events may take to arrive.
const patience = 20 * time.Second

// show prints the Events and writes the files.
func (d demo) show(ctx context.Context, s *stage.Stage, r story.Recording) error {
	// After an interrupt there is nobody to show Events to, but the picture of what was seen is still made.
	var err error
	if ctx.Err() == nil {
		r.Events, err = d.events(ctx, s, r.Tracks)
	}
	files := map[string]func(io.Writer) error{
		"demo.svg":       func(w io.Writer) error { return picture.SVG(w, r) },
		"demo.html":      func(w io.Writer) error { return picture.HTML(w, r) },
		"recording.json": func(w io.Writer) error { return json.NewEncoder(w).Encode(r) },
	}
	for name, write := range files {
		err = errors.Join(err, d.file(name, write))
	}
	if err == nil {
		fmt.Fprintf(d.text, "\nThe picture: %s and demo.html beside it. The controller's log: %s\n", filepath.Join(d.out, "demo.svg"), logFile)
	}
	return err
}

// events prints what kubectl describe says of each workload.
func (d demo) events(ctx context.Context, s *stage.Stage, tracks []story.Track) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var all []string
	for _, t := range tracks {
		section, err := s.Events(ctx, t.Workload)
		if err != nil {
			return all, err
		}
		if section == "" {
			fmt.Fprintln(d.text, "\nThere is no kubectl on the PATH to describe the Events with.")
			return all, nil
		}
		fmt.Fprintf(d.text, "\n$ kubectl describe deployment %s\n...\n%s", t.Workload, section)
		all = append(all, fmt.Sprintf("kubectl describe deployment %s\n...\n%s", t.Workload, strings.TrimRight(section, "\n")))
	}
	return all, nil
}

func (d demo) file(name string, write func(io.Writer) error) error {
	f, err := os.Create(filepath.Join(d.out, name))
	if err != nil {
		return fmt.Errorf("could not make %s: %w", name, err)
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return fmt.Errorf("could not write %s: %w", name, err)
	}
	return nil
}
