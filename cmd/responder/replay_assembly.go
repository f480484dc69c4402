package main

import (
	"context"
	"iter"
	"runtime"
	"sync"

	"github.com/skycrafters/responder/internal/archive"
)

// assembly is the line on which files are read ahead, a few at a time, and skimmed;
// what is left of them is judged in batches, on all cores; and what came of them is taken in the order
// of files and batches, by one goroutine. Memory is that of a few batches for
// each file that is read ahead, whatever the files' size and number.
type assembly struct {
	files iter.Seq2[archive.File, error]
	ahead int                                                  // files that are read at once
	skim  func(held []byte, seen *verdict) (end int, out bool) // before a batch is judged: what needs no closer look is left out
	judge func(*portion)
	take  func(*portion) error
}

// portion is a batch with what was made of it. It is used again once taken.
type portion struct {
	batch archive.Batch
	verdict
	judged chan struct{} // has one element once it is
}

// batchesAhead is how many batches of a file wait for those before them.
const batchesAhead = 4

// run ends when all is taken, take fails, or ctx is done.
func (a *assembly) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	todo := make(chan *portion)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for p := range todo {
				a.judge(p)
				p.judged <- struct{}{}
			}
		})
	}
	defer workers.Wait()
	defer stop() // before it waits: nobody takes any more
	used := &sync.Pool{New: func() any { return &portion{judged: make(chan struct{}, 1)} }}
	for portions := range a.read(ctx, todo, used) {
		for p := range portions {
			select {
			case <-p.judged:
			case <-ctx.Done():
				return nil
			}
			if err := a.take(p); err != nil {
				return err
			}
			used.Put(p)
		}
	}
	return nil
}

// read reads the files, each on a goroutine of its own, and gives for each the
// portions that it is sending to be judged. It closes todo behind the last.
//
// Where there are files for all cores, each is unzipped by the goroutine that
// skims it, so that nothing goes from core to core; else ahead of that one.
func (a *assembly) read(ctx context.Context, todo chan<- *portion, used *sync.Pool) <-chan (<-chan *portion) {
	order := make(chan (<-chan *portion), a.ahead)
	go func() {
		defer close(todo)
		defer close(order)
		var readers sync.WaitGroup
		defer readers.Wait()
		desks := make(chan *archive.Desk, a.ahead)
		for range a.ahead {
			desks <- new(archive.Desk)
		}
		cores := runtime.GOMAXPROCS(0)
		for file, behind := range followed(a.files, cores-1) {
			var desk *archive.Desk
			select {
			case desk = <-desks:
			case <-ctx.Done():
				return
			}
			file.Spare = a.ahead-len(desks)+behind < cores
			portions := make(chan *portion, batchesAhead)
			select {
			case order <- portions:
			case <-ctx.Done():
				return
			}
			readers.Go(func() {
				defer func() { desks <- desk }()
				defer close(portions)
				a.send(ctx, file, desk, portions, todo, used)
			})
		}
	}()
	return order
}

// send reads a file into portions, which stand in line before they are judged.
func (a *assembly) send(ctx context.Context, file archive.File, desk *archive.Desk, line, todo chan<- *portion, used *sync.Pool) {
	var p *portion
	fresh := func() *archive.Batch {
		p = used.Get().(*portion)
		p.verdict = verdict{told: p.told[:0]}
		return &p.batch
	}
	skim := archive.Skim{
		Look:   func(held []byte) (int, bool) { return a.skim(held, &p.verdict) },
		Wanted: func() bool { return len(line) == 0 },
	}
	for range file.Batches(ctx, desk, fresh, skim) {
		for _, to := range []chan<- *portion{line, todo} {
			select {
			case to <- p:
			case <-ctx.Done():
				return
			}
		}
	}
}

// followed gives each file with how many stand behind it, so many at most; what
// could not be found is a file that cannot be read.
func followed(files iter.Seq2[archive.File, error], most int) iter.Seq2[archive.File, int] {
	return func(yield func(archive.File, int) bool) {
		var queue []archive.File
		for file, err := range files {
			if err != nil {
				file = archive.Unreadable(err)
			}
			if queue = append(queue, file); len(queue) <= most {
				continue
			}
			if !yield(queue[0], most) {
				return
			}
			queue = queue[1:]
		}
		for i, file := range queue {
			if !yield(file, len(queue)-1-i) {
				return
			}
		}
	}
}
