package lang

import (
	"reflect"
	"strings"

	"github.com/expr-lang/expr/conf"
)

// Shared is what many expressions that are compiled one after the other have in
// common: expr's configuration, and constant lists that have been made ready,
// for a list of ten thousand networks takes milliseconds. The zero value is
// useful. Not safe for concurrent use; programs do not keep it.
type Shared struct {
	configs map[string]*conf.Config // by names
	lists   map[listUse]readyList
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

func (s *Shared) config(names []string) *conf.Config {
	key := strings.Join(names, " ")
	cfg, ok := s.configs[key]
	if !ok {
		if s.configs == nil {
			s.configs = map[string]*conf.Config{}
		}
		cfg = newConfig(names)
		s.configs[key] = cfg
	}
	return cfg
}

// prepared is prepare(value), which for a list is done once.
func (s *Shared) prepared(value any, prepare func(any) (any, error)) (any, error) {
	list, ok := value.([]any)
	if s == nil || !ok || len(list) == 0 {
		return prepare(value)
	}
	use := listUse{reflect.ValueOf(list).Pointer(), len(list), reflect.ValueOf(prepare).Pointer()}
	if known, ok := s.lists[use]; ok {
		return known.ready, nil
	}
	ready, err := prepare(value)
	if err != nil {
		return nil, err
	}
	if s.lists == nil {
		s.lists = map[listUse]readyList{}
	}
	s.lists[use] = readyList{list, ready}
	return ready, nil
}
