package stacktest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// testNumbers tells size, start and memory of each function, and fails where one
// is far out of what Lambda is given.
func testNumbers(t *testing.T, d *deployed) {
	for _, function := range []struct{ name, resource string }{{"ingest", "IngestFunction"}, {"detect", "DetectFunction"}, {"dispatch", "DispatchFunction"}} {
		pids := d.processes(t, function.name)
		if len(pids) == 0 {
			t.Errorf("no process of %s is left", function.name)
			continue
		}
		peak := 0
		for _, pid := range pids {
			peak = max(peak, peakMemory(t, pid))
		}
		folder := filepath.Join(os.Getenv(builtVariable), function.resource)
		info, err := os.Stat(filepath.Join(folder, "bootstrap"))
		if err != nil {
			t.Fatal(err)
		}
		start := startTime(t, folder, pids[0])
		shown(t, "%-8s  %4.1f MB program  %4d ms from process start to ready (median of 5)  %3d MB at most in memory, after all this", function.name, float64(info.Size())/1e6, start.Milliseconds(), peak/1000)
		if start > 5*time.Second || peak > 400_000 {
			t.Errorf("%s takes %v to start and %d kB of memory; Lambda gives it 10 s and 512 MB", function.name, start, peak)
		}
	}
}

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peakMemory is the most memory that a process has had, in kB.
func peakMemory(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	found := highWater.FindSubmatch(status)
	if found == nil {
		t.Fatalf("process %d has no VmHWM", pid)
	}
	kB, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return kB
}

// startTime starts a function again and again, with the environment of one that
// runs, until it asks for its first invocation. It gives the median.
func startTime(t *testing.T, folder string, running int) time.Duration {
	t.Helper()
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", running))
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan time.Time, 8)
	api := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case ready <- time.Now():
		default:
		}
		<-r.Context().Done() // no invocation ever comes
	}))
	defer api.Close()
	var took []time.Duration
	for range 5 {
		cmd := exec.CommandContext(t.Context(), filepath.Join(folder, "bootstrap"))
		cmd.Env = append(strings.Split(strings.TrimRight(string(environ), "\x00"), "\x00"), "AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(api.URL, "http://"), "LAMBDA_TASK_ROOT="+folder)
		began := time.Now()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		select {
		case at := <-ready:
			took = append(took, at.Sub(began))
		case <-time.After(10 * time.Second):
			t.Errorf("%s does not ask for an invocation within 10 s", folder)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // it was killed
	}
	if len(took) == 0 {
		t.FailNow()
	}
	slices.Sort(took)
	return took[len(took)/2]
}
