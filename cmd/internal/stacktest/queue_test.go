package stacktest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func (q queue) set(t *testing.T, attribute, value string) {
	t.Helper()
	_, err := q.client.SetQueueAttributes(t.Context(), &awssqs.SetQueueAttributesInput{QueueUrl: &q.url, Attributes: map[string]string{attribute: value}})
	if err != nil {
		t.Fatal(err)
	}
}

// left says how many messages are on a queue: visible, in flight and delayed.
func (q queue) left(ctx context.Context, url string) string {
	out, err := q.client.GetQueueAttributes(ctx, &awssqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll}})
	if err != nil {
		return err.Error()
	}
	var left []string
	for _, name := range []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"} {
		if n, there := out.Attributes[name]; !there || n != "0" {
			left = append(left, fmt.Sprintf("%s of %s is %q", name, url, n))
		}
	}
	return strings.Join(left, ", ")
}

// testDrained: nothing is left on any queue, and nothing among the dead letters.
func testDrained(t *testing.T, d *deployed) {
	await(t, 3*time.Minute, func(ctx context.Context) string {
		for _, q := range []queue{d.events, d.findings} {
			for _, url := range []string{q.url, q.deadURL} {
				if left := q.left(ctx, url); left != "" {
					return left
				}
			}
		}
		return ""
	})
}
