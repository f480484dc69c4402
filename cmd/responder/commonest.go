package main

import (
	"cmp"
	"slices"
)

// common is a name and how often it came. Where there were many different names
// it came a little more often than told: see [commonest].
type common struct {
	Name string `json:"name"`
	Hits int    `json:"hits"`
}

// commonestNames is how many names are counted at once.
const commonestNames = 1024

// commonest finds the most frequent of any number of names in the room of
// commonestNames (Misra and Gries, 1982). Up to so many different names its
// counts are exact; beyond, a name's count is too low by less than one in
// commonestNames of all that was counted. The zero value is ready.
type commonest struct{ hits map[string]int }

// add counts a name; "" is none.
func (c *commonest) add(name string) {
	if name == "" {
		return
	}
	if c.hits == nil {
		c.hits = map[string]int{}
	}
	if _, known := c.hits[name]; known || len(c.hits) < commonestNames {
		c.hits[name]++
		return
	}
	for name, n := range c.hits {
		if n == 1 {
			delete(c.hits, name)
		} else {
			c.hits[name] = n - 1
		}
	}
}

// most gives the n most frequent, by name where they are equal.
func (c *commonest) most(n int) []common {
	all := make([]common, 0, len(c.hits))
	for name, hits := range c.hits {
		all = append(all, common{name, hits})
	}
	slices.SortFunc(all, func(a, b common) int { return cmp.Or(cmp.Compare(b.Hits, a.Hits), cmp.Compare(a.Name, b.Name)) })
	return all[:min(n, len(all))]
}
