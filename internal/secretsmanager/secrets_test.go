package secretsmanager_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssecrets "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/emulator"
	"github.com/skycrafters/responder/internal/porttest"
	"github.com/skycrafters/responder/internal/secretsmanager"
)

// fake is Secrets Manager in memory; time is told.
type fake struct {
	mu       sync.Mutex
	now      time.Time
	versions map[string][]version // latest last
	requests int
	fail     error         // of every request
	hold     chan struct{} // if set, a request waits for it
}

type version struct {
	value  string
	binary bool
	made   time.Time
}

func newFake() *fake {
	return &fake{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), versions: map[string][]version{}}
}

func (f *fake) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *fake) Advance(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
}

func (f *fake) set(name, value string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.versions[name] = append(f.versions[name], version{value: value, made: f.now})
}

// asked gives the number of requests since it was last called.
func (f *fake) asked() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.requests
	f.requests = 0
	return n
}

func (f *fake) GetSecretValue(ctx context.Context, in *awssecrets.GetSecretValueInput, _ ...func(*awssecrets.Options)) (*awssecrets.GetSecretValueOutput, error) {
	if f.hold != nil {
		select {
		case <-f.hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests++
	if f.fail != nil {
		return nil, f.fail
	}
	versions := f.versions[*in.SecretId]
	back := map[string]int{"AWSCURRENT": 1, "AWSPREVIOUS": 2}[*in.VersionStage]
	if len(versions) < back {
		return nil, &types.ResourceNotFoundException{Message: aws.String("Secrets Manager can't find the specified secret value for staging label: " + *in.VersionStage)}
	}
	v := versions[len(versions)-back]
	out := &awssecrets.GetSecretValueOutput{CreatedDate: &v.made}
	if v.binary {
		out.SecretBinary = []byte(v.value)
	} else {
		out.SecretString = &v.value
	}
	return out, nil
}

func TestSecrets(t *testing.T) {
	porttest.Secrets(t, func(t *testing.T) porttest.SecretsHarness {
		f := newFake()
		return porttest.SecretsHarness{
			Secrets: secretsmanager.New(f, "", f.Now),
			Set:     func(_ *testing.T, name, value string) { f.set(name, value) },
			Now:     f.Now, Advance: f.Advance,
		}
	})
}

func TestEmulatedSecrets(t *testing.T) {
	for name, config := range map[string]func(testing.TB) aws.Config{"AWS": emulator.AWS, "Moto": emulator.Moto} {
		t.Run(name, func(t *testing.T) {
			client := awssecrets.NewFromConfig(config(t))
			porttest.Secrets(t, func(t *testing.T) porttest.SecretsHarness { return openEmulated(t, client) })
		})
	}
}

// openEmulated gives secrets under a prefix of their own; what is told of time
// runs ahead of the emulator's.
func openEmulated(t *testing.T, client *awssecrets.Client) porttest.SecretsHarness {
	prefix := fmt.Sprintf("conformance-%x/", rand.Uint64())
	var ahead time.Duration
	now := func() time.Time { return time.Now().Add(ahead) }
	set := func(t *testing.T, name, value string) {
		t.Helper()
		id := prefix + name
		_, err := client.CreateSecret(t.Context(), &awssecrets.CreateSecretInput{Name: &id, SecretString: &value})
		var exists *types.ResourceExistsException
		if errors.As(err, &exists) {
			_, err = client.PutSecretValue(t.Context(), &awssecrets.PutSecretValueInput{SecretId: &id, SecretString: &value})
		} else if err == nil {
			t.Cleanup(func() {
				if _, err := client.DeleteSecret(context.Background(), &awssecrets.DeleteSecretInput{SecretId: &id, ForceDeleteWithoutRecovery: aws.Bool(true)}); err != nil {
					t.Errorf("delete the secret: %v", err)
				}
			})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return porttest.SecretsHarness{
		Secrets: secretsmanager.New(client, prefix, now), Set: set,
		Now: now, Advance: func(d time.Duration) { ahead += d },
	}
}

func reveal(t *testing.T, get func(context.Context, string) (responder.Secret, error)) (current, previous string) {
	t.Helper()
	secret, err := get(t.Context(), "key")
	if err != nil {
		t.Fatal(err)
	}
	return secret.Current.Reveal(), secret.Previous.Reveal()
}

func TestGetAsksEveryFiveMinutes(t *testing.T) {
	f := newFake()
	f.set("app/key", "old")
	f.Advance(48 * time.Hour)
	s := secretsmanager.New(f, "app/", f.Now)
	for _, step := range []struct {
		pass  time.Duration
		set   string
		value string
		asked int
	}{
		{0, "", "old", 1}, // made two days ago: nothing asked of the value before
		{0, "new", "old", 0},
		{5*time.Minute - 1, "", "old", 0},
		{1, "", "new", 2},
		{-time.Hour, "", "new", 2}, // a clock set back makes nothing live longer
	} {
		f.Advance(step.pass)
		if step.set != "" {
			f.set("app/key", step.set)
		}
		if got, _ := reveal(t, s.Get); got != step.value {
			t.Errorf("after %v: %q, want %q", step.pass, got, step.value)
		}
		if n := f.asked(); n != step.asked {
			t.Errorf("after %v: %d requests, want %d", step.pass, n, step.asked)
		}
	}
}

func TestFreshAsksEveryFiveSeconds(t *testing.T) {
	f := newFake()
	f.set("key", "old")
	s := secretsmanager.New(f, "", f.Now)
	reveal(t, s.Get)
	f.set("key", "new")
	f.Advance(5*time.Second - 1)
	f.asked()
	if got, _ := reveal(t, s.Fresh); got != "old" || f.asked() != 0 {
		t.Errorf("within five seconds: %q or asked again, want what is known", got)
	}
	f.Advance(1)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if got, previous := reveal(t, s.Fresh); got != "new" || previous != "old" {
				t.Errorf("after five seconds: %q, %q; want the new and the old value", got, previous)
			}
		})
	}
	all.Wait()
	if n := f.asked(); n != 2 {
		t.Errorf("ten at once made %d requests, want 2", n)
	}
	if got, _ := reveal(t, s.Get); got != "new" {
		t.Errorf("Get after Fresh gives %q, want the new value", got)
	}
}

func TestGraceEndsToTheMoment(t *testing.T) {
	f := newFake()
	f.set("key", "old")
	f.set("key", "new")
	s := secretsmanager.New(f, "", f.Now)
	f.Advance(24*time.Hour - 1)
	if _, previous := reveal(t, s.Get); previous != "old" {
		t.Errorf("a nanosecond before its end, the old value is %q", previous)
	}
	f.Advance(1)
	f.asked()
	if _, previous := reveal(t, s.Get); previous != "" || f.asked() != 0 {
		t.Errorf("at its end, the old value is %q, or a request was made", previous)
	}
}

func TestValuesAsTheyStand(t *testing.T) {
	f := newFake()
	s := secretsmanager.New(f, "", f.Now)
	for name, v := range map[string]version{
		"json":   {value: `{"key": "v" }`},
		"binary": {value: "bytes", binary: true},
		"empty":  {},
	} {
		f.versions[name] = []version{v}
		secret, err := s.Get(t.Context(), name)
		if err != nil || secret.Current.Reveal() != v.value {
			t.Errorf("%s: %q, %v; want %q", name, secret.Current.Reveal(), err, v.value)
		}
	}
}

func TestErrors(t *testing.T) {
	f := newFake()
	f.set("key", "s3cr3t")
	s := secretsmanager.New(f, "", f.Now)
	reveal(t, s.Get)
	f.fail = errors.New("throttled")
	f.Advance(time.Hour)
	_, err := s.Get(t.Context(), "key")
	if !errors.Is(err, f.fail) || strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("Get of a secret grown old: %v, want the fault and no value", err)
	}
	if errors.Is(err, responder.ErrNotFound) {
		t.Error("a fault counts as ErrNotFound")
	}
	f.fail = nil
	f.Advance(5 * time.Second)
	if got, _ := reveal(t, s.Get); got != "s3cr3t" {
		t.Errorf("after the fault: %q", got)
	}
}

// A failure is everybody's for five seconds, without a request each; what is
// known and not too old is given all the same.
func TestFailuresAreNotTriedByEveryCaller(t *testing.T) {
	f := newFake()
	s := secretsmanager.New(f, "", f.Now)
	throttled := errors.New("ThrottlingException: Rate exceeded")
	for _, step := range []struct {
		pass  time.Duration
		fail  error
		get   string // "": an error
		fresh string
		asked int
	}{
		{0, throttled, "", "", 1}, // a cold start
		{5*time.Second - 1, nil, "", "", 0},
		{1, nil, "v", "v", 2}, // a request for each of its two stages
		{5 * time.Second, throttled, "v", "", 1},
		{5*time.Second - 1, throttled, "v", "", 0},
		{1, throttled, "v", "", 1},
		{5*time.Minute - 10*time.Second - 1, throttled, "v", "", 1},
		{1, throttled, "", "", 0}, // grown old within five seconds of a failure
		{5 * time.Second, throttled, "", "", 1},
		{-time.Hour, throttled, "", "", 1}, // a clock set back does not make a failure last
		{5 * time.Second, nil, "v", "v", 2},
	} {
		f.Advance(step.pass)
		f.set("key", "v")
		f.versions["key"] = f.versions["key"][len(f.versions["key"])-1:]
		f.fail = step.fail
		for range 100 {
			for name, c := range map[string]struct {
				get  func(context.Context, string) (responder.Secret, error)
				want string
			}{"Get": {s.Get, step.get}, "Fresh": {s.Fresh, step.fresh}} {
				secret, err := c.get(t.Context(), "key")
				if (err == nil) != (c.want != "") || secret.Current.Reveal() != c.want || err != nil && !errors.Is(err, throttled) {
					t.Fatalf("after %v, %s: %q, %v; want %q", step.pass, name, secret.Current.Reveal(), err, c.want)
				}
			}
		}
		if n := f.asked(); n != step.asked {
			t.Errorf("after %v: %d requests, want %d", step.pass, n, step.asked)
		}
	}
}

// One secret that cannot be read says nothing of another.
func TestFailuresAreOfOneSecret(t *testing.T) {
	f := newFake()
	s := secretsmanager.New(f, "", f.Now)
	if _, err := s.Get(t.Context(), "nobody"); !errors.Is(err, responder.ErrNotFound) {
		t.Errorf("Get of nobody: %v", err)
	}
	f.set("key", "v")
	if got, _ := reveal(t, s.Get); got != "v" {
		t.Errorf("another is %q", got)
	}
	f.asked()
	if _, err := s.Get(t.Context(), "nobody"); !errors.Is(err, responder.ErrNotFound) || f.asked() != 0 {
		t.Errorf("Get of nobody again: %v, or asked again", err)
	}
}

// A caller that gives up does not wait for the one that is asking.
func TestContext(t *testing.T) {
	f := newFake()
	f.set("key", "v")
	f.hold = make(chan struct{})
	s := secretsmanager.New(f, "", f.Now)
	done := make(chan error)
	go func() {
		_, err := s.Get(t.Context(), "key")
		done <- err
	}()
	f.hold <- struct{}{} // the first request is under way
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Get(ctx, "key"); !errors.Is(err, context.Canceled) {
		t.Errorf("Get under a cancelled context: %v", err)
	}
	close(f.hold)
	if err := <-done; err != nil {
		t.Errorf("the one that asked: %v", err)
	}
}

// While one looks for a new value, others are served what is known. Who gives up
// leaves no failure to others; a request without an answer is given up.
func TestSlowRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.set("key", "v")
		f.Advance(48 * time.Hour)
		s := secretsmanager.New(f, "", f.Now)
		reveal(t, s.Get)
		f.Advance(time.Minute)
		f.asked()
		f.hold = make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		looks := make(chan error)
		look := func(ctx context.Context) {
			_, err := s.Fresh(ctx, "key")
			looks <- err
		}
		go look(ctx)
		synctest.Wait()
		if got, _ := reveal(t, s.Get); got != "v" {
			t.Errorf("Get during a request gives %q", got)
		}
		cancel()
		if err := <-looks; !errors.Is(err, context.Canceled) {
			t.Errorf("who gave up: %v", err)
		}
		began := time.Now()
		go look(t.Context())
		go look(t.Context())
		for range 2 {
			if err := <-looks; !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a request without an answer: %v", err)
			}
		}
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("two that waited for one request took %v, want 10s", took)
		}
		f.Advance(5 * time.Second)
		close(f.hold)
		if _, err := s.Fresh(t.Context(), "key"); err != nil {
			t.Errorf("once it answers: %v", err)
		}
	})
}
