package s3

import (
	"context"
	"errors"
	"iter"
	"path"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/skycrafters/responder/internal/archive"
)

// Files gives what stands in a bucket under keys that begin with the URL's
// prefix, in the order of keys: the objects that archive.Files would read in a
// folder, and an object whose key is the prefix, whatever its name.
//
// Of what lies as CloudTrail writes it, other services' folders and days outside
// the window are passed over without being listed ([archive.Window]). Every error is an *archive.Damage of the URL. Cost: a request for
// 1,000 keys, and one for each jump: about two for an account's region.
func (b Buckets) Files(ctx context.Context, address string, window archive.Window) iter.Seq2[archive.File, error] {
	return func(yield func(archive.File, error) bool) {
		fail := func(err error) {
			yield(archive.File{}, &archive.Damage{File: address, Index: -1, Lost: true, Err: err})
		}
		url, err := Parse(address)
		if err != nil {
			fail(err)
			return
		}
		l := &listing{buckets: b, client: b.open(""), url: url, skips: skips{url.Prefix, window}}
		for {
			page, err := l.next(ctx)
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				fail(explain(err, "s3:ListBucket on the bucket"))
				return
			}
			for _, file := range page {
				if !yield(file, nil) {
					return
				}
			}
			if l.over {
				break
			}
		}
		if !l.any {
			fail(errors.New("no key begins so"))
		}
	}
}

// listing goes through the keys in their order.
type listing struct {
	buckets Buckets
	client  API
	url     URL
	skips   skips

	after string // the last key seen or jumped over
	token *string
	over  bool
	any   bool // there was a key
	moved bool // the bucket was found where it is
}

// next gives the files of the next page, of which there may be none.
func (l *listing) next(ctx context.Context) ([]archive.File, error) {
	in := &s3.ListObjectsV2Input{Bucket: aws.String(l.url.Bucket), Prefix: aws.String(l.url.Prefix), ContinuationToken: l.token}
	if l.token == nil && l.after != "" {
		in.StartAfter = aws.String(l.after)
	}
	page, err := l.client.ListObjectsV2(ctx, in)
	if region := regionOf(err); region != "" && !l.moved {
		l.client, l.moved = l.buckets.open(region), true
		return l.next(ctx)
	}
	if err != nil {
		return nil, err
	}
	l.token, l.over = page.NextContinuationToken, !aws.ToBool(page.IsTruncated)
	var files []archive.File
	for i, object := range page.Contents {
		key := aws.ToString(object.Key)
		l.any = true
		if key <= l.after && l.after != "" {
			continue // jumped over, and on this page all the same
		}
		l.after = key
		to := l.skips.jump(key)
		if to == "" {
			if l.skips.wanted(key) {
				files = append(files, fileOf(l.client, l.buckets.pause, l.url, key, aws.ToInt64(object.Size), aws.ToString(object.ETag)))
			}
			continue
		}
		l.after = to
		if last := page.Contents[len(page.Contents)-1]; i < len(page.Contents)-1 && aws.ToString(last.Key) > to {
			continue // it lands on this page
		}
		if !l.over {
			l.token = nil // the next page begins behind the jump
		}
		break
	}
	return files, nil
}

// skips says what need not be listed.
type skips struct {
	prefix string
	window archive.Window
}

// jump gives a text that stands behind key, and behind what follows it and is
// not wanted either; "" if key may be wanted.
func (s skips) jump(key string) string { return s.window.Jump(s.prefix, key) }

// wanted reports whether an object is read, by its key.
func (s skips) wanted(key string) bool {
	if key == s.prefix {
		return true
	}
	below := strings.TrimPrefix(key, s.prefix[:strings.LastIndexByte(s.prefix, '/')+1])
	for name := range strings.SplitSeq(below, "/") {
		if name == "" || name[0] == '.' || name[0] == '_' || name == archive.Digests {
			return false
		}
	}
	return archive.HoldsEvents(path.Base(key))
}
