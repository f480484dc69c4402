package benchmarks

import "testing"

func BenchmarkCold(b *testing.B) {
	text := realistic(1000)
	b.ReportAllocs()
	for b.Loop() {
		rulesOf(b, text)
	}
}

func BenchmarkColdEqual(b *testing.B) {
	text := equalities(1000)
	b.ReportAllocs()
	for b.Loop() {
		rulesOf(b, text)
	}
}
