package lang

import "fmt"

// maxSpent is what the loops inside loops of one evaluation may cost: about a
// tenth of a second.
const maxSpent = 2_000_000

// budget counts what an evaluation spends inside its loops: an element a unit,
// text 64 bytes a unit. Each evaluation has its own.
type budget struct{ spent int }

// spend counts a value that is about to be gone through, and gives it back.
func (b *budget) spend(value any) (any, error) {
	b.spent++
	switch v := value.(type) {
	case string:
		b.spent += len(v) / 64
	case []any:
		b.spent += len(v)
	case []string:
		b.spent += len(v)
	case map[string]any:
		b.spent += len(v)
	}
	if b.spent > maxSpent {
		return nil, fmt.Errorf("too many steps: a loop inside a loop goes over more than %d elements", maxSpent)
	}
	return value, nil
}
