package dynamodb

import (
	"context"

	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// requests are those of a client of the AWS SDK that this package makes, one by
// one. It holds no *dynamodb.Client: a program that looks methods up by name, as
// one with expressions does, is linked with all methods of whatever becomes an
// interface, and those of that client are two megabytes.
type requests struct {
	put      request[awsdynamodb.PutItemInput, awsdynamodb.PutItemOutput]
	get      request[awsdynamodb.GetItemInput, awsdynamodb.GetItemOutput]
	query    request[awsdynamodb.QueryInput, awsdynamodb.QueryOutput]
	update   request[awsdynamodb.UpdateItemInput, awsdynamodb.UpdateItemOutput]
	batchGet request[awsdynamodb.BatchGetItemInput, awsdynamodb.BatchGetItemOutput]
	transact request[awsdynamodb.TransactWriteItemsInput, awsdynamodb.TransactWriteItemsOutput]
}

type request[In, Out any] func(context.Context, *In, ...func(*awsdynamodb.Options)) (*Out, error)

// Client is what all of this package needs of a client of the AWS SDK.
type Client interface {
	RunsClient
	CountersClient
}

var _ interface {
	Client
	HaltsClient
	HeartbeatsClient
} = requests{}

// Requests gives the Client that a client of the AWS SDK is, without the rest of
// it: a small program is linked with no more than it needs.
func Requests(client *awsdynamodb.Client) Client {
	return requests{client.PutItem, client.GetItem, client.Query, client.UpdateItem, client.BatchGetItem, client.TransactWriteItems}
}

func (r requests) PutItem(ctx context.Context, in *awsdynamodb.PutItemInput, options ...func(*awsdynamodb.Options)) (*awsdynamodb.PutItemOutput, error) {
	return r.put(ctx, in, options...)
}

func (r requests) GetItem(ctx context.Context, in *awsdynamodb.GetItemInput, options ...func(*awsdynamodb.Options)) (*awsdynamodb.GetItemOutput, error) {
	return r.get(ctx, in, options...)
}

func (r requests) Query(ctx context.Context, in *awsdynamodb.QueryInput, options ...func(*awsdynamodb.Options)) (*awsdynamodb.QueryOutput, error) {
	return r.query(ctx, in, options...)
}

func (r requests) UpdateItem(ctx context.Context, in *awsdynamodb.UpdateItemInput, options ...func(*awsdynamodb.Options)) (*awsdynamodb.UpdateItemOutput, error) {
	return r.update(ctx, in, options...)
}

func (r requests) BatchGetItem(ctx context.Context, in *awsdynamodb.BatchGetItemInput, options ...func(*awsdynamodb.Options)) (*awsdynamodb.BatchGetItemOutput, error) {
	return r.batchGet(ctx, in, options...)
}

func (r requests) TransactWriteItems(ctx context.Context, in *awsdynamodb.TransactWriteItemsInput, options ...func(*awsdynamodb.Options)) (*awsdynamodb.TransactWriteItemsOutput, error) {
	return r.transact(ctx, in, options...)
}
