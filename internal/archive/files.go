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
// from this machine; stdin is what Stdin means. window passes over what lies in
// folders of a trail that cannot hold what is wanted ([Window.Jump]), and tells
// nothing of single records. A path is:
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
func Files(paths []string, stdin io.Reader, window Window) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		for _, path := range paths {
			ok := expand(path, window, func(path string, err error) bool {
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
func expand(path string, window Window, yield func(string, error) bool) bool {
	if path == Stdin {
		return yield(path, nil)
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return walkRoot(path, window, yield)
	case err == nil:
		return yield(path, nil)
	case !errors.Is(err, fs.ErrNotExist) || !strings.ContainsAny(path, "*?["):
		return yield("", fileDamage(path, err))
	}
	return expandPattern(path, window, yield)
}

func expandPattern(path string, window Window, yield func(string, error) bool) bool {
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
			if !walkRoot(match, window, yield) {
				return false
			}
		} else if !yield(match, nil) {
			return false
		}
	}
	return true
}

// walkRoot is walk of all that is wanted of a folder.
func walkRoot(root string, window Window, yield func(string, error) bool) bool {
	whole, err := filepath.Abs(root)
	if err != nil {
		return yield("", fileDamage(root, err))
	}
	wanted := func(folder string) bool {
		path, err := filepath.Abs(folder)
		return err != nil || window.Jump(filepath.ToSlash(whole), filepath.ToSlash(path)+"/") == ""
	}
	return walk(root, wanted, yield)
}

// walk yields the event files below a folder, in folders that are wanted. Links to files are followed,
// links to folders are not: they could lead round in circles.
func walk(folder string, wanted func(string) bool, yield func(string, error) bool) bool {
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
			if name != Digests && wanted(path) && !walk(path, wanted, yield) {
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
