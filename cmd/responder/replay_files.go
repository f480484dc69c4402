package main

import (
	"context"
	"iter"
	"runtime"
	"slices"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"

	"github.com/skycrafters/responder/internal/archive"
	"github.com/skycrafters/responder/internal/s3"
)

// How many files are read at once: those of this machine keep its cores busy,
// those of a bucket are waited for.
const (
	aheadOfCore = 2
	aheadOfNet  = 16
)

func readAhead(paths []string) int {
	if slices.ContainsFunc(paths, s3.IsURL) {
		return aheadOfNet
	}
	return aheadOfCore * runtime.GOMAXPROCS(0)
}

// files are those that paths name, here and in buckets, in their order.
func (r *replay) files(ctx context.Context, paths []string) (iter.Seq2[archive.File, error], error) {
	var buckets s3.Buckets
	if slices.ContainsFunc(paths, s3.IsURL) {
		for _, path := range paths {
			if s3.IsURL(path) {
				if _, err := s3.Parse(path); err != nil {
					return nil, &usageError{err}
				}
			}
		}
		cfg, err := config.LoadDefaultConfig(ctx, config.WithLogger(logging.Nop{}))
		if err != nil {
			return nil, err
		}
		buckets = s3.New(cfg)
	}
	window := archive.Window{Since: r.since, Until: r.until}
	return func(yield func(archive.File, error) bool) {
		for _, path := range paths {
			files := archive.Files([]string{path}, r.stdin, window)
			if s3.IsURL(path) {
				files = buckets.Files(ctx, path, window)
			}
			for file, err := range files {
				if !yield(file, err) {
					return
				}
			}
		}
	}, nil
}
