package main

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder/internal/evidence"
	"github.com/skycrafters/responder/internal/faults"
)

// outage is a store that cannot be written to for a while.
type outage struct {
	begin, end func(v *victim)
	says       string // what is the matter, as the program tells it
	refusals   int    // how many to wait for
}

// outlive has the program live through an outage while events come in: first
// at work, then killed in it and started in it. What it accepts is done in the
// end; what it cannot keep it does not accept.
func (c *cli) outlive(o outage) evidence.Figures {
	c.t.Helper()
	twoFlows(c)
	honest, deaf := newSink(c.t, true, 1), newSink(c.t, false, 1)
	sinks := []string{"HONEST=" + honest.url, "DEAF=" + deaf.url}
	var accepted []string
	refused := 0
	offer := func(to *door, name string) int {
		status := to.event(c.t, name)
		switch status {
		case 202:
			accepted = append(accepted, name)
		case 503:
			refused++
		default:
			c.t.Fatalf("%s is answered %d", name, status)
		}
		return status
	}
	recovered := func(to *door, name string) {
		c.t.Helper()
		for began := time.Now(); offer(to, name) != 202; {
			if time.Since(began) > overdue {
				c.t.Fatal("the outage is over and events are still refused")
			}
		}
	}

	v := c.launch(sinks...)
	to := v.served()
	for n := range 20 {
		if name := fmt.Sprint("before.", n); offer(to, name) != 202 {
			c.t.Fatalf("%s is refused", name)
		}
	}
	o.begin(v)
	for n := 0; refused < o.refusals; n++ {
		offer(to, fmt.Sprint("in.", n))
	}
	o.end(v)
	recovered(to, "between")
	o.begin(v)
	for n := 0; refused < 2*o.refusals; n++ {
		offer(to, fmt.Sprint("again.", n))
	}
	said := v.said()
	if !strings.Contains(said, o.says) {
		c.t.Errorf("it does not say %q; it says\n%s", o.says, said)
	}
	if lines := strings.Count(said, "\n"); lines > 400 {
		c.t.Errorf("it writes %d lines about it", lines)
	}
	v.kill()

	v = c.launch(sinks...) // while it lasts
	ctx, cancel := context.WithTimeout(c.t.Context(), overdue)
	defer cancel()
	if url := v.address(ctx); url != "" {
		if status := offer(c.doorAt(url), "started"); status != 503 {
			c.t.Errorf("started in the outage, it answers %d", status)
		}
		v.kill()
	} else if code := v.ended(); code != exitFailed || !strings.Contains(v.said(), o.says) || strings.Contains(v.said(), "panic") {
		c.t.Errorf("started in the outage, it ends with %d and says\n%s", code, v.said())
	}
	o.end(v)

	v = c.launch(sinks...)
	recovered(v.served(), "after")
	c.waitForRuns(2 * len(accepted))
	v.stop()
	lost, doubled := honest.count(accepted, stepsTold)
	more, doubledDeaf := deaf.count(accepted, stepsTold)
	if lost = append(lost, more...); len(lost) > 0 || doubled > 0 {
		c.t.Errorf("%d steps of accepted events were never done: %.400v; %d were done more than once", len(lost), lost, doubled)
	}
	return evidence.Figures{
		Load:    fmt.Sprintf("%d events accepted, %d refused", len(accepted), refused),
		Faults:  "2 outages, a kill and a start in the second",
		Lost:    len(lost),
		Doubled: fmt.Sprintf("%d where the key is honoured; %d where it is not", doubled, doubledDeaf),
	}
}

// TestFaultLocked: another program holds the file locked.
func TestFaultLocked(t *testing.T) {
	if !faults.Built {
		t.Skip("waits for SQLite's patience to end, many times: for make test-faults")
	}
	c := newCLI(t)
	var other *sql.DB
	evidence.Report(t, "Locked by another program", c.outlive(outage{
		begin: func(*victim) {
			var err error
			if other, err = sql.Open("sqlite", "file:"+filepath.Join(c.data, dbFile)+"?_busy_timeout=10000"); err != nil {
				t.Fatal(err)
			}
			other.SetMaxOpenConns(1)
			if _, err := other.Exec("BEGIN IMMEDIATE"); err != nil {
				t.Fatal(err)
			}
		},
		end: func(*victim) {
			if err := other.Close(); err != nil {
				t.Fatal(err)
			}
		},
		says:     "another program holds the database locked",
		refusals: 1,
	}))
}
