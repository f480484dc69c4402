package gunzip

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	klauspost "github.com/klauspost/compress/gzip"
)

// texts are of the kinds that zippers make different blocks of.
func texts() map[string][]byte {
	random := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 90_000)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	var records bytes.Buffer
	for i := range 1000 {
		fmt.Fprintf(&records, `{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","principalId":"AIDAEXAMPLE","arn":"arn:aws:iam::111122223333:user/ann"},"eventTime":"2026-11-23T10:%02d:00Z","eventSource":"ec2.amazonaws.com","eventName":"DescribeInstances","awsRegion":"us-east-1","requestParameters":{"n":%d},"responseElements":null,"eventID":"%x","recipientAccountId":"111122223333"}`+"\n",
			i%60, i, random.Uint64())
	}
	skewed := make([]byte, 30_000) // codes of all lengths
	for i := range skewed {
		skewed[i] = byte(min(255, random.ExpFloat64()*7))
	}
	return map[string][]byte{
		"nothing": nil, "a byte": {'a'}, "one byte again and again": bytes.Repeat([]byte{'a'}, 200_000), "two": bytes.Repeat([]byte("ab"), 20_000),
		"far apart": append(append(bytes.Clone(noise[:32<<10]), noise[:32<<10]...), noise[:32<<10]...),
		"noise":     noise, "records": records.Bytes(), "skewed": skewed,
		"mixed": append(bytes.Clone(noise), records.Bytes()...),
	}
}

func zip(t testing.TB, level int, parts ...[]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, part := range parts {
		w, err := gzip.NewWriterLevel(&b, level)
		if err != nil {
			t.Fatal(err)
		}
		w.Name, w.Comment, w.Extra = "a name", "a comment", []byte("extra")
		if _, err := w.Write(part); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// unzipped gives what comes of a stream, with Reset's error or Read's.
func unzipped(r *Reader, src io.Reader) ([]byte, error) {
	if err := r.Reset(src); err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// Whatever is zipped, how and in how many members, and however it comes.
func TestReader(t *testing.T) {
	r := new(Reader)
	for name, text := range texts() {
		holds := func(how string, src io.Reader, want []byte) {
			t.Helper()
			if got, err := unzipped(r, src); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s, %s: %d bytes of %d, %v", name, how, len(got), len(want), err)
			}
		}
		for _, level := range []int{gzip.HuffmanOnly, gzip.NoCompression, gzip.BestSpeed} {
			holds(fmt.Sprint("level ", level), bytes.NewReader(zip(t, level, text)), text)
		}
		zipped := zip(t, gzip.DefaultCompression, text, nil, text)
		twice := append(bytes.Clone(text), text...)
		holds("in members", bytes.NewReader(zipped), twice)
		holds("with its end", iotest.DataErrReader(bytes.NewReader(zipped)), twice)
		holds("a byte at a time", iotest.OneByteReader(bytes.NewReader(zipped)), twice)
	}
}

// same holds what comes of a stream to compress/gzip.
func same(t *testing.T, r *Reader, zipped []byte) {
	t.Helper()
	var want []byte
	zr, wrong := gzip.NewReader(bytes.NewReader(zipped))
	if wrong == nil {
		want, wrong = io.ReadAll(zr)
	}
	got, err := unzipped(r, bytes.NewReader(zipped))
	if broken(wrong) && broken(err) {
		got = got[:min(len(got), len(want))] // of what is cut off it gives fewer symbols, though they are whole
	} else if err != wrong {
		t.Fatalf("%v, want %v", err, wrong)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%d bytes, want %d (%v, %v)", len(got), len(want), err, wrong)
	}
}

// broken tells that blocks are. Where they are that and cut off, either may be told.
func broken(err error) bool {
	var corrupt flate.CorruptInputError
	return err == io.ErrUnexpectedEOF || errors.As(err, &corrupt)
}

// Streams that are cut off, or in which bits are turned, give as much, and are damaged.
func TestDamage(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	r := new(Reader)
	all := texts()
	for _, name := range []string{"records", "skewed", "two", "noise"} {
		for _, level := range []int{gzip.HuffmanOnly, 0, 1, 6} {
			text := all[name][:20_000]
			zipped := zip(t, level, text)
			for range 50 {
				damaged := bytes.Clone(zipped)
				damaged[random.IntN(len(damaged))] ^= 1 << random.IntN(8)
				same(t, r, damaged)
				cut := zipped[:1+random.IntN(len(zipped)-1)]
				same(t, r, cut)
				if got, err := unzipped(r, bytes.NewReader(cut)); !bytes.HasPrefix(text, got) || err != io.ErrUnexpectedEOF {
					t.Fatalf("cut off: %d bytes, %v", len(got), err)
				}
			}
		}
	}
}

// A member has nothing to do with the one before it, wherever that lies.
func TestNothingOfAnotherMember(t *testing.T) {
	noise := texts()["noise"]
	r := new(Reader)
	for _, before := range []int{0, 100, fullAt/2 - 1000, fullAt/2 - 2000} {
		first := append(bytes.Clone(noise[:before]), noise[:before]...)
		second := append(bytes.Clone(noise[:5000]), noise[max(0, before-200):before]...)
		var member bytes.Buffer
		member.WriteString("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x00")
		w, err := flate.NewWriterDict(&member, flate.BestCompression, first)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(second); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		trailer := binary.LittleEndian.AppendUint32(member.Bytes(), crc32.ChecksumIEEE(second))
		zipped := append(zip(t, 6, first), binary.LittleEndian.AppendUint32(trailer, uint32(len(second)))...)
		same(t, r, zipped)
		for _, src := range []io.Reader{bytes.NewReader(zipped), iotest.OneByteReader(bytes.NewReader(zipped))} {
			if _, err := unzipped(r, src); before > 0 && err == nil {
				t.Errorf("what stands %d bytes before a member is taken to be its own", before)
			}
		}
	}
}

// Codes that no bits, or some bits twice, belong to are none, but for a single one.
func TestCodes(t *testing.T) {
	var all [288]entry
	for i := range all {
		all[i] = entry(i)<<16 | isLiteral
	}
	long := []uint8{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 15}
	for _, tt := range []struct {
		lengths []uint8
		ok      bool
	}{
		{nil, true}, {[]uint8{0, 0}, true}, {[]uint8{0, 1}, true}, {[]uint8{1, 1}, true}, {[]uint8{2, 1, 2}, true}, {long, true},
		{[]uint8{2}, false}, {[]uint8{1, 2}, false}, {[]uint8{1, 1, 1}, false}, {long[:15], false}, {append(long, 15), false}, {bytes.Repeat([]byte{15}, 288), false},
	} {
		if ok := new(table).make(lengthBits, tt.lengths, all[:]); ok != tt.ok {
			t.Errorf("%v: %v", tt.lengths, ok)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte(nil))
	for _, level := range []int{gzip.HuffmanOnly, 0, 1, 9} {
		f.Add(zip(f, level, []byte(strings.Repeat("abcabd", 50)), []byte("x")))
	}
	r := new(Reader)
	f.Fuzz(func(t *testing.T, data []byte) {
		same(t, r, data)
		same(t, r, append([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x00"), data...)) // so that blocks are reached
	})
}

// What has come is given before more is waited for.
func TestGivesWhatThereIs(t *testing.T) {
	zipped := zip(t, 6, []byte("what has come is given, what has not come is waited for"))
	r := new(Reader)
	for cut := 40; cut < len(zipped); cut++ {
		src := &halting{some: zipped[:cut]}
		if err := r.Reset(src); err != nil {
			t.Fatal(err)
		}
		for p := make([]byte, 100); ; {
			n, err := r.Read(p)
			if n > 0 && src.waited {
				t.Fatalf("of %d bytes: %q is given only when more is waited for", cut, p[:n])
			}
			if err != nil {
				break
			}
		}
	}
}

// halting gives something, and after that has to be waited for.
type halting struct {
	some   []byte
	waited bool
}

func (h *halting) Read(p []byte) (int, error) {
	if len(h.some) == 0 {
		h.waited = true
		return 0, io.ErrNoProgress
	}
	n := copy(p, h.some)
	h.some = h.some[n:]
	return n, nil
}

// It is used again without allocating.
func TestAllocations(t *testing.T) {
	zipped := zip(t, 6, texts()["records"])
	r, src, p := new(Reader), new(bytes.Reader), make([]byte, 64<<10)
	if n := testing.AllocsPerRun(10, func() {
		src.Reset(zipped)
		if err := r.Reset(src); err != nil {
			t.Fatal(err)
		}
		for {
			if _, err := r.Read(p); err == io.EOF {
				return
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkReader is unzipping records like CloudTrail's, beside the libraries.
func BenchmarkReader(b *testing.B) {
	type reader interface {
		io.Reader
		Reset(io.Reader) error
	}
	text := texts()["records"]
	zipped, p := zip(b, gzip.DefaultCompression, text), make([]byte, 128<<10)
	for name, r := range map[string]reader{"this": new(Reader), "klauspost": new(klauspost.Reader), "compress": new(gzip.Reader)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				err := r.Reset(bytes.NewReader(zipped))
				for err == nil {
					_, err = r.Read(p)
				}
				if err != io.EOF {
					b.Fatal(err)
				}
			}
		})
	}
}
