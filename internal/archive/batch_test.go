package archive

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/skycrafters/responder/internal/elements"
)

// unpacked gives what batches hold as Read gives it.
func unpacked(name string, data []byte, desk *Desk, ahead bool) iter.Seq2[Record, error] {
	file := File{Name: name, Ahead: ahead, Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}
	used := &Batch{}
	return func(yield func(Record, error) bool) {
		for batch := range file.Batches(context.Background(), desk, func() *Batch { return used }, Skim{}) {
			for r, err := range batch.All() {
				if err == nil {
					if wrong := elements.Validate(r.Raw); wrong != nil {
						r, err = Record{}, &Damage{File: name, Index: r.Index, Line: r.Line, Err: wrong}
					}
				}
				if !yield(r, err) {
					return
				}
			}
		}
	}
}

// sameElements holds batches against Read: without damage they give the same;
// with it, all that Read gives, and perhaps what Read takes to be lost with it.
// A file is read ahead or not, at a desk that was used before.
func sameElements(t *testing.T, in []byte) {
	t.Helper()
	want := list(t, "/", Read(t.Context(), "f", bytes.NewReader(in)))
	var desk Desk
	for _, ahead := range []bool{false, true, false} {
		holdsAll(t, list(t, "/", unpacked("f", in, &desk, ahead)), want)
	}
}

func holdsAll(t *testing.T, got, want []string) {
	t.Helper()
	damaged := func(line string) bool { return strings.HasPrefix(line, "! ") }
	if !slices.ContainsFunc(want, damaged) {
		same(t, got, want)
		return
	}
	if !slices.ContainsFunc(got, damaged) {
		t.Errorf("the damage is not seen:\n  %s", strings.Join(want, "\n  "))
	}
	raw := func(line string) string { return strings.SplitN(line, " ", 3)[2] }
	next := 0
	for _, line := range got {
		if next < len(want) && damaged(want[next]) {
			next++
		}
		if next < len(want) && !damaged(line) && raw(line) == raw(want[next]) {
			next++
		}
	}
	for ; next < len(want); next++ {
		if !damaged(want[next]) {
			t.Fatalf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
		}
	}
}

func TestBatches(t *testing.T) {
	long := `{"pad":"` + strings.Repeat("x", batchBytes+1) + `"}`
	for name, in := range map[string]string{
		"nothing":            "",
		"one":                "{}",
		"more than one hold": strings.Repeat("{\"a\":1}\n", 3*batchElements+1),
		"as many as hold":    strings.Repeat("{}\n", batchElements),
		"a long one between": "{}\n" + long + "\n{}\n",
		"damage between":     "{}\n{\"a\":\n{\"a\":tru}\n{}\n",
		"damage in an array": `{"Records":[{},{"a":},{}]}`,
		"zipped":             zip(t, strings.Repeat("{}\n", 5)),
		"zipped, cut off":    zip(t, "{}\n")[:12],
	} {
		t.Run(name, func(t *testing.T) {
			sameElements(t, []byte(in))
		})
	}
}

func TestBatchesStopWhenTold(t *testing.T) {
	file := File{Name: "f", Open: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(strings.Repeat("{}\n", 10*batchElements))), nil
	}}
	n := 0
	for range file.Batches(t.Context(), new(Desk), func() *Batch { return &Batch{} }, Skim{}) {
		n++
		break
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	for range file.Batches(ctx, new(Desk), func() *Batch { return &Batch{} }, Skim{}) {
		n++
		stop()
	}
	if n > 3 { // one is full when it stops, and what is held by then comes
		t.Errorf("%d batches", n)
	}
}

func TestBatchesOfNoFile(t *testing.T) {
	file := local("/nowhere/at/all.json", nil)
	var got []string
	for batch := range file.Batches(t.Context(), new(Desk), func() *Batch { return &Batch{} }, Skim{}) {
		for _, err := range batch.All() {
			got = append(got, fmt.Sprint(err))
		}
	}
	same(t, got, []string{"/nowhere/at/all.json: no such file or directory"})
}

// TestBatchesCountOn: what is left out is told when it is wanted, and takes no
// room until then; what is held comes once a batch is full of it.
func TestBatchesCountOn(t *testing.T) {
	const elements = 5 * batchPassed
	file := File{Name: "f", Open: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(strings.Repeat("{}\n", elements))), nil
	}}
	for _, c := range []struct {
		wanted, out bool
		want        []int
	}{
		{false, true, []int{elements}},
		{true, true, slices.Repeat([]int{batchPassed}, 5)},
		{false, false, slices.Repeat([]int{batchElements}, elements/batchElements)},
	} {
		var got []int
		skim := Skim{Look: func([]byte) (int, bool) { return len("{}"), c.out }, Wanted: func() bool { return c.wanted }}
		for batch := range file.Batches(t.Context(), new(Desk), func() *Batch { return &Batch{} }, skim) {
			got = append(got, batch.Len())
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("wanted %v, left out %v: batches of %v, want %v", c.wanted, c.out, got, c.want)
		}
	}
}
