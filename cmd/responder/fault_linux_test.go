package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/skycrafters/responder/internal/evidence"
	"github.com/skycrafters/responder/internal/faults"
)

// smallDisk is the environment variable by which a test finds a small disk of
// its own.
const smallDisk = "RESPONDER_TEST_SMALL_DISK"

// onSmallDisk has a test work on a file system of 8 MB that it alone sees: it is
// run once more, in a process for which there is one.
func onSmallDisk(t *testing.T, work func(folder string)) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts processes")
	}
	if folder := os.Getenv(smallDisk); folder != "" {
		work(folder)
		return
	}
	folder := t.TempDir()
	const noDisk = 99
	cmd := exec.Command("/bin/sh", "-c", `mount -t tmpfs -o size=8m none "$0" || exit 99; exec "$@"`, folder,
		os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), smallDisk+"="+folder)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	switch {
	case errors.As(err, &ended) && ended.ExitCode() != noDisk:
		t.Fatalf("%v\n%s", err, out)
	case err != nil:
		t.Skipf("this machine lets nobody mount a file system of his own: %v %s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "_test.go:") {
			t.Log(strings.TrimSpace(line))
		}
	}
}

// TestFaultDiskFull: there is no room on the disk.
func TestFaultDiskFull(t *testing.T) {
	onSmallDisk(t, func(folder string) {
		c := newCLI(t)
		c.data = filepath.Join(folder, "data")
		ballast := filepath.Join(folder, "ballast")
		evidence.Report(t, "Disk full", c.outlive(outage{
			begin: func(*victim) { fill(t, ballast) },
			end: func(*victim) {
				if err := os.Remove(ballast); err != nil {
					t.Fatal(err)
				}
			},
			says:     "the disk is full: make room",
			refusals: 5,
		}))
	})
}

// fill writes a file until nothing more goes on the disk.
func fill(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, size := range []int{1 << 20, 1 << 12, 1} {
		for err = nil; err == nil; {
			_, err = file.Write(make([]byte, size))
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}

// TestFaultReadOnly: the folder of the data can be read only.
func TestFaultReadOnly(t *testing.T) {
	onSmallDisk(t, func(folder string) {
		c := newCLI(t)
		twoFlows(c)
		remount := func(how string) {
			if out, err := exec.Command("mount", "-o", "remount,"+how, folder).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
		}
		starts := 0
		refused := func(what string) {
			remount("ro")
			v := c.launch()
			if code := v.ended(); code != exitFailed || !strings.Contains(v.said(), "cannot be written to: give the right to, or name another folder") || !strings.Contains(v.said(), c.data) {
				t.Errorf("%s: it ends with %d and says\n%s", what, code, v.said())
			}
			starts++
			remount("rw")
		}
		c.data = filepath.Join(folder, "data")
		refused("no data yet")
		v := c.launch()
		if status := v.served().event(t, "one"); status != 202 {
			t.Fatalf("answered %d", status)
		}
		v.kill()
		refused("data that a killed process left")
		v = c.launch()
		v.served()
		v.stop()
		refused("data as after a stop")
		evidence.Report(t, "Read-only folder", evidence.Figures{
			Load: "data none, killed over and stopped", Faults: fmt.Sprintf("%d starts", starts), Doubled: "–",
		})
	})
}

// TestFaultWriteRefused: the disk takes no more of the files, as one that fails
// or a quota does.
func TestFaultWriteRefused(t *testing.T) {
	if !faults.Built {
		t.Skip("takes ten seconds: for make test-faults")
	}
	c := newCLI(t)
	limit := func(v *victim, bytes uint64) {
		const fileSize = 1 // RLIMIT_FSIZE
		to := syscall.Rlimit{Cur: bytes, Max: math.MaxUint64}
		if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(v.cmd.Process.Pid), fileSize, uintptr(unsafe.Pointer(&to)), 0, 0, 0); errno != 0 && errno != syscall.ESRCH {
			t.Skipf("this machine does not let the limits of a process be changed: %v", errno)
		}
	}
	evidence.Report(t, "Writes refused by the disk", c.outlive(outage{
		begin:    func(v *victim) { limit(v, 4096); c.shell = "ulimit -f 8" }, // of 512 bytes
		end:      func(v *victim) { limit(v, math.MaxUint64); c.shell = "" },
		says:     "the disk refuses",
		refusals: 5,
	}))
}
