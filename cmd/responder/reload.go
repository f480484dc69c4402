package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/skycrafters/responder/cmd/internal/wiring"
)

// How rules and flows are reloaded: files are looked at every lookEvery, which
// sees whatever changes them on any file system; being told of a change by the
// operating system only makes it faster.
const (
	lookEvery = 2 * time.Second
	settle    = 150 * time.Millisecond // files must be quiet for that long: editors write in several steps
)

// maxFolders bounds what is looked at, should somebody run this in a huge tree.
const maxFolders = 200

// snapshot is how the files that rules and flows can be made of stand, and the
// folders in which they, or what they link to, lie.
type snapshot struct {
	files   map[string]stamp
	folders map[string]bool // by their own path, links resolved; true: looked through
}

// stamp tells whether a file has changed. The zero value is no file.
type stamp struct {
	own  string // its path, links resolved
	size int64
	time time.Time
}

func (s snapshot) equal(other snapshot) bool {
	return maps.EqualFunc(s.files, other.files, func(a, b stamp) bool {
		return a.own == b.own && a.size == b.size && a.time.Equal(b.time)
	})
}

// look takes a snapshot: of the folders of rules and flows and those below, but
// for hidden ones. It costs a millisecond in a folder like this repository's.
func (a *app) look() snapshot {
	s := snapshot{map[string]stamp{}, map[string]bool{}}
	for _, file := range []string{a.rules, a.flows} {
		s.file(file)
		s.folder(filepath.Dir(file))
	}
	return s
}

// folder adds a folder and those below it, links followed as includes do. One
// that is gone or closed to us holds nothing to reload.
func (s snapshot) folder(path string) {
	own, err := filepath.EvalSymlinks(path)
	if err != nil || s.folders[own] || len(s.folders) >= maxFolders {
		return
	}
	s.folders[own] = true
	entries, err := os.ReadDir(path)
	if err != nil {
		return
	}
	for _, entry := range entries {
		name := entry.Name()
		inside := filepath.Join(path, name)
		switch ext := filepath.Ext(name); {
		case ext == ".yml" || ext == ".yaml":
			s.file(inside)
		case strings.HasPrefix(name, ".") || name == "node_modules" || name == "vendor":
		case entry.IsDir():
			s.folder(inside)
		case entry.Type()&os.ModeSymlink != 0:
			if info, err := os.Stat(inside); err == nil && info.IsDir() {
				s.folder(inside)
			}
		}
	}
}

// file adds a file, and the folder that a link to it leads to.
func (s snapshot) file(path string) {
	info, err := os.Stat(path)
	own, linkErr := filepath.EvalSymlinks(path)
	if err != nil || linkErr != nil || info.IsDir() {
		s.files[path] = stamp{}
		return
	}
	s.files[path] = stamp{own, info.Size(), info.ModTime()}
	if folder := filepath.Dir(own); !s.folders[folder] {
		s.folders[folder] = false
	}
}

// reloader loads rules and flows anew when their files change.
type reloader struct {
	*running
	seen    snapshot          // what is loaded, or was tried
	watcher *fsnotify.Watcher // nil if the system has none to give
}

// watch begins to watch the files.
func (r *running) watch() *reloader {
	w := &reloader{running: r, seen: r.files}
	var err error
	if w.watcher, err = fsnotify.NewWatcher(); err != nil {
		r.pipeline.log.Info().Err(err).Dur("every", lookEvery).Msg("rules and flows are only looked at now and then")
	}
	w.follow(r.files)
	return w
}

// Close ends the watching.
func (r *reloader) Close() error {
	if r.watcher == nil {
		return nil
	}
	return r.watcher.Close()
}

// follow has the system tell of changes in the folders of a snapshot.
func (r *reloader) follow(s snapshot) {
	if r.watcher == nil {
		return
	}
	for folder := range s.folders {
		if err := r.watcher.Add(folder); err != nil { // it is looked at all the same
			r.pipeline.log.Debug().Err(err).Str("folder", folder).Msg("not watched")
		}
	}
}

// loop reloads until ctx is done.
func (r *reloader) loop(ctx context.Context) error {
	var events chan fsnotify.Event
	var errs chan error
	if r.watcher != nil {
		events, errs = r.watcher.Events, r.watcher.Errors
	}
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	timer := time.NewTimer(settle)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case event := <-events:
			switch filepath.Ext(event.Name) {
			case ".yml", ".yaml", "": // folders, mostly, have none
				timer.Reset(settle)
			}
		case err := <-errs:
			r.pipeline.log.Debug().Err(err).Msg("watching rules and flows")
		case <-ticker.C:
			if !r.look().equal(r.seen) {
				timer.Reset(settle)
			}
		case <-timer.C:
			now := r.look()
			r.follow(now)
			if !now.equal(r.seen) {
				r.seen = now
				r.reload(ctx)
			}
		}
	}
}

// reload swaps in the new rules and flows, or tells why the old ones stay.
func (r *reloader) reload(ctx context.Context) {
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
	if r.live {
		if err := r.warnOfReferences(ctx, definitions, r.pipeline.db.Secrets()); err != nil {
			r.pipeline.log.Warn().Err(err).Msg("looking for what flows refer to")
		}
	}
}
