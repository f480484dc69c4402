package stacktest

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// webhook is the other side of SendSlack. Safe for concurrent use.
type webhook struct {
	mu    sync.Mutex
	posts map[string]int // by Idempotency-Key
	// meet, if set for a key, is called at its first post, which is not answered
	// before meet returns.
	meet map[string]func()
}

// listen plays the webhook at its address for as long as the test runs.
func listen(t *testing.T, address string) *webhook {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil || u.Port() == "" {
		t.Fatalf("%s is %q, %v", webhookVariable, address, err)
	}
	w := &webhook{posts: map[string]int{}, meet: map[string]func(){}}
	serve(t, "127.0.0.1:"+u.Port(), w, true)
	return w
}

func (w *webhook) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	key := r.Header.Get("Idempotency-Key")
	w.mu.Lock()
	w.posts[key]++
	meet := w.meet[key]
	delete(w.meet, key)
	w.mu.Unlock()
	if meet != nil {
		meet()
	}
	fmt.Fprint(rw, "ok")
}

// atFirst has something done at the first post of a key.
func (w *webhook) atFirst(key string, do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.meet[key] = do
}

// testTold: each run has posted what it had to, and nothing else.
func testTold(t *testing.T, d *deployed) {
	d.webhook.mu.Lock()
	defer d.webhook.mu.Unlock()
	want := map[string]bool{}
	for id, e := range d.ledger.runs {
		for _, path := range e.told {
			want[id+"/"+path] = true
		}
	}
	again := 0
	for _, key := range slices.Sorted(maps.Keys(d.webhook.posts)) {
		if !want[key] {
			t.Errorf("a post with the key %q is of no expected step", key)
		}
		again += d.webhook.posts[key] - 1
		delete(want, key)
	}
	if len(want) > 0 {
		t.Errorf("%d steps have not posted: %s", len(want), strings.Join(slices.Sorted(maps.Keys(want)), ", "))
	}
	shown(t, "%d notices posted to the webhook; %d came again, with the same Idempotency-Key", len(d.webhook.posts), again)
}
