package archive

import (
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Files gives the files that paths name, in the order of paths, as they are read
// from this machine; stdin is what Stdin means:
//
//   - a file, a pipe, or Stdin: itself, whatever its name;
//   - a folder: its files ending in .json, .jsonl, .ndjson or .gz, with those of
//     its subfolders, sorted by name. Left out are names that begin with . or _,
//     and CloudTrail's digest folders, which hold no records;
//   - else a pattern as of filepath.Match: what it matches, as above; a name
//     that begins with . only if the pattern does.
//
// Every error is a *Damage of the path it names, and the iteration goes on.
// Memory is that of the names in one folder and those above it.
func Files(paths []string, stdin io.Reader) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		for _, path := range paths {
			ok := expand(path, func(path string, err error) bool {
				if err != nil {
					return yield(File{}, err)
				}
				return yield(local(path, stdin), nil)
			})
			if !ok {
				return
			}
		}
	}
}

// expand yields the files of one path; false if yield wants no more.
func expand(path string, yield func(string, error) bool) bool {
	if path == Stdin {
		return yield(path, nil)
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return walk(path, yield)
	case err == nil:
		return yield(path, nil)
	case !errors.Is(err, fs.ErrNotExist) || !strings.ContainsAny(path, "*?["):
		return yield("", fileDamage(path, err))
	}
	return expandPattern(path, yield)
}

func expandPattern(path string, yield func(string, error) bool) bool {
	matches, err := filepath.Glob(path)
	if filepath.Base(path)[0] != '.' {
		matches = slices.DeleteFunc(matches, func(match string) bool { return filepath.Base(match)[0] == '.' })
	}
	if err == nil && len(matches) == 0 {
		err = fs.ErrNotExist
	}
	if err != nil {
		return yield("", fileDamage(path, err))
	}
	for _, match := range matches {
		if info, err := os.Stat(match); err == nil && info.IsDir() {
			if !walk(match, yield) {
				return false
			}
		} else if !yield(match, nil) {
			return false
		}
	}
	return true
}

// Digests is the folder in which CloudTrail keeps what proves that its files
// were not changed. They hold no records.
const Digests = "CloudTrail-Digest"

// walk yields the event files below a folder. Links to files are followed,
// links to folders are not: they could lead round in circles.
func walk(folder string, yield func(string, error) bool) bool {
	entries, err := os.ReadDir(folder) // sorted by name
	if err != nil {
		return yield("", fileDamage(folder, err))
	}
	for _, entry := range entries {
		name := entry.Name()
		path := filepath.Join(folder, name)
		switch {
		case name[0] == '.' || name[0] == '_':
		case entry.IsDir():
			if name != Digests && !walk(path, yield) {
				return false
			}
		case HoldsEvents(name) && isFile(entry, path):
			if !yield(path, nil) {
				return false
			}
		}
	}
	return true
}

// HoldsEvents reports whether a file in a folder is read, by its name.
func HoldsEvents(name string) bool {
	return slices.Contains([]string{".json", ".jsonl", ".ndjson", ".gz"}, strings.ToLower(filepath.Ext(name)))
}

// isFile reports whether the entry is a file or a link to one. A link to
// nothing counts: opening it says what is wrong.
func isFile(entry fs.DirEntry, path string) bool {
	if entry.Type()&fs.ModeSymlink == 0 {
		return entry.Type().IsRegular()
	}
	info, err := os.Stat(path)
	return err != nil || info.Mode().IsRegular()
}

// fileDamage is the damage of a path as a whole. The operating system's error
// names the path again; only its cause is kept.
func fileDamage(path string, err error) *Damage {
	var cause *fs.PathError
	if errors.As(err, &cause) {
		err = cause.Err
	}
	return &Damage{File: path, Index: -1, Lost: true, Err: err}
}
