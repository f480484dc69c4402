package sqs

import (
	"testing"
	"time"

	"github.com/skycrafters/responder/internal/porttest"
)

func TestQueue(t *testing.T) { porttest.Queue(t, openFake) }
func TestDead(t *testing.T)  { porttest.Dead(t, openFake) }

func openFake(t *testing.T) porttest.QueueHarness {
	t.Parallel()
	f := newFake()
	queue, dead := f.open()
	return porttest.QueueHarness{
		Queue: queue, Dead: dead, Visibility: 30 * time.Second, MaxReceives: 3, Advance: f.advance, MinDelay: time.Second,
	}
}
