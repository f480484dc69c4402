package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// object reads one object. A connection that breaks is taken up where it broke,
// if the object is still the same; not the SDK, but its caller reads the body.
type object struct {
	ctx         context.Context
	client      API
	pause       time.Duration // before the first time it is taken up, doubled with each
	bucket, key string
	tag         string

	body  io.ReadCloser
	read  int64
	fails int // in a row, without a byte between them
}

// maxFails is how often in a row a connection may break.
const maxFails = 4

func (o *object) reopen() error {
	in := &s3.GetObjectInput{Bucket: aws.String(o.bucket), Key: aws.String(o.key)}
	if o.tag != "" {
		in.IfMatch = aws.String(o.tag)
	}
	if o.read > 0 {
		in.Range = aws.String(fmt.Sprintf("bytes=%d-", o.read))
	}
	out, err := o.client.GetObject(o.ctx, in)
	if err != nil {
		return err
	}
	o.body = out.Body
	return nil
}

// Read implements io.Reader.
func (o *object) Read(p []byte) (int, error) {
	for {
		n, err := o.body.Read(p)
		o.read += int64(n)
		if n > 0 {
			o.fails = 0
		}
		switch {
		case err == nil || err == io.EOF:
			return n, err
		case o.ctx.Err() != nil:
			return n, o.ctx.Err()
		case n > 0:
			return n, nil // the error comes again
		}
		if err := o.again(err); err != nil {
			return 0, err
		}
	}
}

// again takes the reading up where it broke.
func (o *object) again(broke error) error {
	if o.fails++; o.fails >= maxFails {
		return fmt.Errorf("the connection broke at byte %d, again and again: %w", o.read, broke)
	}
	select {
	case <-o.ctx.Done():
		return o.ctx.Err()
	case <-time.After(o.pause << (o.fails - 1)):
	}
	if err := errors.Join(o.body.Close(), o.ctx.Err()); o.ctx.Err() != nil {
		return err
	}
	if err := o.reopen(); err != nil {
		return fmt.Errorf("the connection broke at byte %d: %w", o.read, explain(err, "s3:GetObject"))
	}
	return nil
}

// Close implements io.Closer.
func (o *object) Close() error { return o.body.Close() }
