package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/evidence"
	"github.com/skycrafters/responder/internal/faults"
	"github.com/skycrafters/responder/internal/sqlite"
)

// childEnv makes this test binary the process to be killed: path, then round.
const childEnv = "RESPONDER_TEST_CHILD"

func TestMain(m *testing.M) {
	if path, round, ok := strings.Cut(os.Getenv(childEnv), "|"); ok {
		fmt.Println("failed", workUntilKilled(path, round))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// workUntilKilled sends, acks and saves, and says each time what has been done.
func workUntilKilled(path, round string) error {
	db, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		return err
	}
	ctx, q, failed := context.Background(), db.Queue("events", sqlite.QueueOptions{}), make(chan error)
	for sender := range 3 {
		go func() {
			for i := 0; ; i++ {
				one, two := fmt.Sprintf("%s.%d.%d.a", round, sender, i), fmt.Sprintf("%s.%d.%d.b", round, sender, i)
				if err := q.Send(ctx, responder.Message{Body: []byte(one)}, responder.Message{Body: []byte(two)}); err != nil {
					failed <- err
				}
				fmt.Printf("sent %s\nsent %s\n", one, two)
			}
		}()
	}
	go func() {
		for {
			deliveries, err := q.Receive(ctx, 2, time.Second)
			if err != nil {
				failed <- err
			}
			for _, d := range deliveries {
				fmt.Println("took", string(d.Body))
				if err := q.Ack(ctx, d); err != nil {
					failed <- err
				}
				fmt.Println("acked", string(d.Body))
			}
		}
	}()
	go func() {
		run := newRun("run-"+round, responder.RunWaiting, time.Now())
		err := db.Runs().Create(ctx, run)
		for err == nil {
			fmt.Println("saved", run.Version)
			run.Token = fmt.Sprint(run.Version)
			err = db.Runs().Save(ctx, run)
		}
		failed <- err
	}()
	return <-failed
}

// A process killed at any moment loses nothing that it had been told is done.
func TestKilledProcessLosesNothing(t *testing.T) {
	path, rounds := newPath(t), 3
	if faults.Built {
		rounds = 60
	}
	sent, took, acked := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for round := range rounds {
		var saved int64
		lines := killAfter(t, path, fmt.Sprint(round), 150+100*(round%3))
		for _, line := range lines {
			what, of, _ := strings.Cut(line, " ")
			switch what {
			case "sent":
				sent[of] = true
			case "took":
				took[of] = true
			case "acked":
				acked[of] = true
			case "saved":
				if _, err := fmt.Sscan(of, &saved); err != nil {
					t.Fatal(err)
				}
			default:
				t.Fatalf("child said %q", line)
			}
		}
		viewer, err := sqlite.OpenReadOnly(path, sqlite.Options{})
		if err != nil {
			t.Fatalf("OpenReadOnly of what a killed process left: %v", err)
		}
		if run, err := viewer.Runs().Get(t.Context(), "run-"+fmt.Sprint(round)); err != nil || run.Version < saved {
			t.Errorf("round %d: who only looks sees %+v, %v; want version %d or the next", round, run, err, saved)
		}
		closed(t, viewer)
		db := openAt(t, path, time.Now)
		if run, err := db.Runs().Get(t.Context(), "run-"+fmt.Sprint(round)); err != nil || run.Version < saved || run.Version > saved+1 {
			t.Errorf("round %d: the run is %+v, %v; want version %d or the next", round, run, err, saved)
		}
		closed(t, db)
	}

	// An hour later all that was in flight is deliverable again.
	db := openAt(t, path, func() time.Time { return time.Now().Add(time.Hour) })
	left := map[string]bool{}
	for {
		deliveries, err := db.Queue("events", sqlite.QueueOptions{}).Receive(t.Context(), 100, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(deliveries) == 0 {
			break
		}
		for _, d := range deliveries {
			if left[string(d.Body)] {
				t.Errorf("%s is there twice", d.Body)
			}
			left[string(d.Body)] = true
		}
	}
	for body := range sent {
		if !left[body] && !took[body] {
			t.Errorf("%s was sent and is lost", body)
		}
	}
	for body := range acked {
		if left[body] {
			t.Errorf("%s was acked and came again", body)
		}
	}
	for body := range left { // both of a batch, or none
		other := body[:len(body)-1] + map[byte]string{'a': "b", 'b': "a"}[body[len(body)-1]]
		if !left[other] && !took[other] {
			t.Errorf("of one batch %s is there and %s is not", body, other)
		}
	}
	evidence.Report(t, "Killed store", evidence.Figures{
		Load: fmt.Sprintf("%d messages sent, %d acked, %d left", len(sent), len(acked), len(left)), Faults: fmt.Sprintf("%d kills", rounds), Doubled: "0",
	})
}

// killAfter runs a child on the file, kills it when it has said so many lines, and
// all it has to say at least once, and gives all it said. While it lives, others may
// look and not own.
func killAfter(t *testing.T, path, round string, n int) (lines []string) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childEnv+"="+path+"|"+round)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	scanner, said, looked, killed := bufio.NewScanner(out), map[string]int{}, false, false
	for scanner.Scan() {
		lines = append(lines, scanner.Text())
		what, _, _ := strings.Cut(scanner.Text(), " ")
		said[what]++
		switch all := min(said["sent"], said["acked"], said["saved"]) > 0; {
		case !looked && all && len(lines) >= n/2:
			lookAt(t, path, child.Process.Pid)
			looked = true
		case looked && !killed && len(lines) >= n:
			if err := child.Process.Kill(); err != nil {
				t.Error(err)
			}
			killed = true
		}
	}
	if err := child.Wait(); err == nil || scanner.Err() != nil {
		t.Fatalf("child ended with %v, reading it with %v", err, scanner.Err())
	}
	return lines
}

// lookAt is what other processes may do with a file that one owns.
func lookAt(t *testing.T, path string, owner int) {
	t.Helper()
	if _, err := sqlite.Open(path, sqlite.Options{}); !errors.Is(err, sqlite.ErrInUse) || !strings.Contains(err.Error(), fmt.Sprintf("(process %d)", owner)) {
		t.Errorf("Open beside a living owner gave %v, want ErrInUse and process %d", err, owner)
	}
	db, err := sqlite.OpenReadOnly(path, sqlite.Options{})
	if err != nil {
		t.Errorf("OpenReadOnly beside a living owner: %v", err)
		return
	}
	defer closed(t, db)
	stats, err := db.Stats(t.Context())
	if q := stats.Queues["events"]; err != nil || q.Ready+q.InFlight == 0 || stats.Runs[responder.RunWaiting] == 0 {
		t.Errorf("one who looks beside a living owner sees %+v, %v", stats, err)
	}
	if page, err := db.Runs().List(t.Context(), responder.RunQuery{}); err != nil || len(page.Runs) == 0 {
		t.Errorf("List beside a living owner gave %v, %v", page, err)
	}
}
