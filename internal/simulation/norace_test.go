//go:build !race

package simulation

// few is how many histories are lived through where nobody says.
const few = 300
