//go:build race

package simulation

// few is how many histories are lived through where nobody says: the race
// detector makes each ten times as long.
const few = 30
