package dispatch

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/skycrafters/responder"
)

// Config is what a Dispatcher needs. The first four are required; zero values
// of the others mean what stands beside them.
type Config struct {
	Flows     func() *Flows // the current set; asked again at every step
	Catalogue responder.Catalogue
	Runs      responder.RunStore
	Findings  responder.Sender // for wakes

	Counters    responder.Counters               // for cooldowns and limits; none: a flow that has one is refused
	Halts       responder.Halts                  // flows that repair nothing for now; none: no flow is ever halted
	Accounts    func() map[string]map[string]any // what rules.yml says of accounts; none
	Mode        responder.Mode                   // of new runs, and the most that any run may do here; dry
	MaxAge      time.Duration                    // events older than that get dry repairs; 24 h
	OwnRoles    []string                         // ARNs of Responder's roles or users, paths apart: what they cause gets dry repairs
	Own         []string                         // patterns of ARNs of Responder's own resources, which no repair touches
	Concurrency int                              // runs at a time; 8
	Lease       time.Duration                    // how long after a worker's death its runs are taken up; 2 min
	SkipWaits   bool                             // waits are noted and passed over

	Now    func() time.Time // time.Now
	Jitter func() float64   // in [0, 1); math/rand
	Token  func() string    // names an attempt to write; crypto/rand
	Logger zerolog.Logger   // silent

	// Who is told what happens: nobody, where nil. They are called by many
	// goroutines at once, and must not change what they are shown.
	Observe   func(*responder.Run)                     // every stored state of a run
	Attempted func(AttemptReport)                      // an attempt is over
	Held      func(HeldReport)                         // a guard held a step back
	Warned    func(responder.Warning)                  // people are told that a guard keeps a flow from repairing; once for each, or again if a worker died over it
	Repeated  func(f responder.Finding, runs []string) // a finding met runs of its own, made before
	Parked    func(run string)                         // a run that cannot be decoded was put by; again at each try
}

// AttemptReport is what there is to tell of an attempt of a step, or of a look
// before or after it.
type AttemptReport struct {
	Action string // its name in the catalogue
	Kind   responder.Kind
	Verify bool // a look at whether it was done
	Survey bool // a look at what there is, before the first try
	Took   time.Duration
	Err    error // as in Tried, Verified or Surveyed; nil: it worked, or the look found out
}

// HeldReport is what there is to tell of a step that a guard held back.
type HeldReport struct {
	Flow   string
	Action string
	Guard  string // one of Guards
}

// Dispatcher makes runs of findings and carries them on. Safe for concurrent
// use; any number may work on one queue and store.
type Dispatcher struct {
	Config
	guards  guards
	scripts scripts
	rung    rung
	told    remembered        // runs that tell of notices left out, and counters that are full
	grace   time.Duration     // for an action to notice that its time is over
	judged  func(fence) fence // what guards are asked, of what stands around a repair
}

// The defaults of Config.
const (
	defaultMaxAge      = 24 * time.Hour
	defaultConcurrency = 8
	defaultLease       = 2 * time.Minute
)

// margin is kept free before the deadline of a call, to store what came of it.
const margin = 2 * time.Second

// New gives a Dispatcher. An error names what Config lacks.
func New(c Config) (*Dispatcher, error) {
	if c.Flows == nil || c.Catalogue == nil || c.Runs == nil || c.Findings == nil {
		return nil, errors.New("dispatch: Flows, Catalogue, Runs and Findings are required")
	}
	if flows := c.Flows(); flows != nil && c.Counters == nil && flows.cooling() != "" {
		return nil, fmt.Errorf("dispatch: the flow %s has a cooldown, and there are no Counters", flows.cooling())
	}
	if _, counts := c.Counters.(responder.Budget); !counts && c.Flows() != nil && c.Flows().limited() != "" {
		return nil, fmt.Errorf("dispatch: the flow %s has limits, and there are no Counters that admit", c.Flows().limited())
	}
	if c.Mode == "" {
		c.Mode = responder.ModeDry
	}
	if c.MaxAge <= 0 {
		c.MaxAge = defaultMaxAge
	}
	if c.Concurrency <= 0 {
		c.Concurrency = defaultConcurrency
	}
	if c.Lease <= 0 {
		c.Lease = defaultLease
	}
	if c.Accounts == nil {
		c.Accounts = func() map[string]map[string]any { return nil }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Jitter == nil {
		c.Jitter = mathrand.Float64
	}
	if c.Token == nil {
		c.Token = rand.Text
	}
	if c.Observe == nil {
		c.Observe = func(*responder.Run) {}
	}
	if c.Attempted == nil {
		c.Attempted = func(AttemptReport) {}
	}
	if c.Held == nil {
		c.Held = func(HeldReport) {}
	}
	if c.Warned == nil {
		c.Warned = func(responder.Warning) {}
	}
	if c.Repeated == nil {
		c.Repeated = func(responder.Finding, []string) {}
	}
	if c.Parked == nil {
		c.Parked = func(string) {}
	}
	return &Dispatcher{
		Config: c,
		guards: guards{mode: c.Mode, maxAge: c.MaxAge, ownRoles: c.OwnRoles, own: c.Own},
		grace:  margin / 2,
		judged: func(f fence) fence { return f },
	}, nil
}

// now is the moment, without what does not survive a store.
func (d *Dispatcher) now() time.Time { return d.Now().UTC().Round(0) }

// Handle takes deliveries of the findings queue: each finding becomes a run of
// every flow that is for it, each wake carries on the run it names. A run is
// stored before anything of it leaves. What Handle does not name as a failure is
// taken care of and can be acknowledged; the rest comes again.
//
// It returns two seconds before the deadline of ctx, if there is one; runs that
// are not at rest then are rung for again.
func (d *Dispatcher) Handle(ctx context.Context, deliveries []responder.Delivery) []responder.Failure {
	accepted := make([][]job, len(deliveries))
	faults := make([]fault, len(deliveries))
	d.each(len(deliveries), func(i int) {
		accepted[i], faults[i] = d.accept(ctx, deliveries[i].Body)
	})

	type claim struct{ delivery, job int }
	var claims []claim
	for i, jobs := range accepted {
		for j := range jobs {
			claims = append(claims, claim{i, j})
		}
	}
	errs := make([]error, len(claims))
	claimed := func(n int) *job { return &accepted[claims[n].delivery][claims[n].job] }
	d.each(len(claims)-d.Concurrency, func(n int) {
		n += d.Concurrency
		errs[n] = d.enlist(ctx, claimed(n))
	})
	d.each(len(claims), func(n int) {
		if errs[n] == nil {
			errs[n] = d.advance(ctx, *claimed(n))
		}
	})
	for n, c := range claims {
		f := &faults[c.delivery]
		f.err = errors.Join(f.err, errs[n])
		switch {
		case claimed(n).woken && errors.Is(errs[n], responder.ErrNotFound): // its run is long forgotten
			f.dead = true
		case claimed(n).run != nil && errors.Is(errs[n], responder.ErrTooLarge): // also without what its steps were given
			f.dead = true
		}
	}

	failures := make([]responder.Failure, 0)
	for i, f := range faults {
		if f.err != nil {
			failures = append(failures, responder.Failure{ID: deliveries[i].ID, Err: fmt.Errorf("dispatch: %w", f.err), Dead: f.dead})
		}
	}
	return failures
}

// fault is why a delivery could not be handled, and whether another try cannot help.
type fault struct {
	err  error
	dead bool
}

// each calls f for 0 … n-1, Concurrency at a time, and returns when all are through.
func (d *Dispatcher) each(n int, f func(i int)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, d.Concurrency)
	for i := range max(n, 0) {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			f(i)
		})
	}
	wg.Wait()
}
