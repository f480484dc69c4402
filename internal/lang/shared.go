package lang

import (
	"reflect"
	"sync"

	"github.com/expr-lang/expr/conf"
)

// Shared is what many expressions that are compiled one after the other have in
// common: what is made of the names of a scope, and constant lists that have been
// made ready, for a list of ten thousand networks takes milliseconds. Programs do
// not keep it. Not safe for concurrent use: whoever compiles beside it takes
// Another.
type Shared struct {
	vocabularies map[naming]*vocabulary
	lists        *readyLists
}

// NewShared is a Shared of nothing yet.
func NewShared() *Shared {
	return (&Shared{lists: &readyLists{made: map[listUse]readyList{}}}).Another()
}

// Another has the lists in common with this one, and may be used at the same time.
func (s *Shared) Another() *Shared {
	return &Shared{vocabularies: map[naming]*vocabulary{}, lists: s.lists}
}

// naming is the names of a scope: where they stand, and whether there are vars
// and lists.
type naming struct {
	first       *string
	count       int
	vars, lists bool
}

// vocabulary is what is made of the names of a scope.
type vocabulary struct {
	config *conf.Config    // expr's: it holds a cache that is not safe for concurrent use
	known  map[string]bool // the names, with those that are always there
}

// vocabulary is made for each use, but for those who share. Their lists of names
// must stay as they are.
func (s Scope) vocabulary() *vocabulary {
	if s.Shared == nil || len(s.Names) == 0 {
		return &vocabulary{newConfig(s.Names), nameSet(s)}
	}
	of := naming{&s.Names[0], len(s.Names), s.Vars != nil, s.Lists != nil}
	v, ok := s.Shared.vocabularies[of]
	if !ok {
		v = &vocabulary{newConfig(s.Names), nameSet(s)}
		s.Shared.vocabularies[of] = v
	}
	return v
}

// readyLists are lists that have been made ready. Safe for concurrent use.
type readyLists struct {
	mu   sync.Mutex
	made map[listUse]readyList
}

// listUse is a list, by where it is, and what it is made ready for.
type listUse struct {
	list    uintptr
	length  int
	prepare uintptr
}

// readyList holds the list too, so that no other comes to be at its place.
type readyList struct {
	list  []any
	ready any
}

// prepared is prepare(value), which for a list is done once.
func (s *Shared) prepared(value any, prepare func(any) (any, error)) (any, error) {
	list, ok := value.([]any)
	if s == nil || !ok || len(list) == 0 {
		return prepare(value)
	}
	use := listUse{reflect.ValueOf(list).Pointer(), len(list), reflect.ValueOf(prepare).Pointer()}
	s.lists.mu.Lock()
	defer s.lists.mu.Unlock()
	if known, ok := s.lists.made[use]; ok {
		return known.ready, nil
	}
	ready, err := prepare(value)
	if err != nil {
		return nil, err
	}
	s.lists.made[use] = readyList{list, ready}
	return ready, nil
}
