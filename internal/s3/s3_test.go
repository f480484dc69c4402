package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/skycrafters/responder/internal/archive"
)

// bucket is one in memory, in a region of its own.
type bucket struct {
	objects map[string]string
	sorted  []string // their keys
	page    int      // keys of a page
	region  string
	lists   int
	gets    []string // ranges asked for
	breakAt []int    // where the bodies of one Get after the other break
	fail    error
}

func (b *bucket) open(region string) API { return &visit{b, region} }

type visit struct {
	*bucket
	region string
}

func (v *visit) ListObjectsV2(_ context.Context, in *s3.ListObjectsV2Input, _ ...func(*s3.Options)) (*s3.ListObjectsV2Output, error) {
	v.lists++
	if v.fail != nil {
		return nil, v.fail
	}
	if v.bucket.region != "" && v.region != v.bucket.region {
		response := &http.Response{StatusCode: http.StatusMovedPermanently, Header: http.Header{"X-Amz-Bucket-Region": {v.bucket.region}}}
		return nil, &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: response}, Err: errors.New("moved")}
	}
	if in.ContinuationToken != nil && in.StartAfter != nil {
		return nil, errors.New("a token and a beginning")
	}
	after := aws.ToString(in.StartAfter) + aws.ToString(in.ContinuationToken)
	if v.sorted == nil {
		v.sorted = slices.Sorted(maps.Keys(v.objects))
	}
	var keys []string
	first, _ := slices.BinarySearch(v.sorted, max(after, *in.Prefix))
	for _, key := range v.sorted[first:] {
		if strings.HasPrefix(key, *in.Prefix) && key > after {
			keys = append(keys, key)
		}
		if len(keys) > v.page {
			break
		}
	}
	out := &s3.ListObjectsV2Output{IsTruncated: aws.Bool(len(keys) > v.page)}
	if len(keys) > v.page {
		keys = keys[:v.page]
		out.NextContinuationToken = aws.String(keys[v.page-1])
	}
	for _, key := range keys {
		out.Contents = append(out.Contents, types.Object{Key: aws.String(key), Size: aws.Int64(int64(len(v.objects[key]))), ETag: aws.String("tag")})
	}
	return out, nil
}

func (v *visit) GetObject(_ context.Context, in *s3.GetObjectInput, _ ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	v.gets = append(v.gets, aws.ToString(in.Range))
	text, there := v.objects[*in.Key]
	if !there {
		return nil, &types.NoSuchKey{}
	}
	if aws.ToString(in.IfMatch) != "tag" {
		return nil, &smithy.GenericAPIError{Code: "PreconditionFailed"}
	}
	if in.Range != nil {
		from, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(*in.Range, "bytes="), "-"))
		if err != nil {
			return nil, err
		}
		text = text[from:]
	}
	body := io.Reader(strings.NewReader(text))
	if len(v.breakAt) > 0 {
		body = io.MultiReader(io.LimitReader(body, int64(v.breakAt[0])), broken{})
		v.breakAt = v.breakAt[1:]
	}
	return &s3.GetObjectOutput{Body: io.NopCloser(body)}, nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

// names gives the keys of what is listed, and errors.
func names(t *testing.T, b *bucket, url string, w archive.Window) []string {
	t.Helper()
	var got []string
	for file, err := range (Buckets{open: b.open}).Files(t.Context(), url, w) {
		if err != nil {
			got = append(got, "! "+err.Error())
			continue
		}
		got = append(got, strings.TrimPrefix(file.Name, "s3://trail/"))
	}
	return got
}

// layout is a year of a trail's files in two accounts and regions, four a day,
// with what else lies there.
func layout() map[string]string {
	objects := map[string]string{"AWSLogs/readme.txt": "", "other/e.json": "{}", "other/_x/e.json": "{}", "other/.x.json": "{}"}
	for _, account := range []string{"o-abc1234567/111122223333", "444455556666"} {
		for _, region := range []string{"eu-west-1", "us-east-1"} {
			for day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() == 2026; day = day.AddDate(0, 0, 1) {
				for n := range 4 {
					at := region + "/" + day.Format("2006/01/02") + "/" + strconv.Itoa(n) + ".json.gz"
					objects["AWSLogs/"+account+"/CloudTrail/"+at] = "{}"
					objects["AWSLogs/"+account+"/CloudTrail-Digest/"+at] = "{}"
					objects["AWSLogs/"+account+"/Config/"+at] = "{}"
				}
			}
		}
	}
	return objects
}

func TestFilesOfALayout(t *testing.T) {
	b := &bucket{objects: layout(), page: 10}
	w := archive.Window{Since: time.Date(2026, 11, 3, 15, 0, 0, 0, time.UTC), Until: time.Date(2026, 11, 5, 1, 0, 0, 0, time.UTC)}
	got := names(t, b, "s3://trail/AWSLogs/", w)
	var want []string
	for _, account := range []string{"444455556666", "o-abc1234567/111122223333"} {
		for _, region := range []string{"eu-west-1", "us-east-1"} {
			for _, day := range []string{"03", "04", "05", "06"} { // one more: records come late
				for n := range 4 {
					want = append(want, fmt.Sprintf("AWSLogs/%s/CloudTrail/%s/2026/11/%s/%d.json.gz", account, region, day, n))
				}
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if b.lists > 40 { // of the 17,524 keys, 64 are wanted
		t.Errorf("%d requests", b.lists)
	}
	b.page = 1000
	b.lists = 0
	if again := names(t, b, "s3://trail/AWSLogs/", w); !slices.Equal(again, want) || b.lists > 20 {
		t.Errorf("with pages of 1,000: %d files in %d requests", len(again), b.lists)
	}
}

var between = regexp.MustCompile(`/2026/(0[3-9]|10)/`)

// TestFilesLoseNone holds windows and pages of all kinds against what a look at
// each key says.
func TestFilesLoseNone(t *testing.T) {
	objects := layout()
	maps.DeleteFunc(objects, func(key, _ string) bool { return between.MatchString(key) }) // fewer do as well
	day := func(month, day int) time.Time { return time.Date(2026, time.Month(month), day, 12, 0, 0, 0, time.UTC) }
	for _, w := range []archive.Window{{}, {Since: day(12, 31)}, {Until: day(1, 1)}, {Since: day(2, 1), Until: day(2, 2)}, {Since: day(1, 1).AddDate(1, 0, 0)}, {Until: day(1, 1).AddDate(-1, 0, 0)}} {
		for _, prefix := range []string{"", "AWSLogs/", "AWSLogs/4", "AWSLogs/444455556666/CloudTrail/us-east-1/2026/12/3", "AWSLogs/444455556666/Config/"} {
			var want []string
			for key := range objects {
				s := skips{prefix, w}
				if strings.HasPrefix(key, prefix) && s.wanted(key) && s.jump(key) == "" {
					want = append(want, key)
				}
			}
			slices.Sort(want)
			for _, page := range []int{7, 1000} {
				if got := names(t, &bucket{objects: objects, page: page}, "s3://trail/"+prefix, w); !slices.Equal(got, want) && len(got)+len(want) > 0 {
					t.Errorf("%v, %q, pages of %d: %d files, want %d", w, prefix, page, len(got), len(want))
				}
			}
		}
	}
}

func TestFilesElsewhere(t *testing.T) {
	for _, tt := range []struct {
		url  string
		want []string
	}{
		{"s3://trail/other/", []string{"other/e.json"}},
		{"s3://trail/other/e", []string{"other/e.json"}},
		{"s3://trail/AWSLogs/readme.txt", []string{"AWSLogs/readme.txt"}}, // named whole
		{"s3://trail/gone/", []string{"! s3://trail/gone/: no key begins so"}},
		{"s3://t", []string{`! s3://t: "s3://t" is no bucket: write s3://bucket/prefix`}},
	} {
		if got := names(t, &bucket{objects: layout(), page: 1000}, tt.url, archive.Window{}); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.url, got, tt.want)
		}
	}
}

func TestBucketElsewhere(t *testing.T) {
	b := &bucket{objects: map[string]string{"a.json": "{}"}, page: 10, region: "eu-north-1"}
	if got := names(t, b, "s3://trail/", archive.Window{}); !slices.Equal(got, []string{"a.json"}) {
		t.Errorf("got %q", got)
	}
}

func TestRefused(t *testing.T) {
	for code, want := range map[string]string{
		"AccessDenied": "it needs s3:ListBucket", "NoSuchBucket": "there is no such bucket", "SlowDown": "SlowDown: please",
	} {
		b := &bucket{fail: &smithy.GenericAPIError{Code: code, Message: "please"}}
		if got := names(t, b, "s3://trail/x", archive.Window{}); len(got) != 1 || !strings.Contains(got[0], want) || !strings.HasPrefix(got[0], "! s3://trail/x: ") {
			t.Errorf("%s: %q", code, got)
		}
	}
}

// open reads the one file of a bucket.
func (b *bucket) all(t *testing.T) (string, error) {
	t.Helper()
	for file, err := range (Buckets{open: b.open}).Files(t.Context(), "s3://trail/", archive.Window{}) {
		if err != nil {
			return "", err
		}
		r, err := file.Open(t.Context())
		if err != nil {
			return "", err
		}
		defer r.Close()
		data, err := io.ReadAll(r)
		return string(data), err
	}
	return "", errors.New("no file")
}

func TestConnectionBreaks(t *testing.T) {
	text := strings.Repeat("0123456789", 1000)
	b := &bucket{objects: map[string]string{"a.json": text}, page: 10, breakAt: []int{4000, 0, 1, 0}}
	got, err := b.all(t)
	if err != nil || got != text {
		t.Errorf("%d bytes of %d, %v", len(got), len(text), err)
	}
	if want := []string{"", "bytes=4000-", "bytes=4000-", "bytes=4001-", "bytes=4001-"}; !slices.Equal(b.gets, want) {
		t.Errorf("asked for %q, want %q", b.gets, want)
	}
	b.breakAt = []int{5, 0, 0, 0, 0}
	if got, err := b.all(t); err == nil || got != text[:5] || !strings.Contains(err.Error(), "broke at byte 5, again and again: connection reset") {
		t.Errorf("%q, %v", got, err)
	}
}

func TestParse(t *testing.T) {
	for path, want := range map[string]URL{
		"s3://trail":              {"trail", ""},
		"s3://trail/":             {"trail", ""},
		"s3://trail/AWSLogs/1234": {"trail", "AWSLogs/1234"},
		"s3://arn:aws:s3:eu-west-1:111122223333:accesspoint/logs/AWSLogs/": {"arn:aws:s3:eu-west-1:111122223333:accesspoint/logs", "AWSLogs/"},
	} {
		if got, err := Parse(path); err != nil || got != want {
			t.Errorf("%s: %v, %v", path, got, err)
		}
	}
	for _, path := range []string{"", "s3://", "s3:///x", "s3://a b/c", "s3://trail/*.json", "trail/x"} {
		if got, err := Parse(path); err == nil {
			t.Errorf("%q is taken for %v", path, got)
		}
	}
}

// FuzzJump: a jump goes forward, over nothing that is wanted.
func FuzzJump(f *testing.F) {
	f.Add("AWSLogs/", "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/01/02/x.json.gz", "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/11/04/x.json.gz")
	f.Add("", "AWSLogs/111122223333/Config/x", "AWSLogs/111122223333/Config0/x")
	s := archive.Window{Since: time.Date(2026, 11, 3, 0, 0, 0, 0, time.UTC), Until: time.Date(2026, 11, 5, 0, 0, 0, 0, time.UTC)}
	f.Fuzz(func(t *testing.T, prefix, key, other string) {
		skips := skips{prefix, s}
		to := skips.jump(key)
		if to == "" {
			return
		}
		if to <= key {
			t.Fatalf("from %q back to %q", key, to)
		}
		if other > key && other <= to && strings.HasPrefix(key, prefix) && strings.HasPrefix(other, prefix) && skips.jump(other) == "" && skips.wanted(other) {
			t.Fatalf("%q is jumped over, from %q to %q", other, key, to)
		}
	})
}
