package sqs

import (
	"context"

	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
)

// requests are those of a client of the AWS SDK that this package makes, one by
// one. It holds no *sqs.Client: a program that looks methods up by name, as one
// with expressions does, is linked with all methods of whatever becomes an
// interface, and those of that client are two megabytes.
type requests struct {
	send    request[awssqs.SendMessageBatchInput, awssqs.SendMessageBatchOutput]
	receive request[awssqs.ReceiveMessageInput, awssqs.ReceiveMessageOutput]
	remove  request[awssqs.DeleteMessageBatchInput, awssqs.DeleteMessageBatchOutput]
	hide    request[awssqs.ChangeMessageVisibilityBatchInput, awssqs.ChangeMessageVisibilityBatchOutput]
}

type request[In, Out any] func(context.Context, *In, ...func(*awssqs.Options)) (*Out, error)

var _ Client = requests{}

// Requests gives the Client that a client of the AWS SDK is, without the rest of
// it: a small program is linked with no more than it needs.
func Requests(client *awssqs.Client) Client {
	return requests{client.SendMessageBatch, client.ReceiveMessage, client.DeleteMessageBatch, client.ChangeMessageVisibilityBatch}
}

func (r requests) SendMessageBatch(ctx context.Context, in *awssqs.SendMessageBatchInput, options ...func(*awssqs.Options)) (*awssqs.SendMessageBatchOutput, error) {
	return r.send(ctx, in, options...)
}

func (r requests) ReceiveMessage(ctx context.Context, in *awssqs.ReceiveMessageInput, options ...func(*awssqs.Options)) (*awssqs.ReceiveMessageOutput, error) {
	return r.receive(ctx, in, options...)
}

func (r requests) DeleteMessageBatch(ctx context.Context, in *awssqs.DeleteMessageBatchInput, options ...func(*awssqs.Options)) (*awssqs.DeleteMessageBatchOutput, error) {
	return r.remove(ctx, in, options...)
}

func (r requests) ChangeMessageVisibilityBatch(ctx context.Context, in *awssqs.ChangeMessageVisibilityBatchInput, options ...func(*awssqs.Options)) (*awssqs.ChangeMessageVisibilityBatchOutput, error) {
	return r.hide(ctx, in, options...)
}
