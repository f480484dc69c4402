package sqs_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/skycrafters/responder/internal/emulator"
	"github.com/skycrafters/responder/internal/porttest"
	"github.com/skycrafters/responder/internal/sqs"
)

func TestEmulatedQueue(t *testing.T) { porttest.Queue(t, openEmulated(t)) }
func TestEmulatedDead(t *testing.T)  { porttest.Dead(t, openEmulated(t)) }

// openEmulated makes, for each case, a queue and its dead letters on an AWS
// emulator.
func openEmulated(t *testing.T) func(t *testing.T) porttest.QueueHarness {
	client := awssqs.NewFromConfig(emulator.AWS(t))
	return func(t *testing.T) porttest.QueueHarness {
		t.Parallel() // time is real here
		const visibility, maxReceives = 2 * time.Second, 3
		name := fmt.Sprintf("conformance-%x", rand.Uint64())
		deadURL := create(t, client, name+"-dead", nil)
		attributes, err := client.GetQueueAttributes(t.Context(), &awssqs.GetQueueAttributesInput{QueueUrl: &deadURL, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn}})
		if err != nil {
			t.Fatal(err)
		}
		url := create(t, client, name, map[string]string{
			"VisibilityTimeout": fmt.Sprint(int(visibility.Seconds())),
			"RedrivePolicy":     fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":"%d"}`, attributes.Attributes["QueueArn"], maxReceives),
		})
		queue := sqs.NewQueue(client, url, rand.Float64)
		return porttest.QueueHarness{
			Queue: queue, Dead: sqs.NewDead(queue, deadURL, "events", time.Now),
			Visibility: visibility, MaxReceives: maxReceives, MinDelay: time.Second,
		}
	}
}

func create(t *testing.T, client *awssqs.Client, name string, attributes map[string]string) (url string) {
	t.Helper()
	out, err := client.CreateQueue(t.Context(), &awssqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := client.DeleteQueue(context.Background(), &awssqs.DeleteQueueInput{QueueUrl: out.QueueUrl}); err != nil {
			t.Errorf("delete the queue: %v", err)
		}
	})
	return aws.ToString(out.QueueUrl)
}
