package main

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/skycrafters/responder/cmd/internal/wiring"
)

// settle is how long files must be quiet before they are read again: editors
// write in several steps.
const settle = 150 * time.Millisecond

// maxFolders bounds what is watched, should somebody run this in a huge tree.
const maxFolders = 200

// reloader loads rules and flows anew when their files change.
type reloader struct {
	*app
	pipeline *pipeline
	watcher  *fsnotify.Watcher
}

// watch begins to watch the folders of rules and flows.
func (a *app) watch(p *pipeline) (*reloader, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch files: %w", err)
	}
	r := &reloader{app: a, pipeline: p, watcher: w}
	for _, file := range []string{a.rules, a.flows} {
		if err := r.add(filepath.Dir(file)); err != nil {
			w.Close()
			return nil, fmt.Errorf("watch files: %w", err)
		}
	}
	return r, nil
}

// Close ends the watching.
func (r *reloader) Close() error { return r.watcher.Close() }

// add watches a folder, and those below it in which rules, flows or templates
// can lie: no hidden ones.
func (r *reloader) add(root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return nil // a folder that is gone or closed to us holds nothing to reload
		}
		name := entry.Name()
		if path != root && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "vendor") || len(r.watcher.WatchList()) >= maxFolders {
			return filepath.SkipDir
		}
		return r.watcher.Add(path)
	})
}

// loop reloads until ctx is done.
func (r *reloader) loop(ctx context.Context) error {
	timer := time.NewTimer(0)
	<-timer.C
	for {
		select {
		case <-ctx.Done():
			return nil
		case event, ok := <-r.watcher.Events:
			if !ok {
				return nil
			}
			if ext := filepath.Ext(event.Name); (ext == ".yml" || ext == ".yaml") && event.Op != fsnotify.Chmod {
				timer.Reset(settle)
			}
		case err, ok := <-r.watcher.Errors:
			if !ok {
				return nil
			}
			r.pipeline.log.Warn().Err(err).Msg("watching rules and flows")
		case <-timer.C:
			r.reload()
		}
	}
}

// reload swaps in the new rules and flows, or tells why the old ones stay.
func (r *reloader) reload() {
	definitions, problems := wiring.Load(r.rules, r.flows, r.catalogue(nil))
	r.tellProblems(problems, false)
	if definitions == nil {
		fmt.Fprintf(r.stderr, "%s: the rules and flows from before stay in force\n", count(len(problems.Errors()), "error"))
		return
	}
	r.pipeline.definitions.Store(definitions)
	if r.format == "text" {
		fmt.Fprintf(r.stdout, "Reloaded: %s, %s\n", count(definitions.Rules.Len(), "rule"), count(len(definitions.Flows.All()), "flow"))
	}
}
