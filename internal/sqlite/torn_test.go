package sqlite_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/skycrafters/responder/internal/evidence"
	"github.com/skycrafters/responder/internal/faults"
	"github.com/skycrafters/responder/internal/sqlite"
)

// image is the files of a store, as a kill or a failing disk leaves them.
type image map[string][]byte // by what comes after the database's path

// takeImage copies the files of a store, which may be open.
func takeImage(t *testing.T, path string) image {
	t.Helper()
	files := image{}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		data, err := os.ReadFile(path + suffix)
		if err == nil {
			files[suffix] = data
		} else if !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	return files
}

// lay puts the files into a new folder.
func (f image) lay(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "responder.db")
	for suffix, data := range f {
		if err := os.WriteFile(path+suffix, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// with gives the image with one file changed.
func (f image) with(suffix string, change func([]byte) []byte) image {
	changed := image{}
	for s, data := range f {
		changed[s] = data
		if s == suffix {
			changed[s] = change(bytes.Clone(data))
		}
	}
	return changed
}

// TestFaultTorn opens what failing disks leave. A log that is cut off or
// damaged ends at the last commit in front of that; a damaged file is refused
// and left as it is, or holds what it held, but for the bytes that are content.
func TestFaultTorn(t *testing.T) {
	const sent = 60
	path := newPath(t)
	db := openAt(t, path, time.Now)
	q := db.Queue("events", sqlite.QueueOptions{})
	for n := range sent {
		send(t, q, fmt.Sprintf("%04d %s", n, bytes.Repeat([]byte("x"), 900)))
	}
	killed := takeImage(t, path) // all of it is in the log
	closed(t, db)
	stopped := takeImage(t, path) // all of it is in the file
	if len(killed["-wal"]) < 100_000 || len(stopped["-wal"]) != 0 {
		t.Fatalf("logs of %d and %d bytes", len(killed["-wal"]), len(stopped["-wal"]))
	}
	rounds := 20
	if faults.Built {
		rounds = 200
	}
	dice := rand.New(rand.NewPCG(1, 3))
	somewhere := func(data []byte) int { return dice.IntN(len(data)) }
	flip := func(data []byte) []byte { data[somewhere(data)] ^= 1 << dice.IntN(8); return data }

	kept := func(what string, files image) int {
		t.Helper()
		n, err := opened(t, files)
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		return n
	}
	for what, files := range map[string]image{
		"as killed":                    killed,
		"as stopped":                   stopped,
		"no index of the log":          killed.with("-shm", func([]byte) []byte { return nil }),
		"a torn index of the log":      killed.with("-shm", func(data []byte) []byte { return data[:somewhere(data)] }),
		"rubbish as index of the log":  killed.with("-shm", func(data []byte) []byte { return bytes.Repeat([]byte{0xa5}, len(data)) }),
		"rubbish at the log's end":     killed.with("-wal", func(data []byte) []byte { return append(data, bytes.Repeat([]byte{0xa5}, 5000)...) }),
		"a folded log that came again": {"": stopped[""], "-wal": {}},
	} {
		if n := kept(what, files); n != sent {
			t.Errorf("%s: %d of %d messages are there", what, n, sent)
		}
	}
	if n := kept("a log of length zero", killed.with("-wal", func([]byte) []byte { return nil })); n != 0 {
		t.Errorf("without the log there are %d messages", n)
	}
	refused := 0
	for range rounds {
		kept("a log cut off", killed.with("-wal", func(data []byte) []byte { return data[:somewhere(data)] }))
		kept("a log with a bit flipped", killed.with("-wal", flip))
		for what, files := range map[string]image{
			"a file cut off":            stopped.with("", func(data []byte) []byte { return data[:somewhere(data)] }),
			"a file with a page zeroed": stopped.with("", func(data []byte) []byte { clear(data[somewhere(data)&^4095:][:4096]); return data }),
		} {
			if n, err := opened(t, files); err != nil && !errors.Is(err, sqlite.ErrDamaged) && !errors.Is(err, sqlite.ErrForeign) {
				t.Errorf("%s: %v", what, err)
			} else if err != nil {
				refused++
			} else if n != sent && n != 0 { // 0: an empty file is a new one
				t.Errorf("%s is opened and %d of %d messages are there", what, n, sent)
			}
		}
		if _, err := opened(t, stopped.with("", flip)); err != nil { // what is content cannot be known to be wrong
			refused++
		}
	}
	if refused < rounds {
		t.Errorf("of %d damaged files %d were refused", 3*rounds, refused)
	}
	evidence.Report(t, "Torn file", evidence.Figures{
		Load: fmt.Sprintf("%d messages", sent), Faults: fmt.Sprintf("%d damaged logs opened as of a commit; of %d damaged files %d refused", 2*rounds, 3*rounds, refused), Doubled: "0", Seed: 1,
	})
}

// What comes of a message is not lost with it: wherever the log ends, an event
// is there as long as its finding, which nobody waits for, is not.
func TestFaultTornBetweenQueues(t *testing.T) {
	const sent = 40
	path := newPath(t)
	db := openAt(t, path, time.Now)
	queues := func(db *sqlite.DB) (events, findings *sqlite.Queue) {
		return db.Queue("events", sqlite.QueueOptions{}), db.Queue("findings", sqlite.QueueOptions{Derived: true})
	}
	events, findings := queues(db)
	var texts []string
	for n := range sent {
		texts = append(texts, fmt.Sprintf("%04d %s", n, bytes.Repeat([]byte("x"), 300)))
	}
	send(t, events, texts...)
	laid := len(takeImage(t, path)["-wal"]) // this much is on the disk
	for range sent / 5 {
		batch, err := events.Receive(t.Context(), 5, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range batch {
			send(t, findings, string(d.Body))
		}
		if err := events.Ack(t.Context(), batch...); err != nil {
			t.Fatal(err)
		}
	}
	whole := takeImage(t, path)
	dice := rand.New(rand.NewPCG(1, 4))
	moved := map[int]bool{}
	for range 20 {
		cut := whole.with("-wal", func(data []byte) []byte { return data[:laid+dice.IntN(len(data)-laid)] })
		db, err := sqlite.Open(cut.lay(t), sqlite.Options{Now: func() time.Time { return time.Now().Add(time.Hour) }})
		if err != nil {
			t.Fatal(err)
		}
		there := map[string]bool{}
		found := 0
		events, findings := queues(db)
		for _, q := range []*sqlite.Queue{events, findings} {
			deliveries, err := q.Receive(t.Context(), 10*sent, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range deliveries {
				there[string(d.Body)] = true
			}
			if q == findings {
				found = len(deliveries)
			}
		}
		if len(there) != sent {
			t.Errorf("%d of %d events are there, themselves or as findings", len(there), sent)
		}
		moved[found] = true
		closed(t, db)
	}
	if len(moved) < 5 {
		t.Errorf("the log was cut at %d different moments only", len(moved))
	}
}

// opened opens files and says how many messages they hold, which must be the
// first that were sent, each once. What is refused must be left as it was.
func opened(t *testing.T, files image) (n int, err error) {
	t.Helper()
	path := files.lay(t)
	db, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		if after, readErr := os.ReadFile(path); readErr != nil || !bytes.Equal(after, files[""]) {
			t.Errorf("what was refused (%v) is changed (%v)", err, readErr)
		}
		return 0, err
	}
	deliveries, err := db.Queue("events", sqlite.QueueOptions{}).Receive(t.Context(), 1000, 0)
	if err != nil {
		return 0, errors.Join(err, db.Close())
	}
	seen := map[string]bool{}
	for _, d := range deliveries {
		seen[string(d.Body[:min(4, len(d.Body))])] = true
	}
	for i := range deliveries {
		if !seen[fmt.Sprintf("%04d", i)] && len(files["-wal"]) > 0 {
			t.Errorf("of %d messages number %d is missing", len(deliveries), i)
		}
	}
	return len(deliveries), db.Close()
}
