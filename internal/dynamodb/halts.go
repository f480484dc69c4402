package dynamodb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/skycrafters/responder"
)

// HaltsClient is what Halts needs of a *dynamodb.Client of the AWS SDK.
type HaltsClient interface {
	UpdateItem(context.Context, *awsdynamodb.UpdateItemInput, ...func(*awsdynamodb.Options)) (*awsdynamodb.UpdateItemOutput, error)
	GetItem(context.Context, *awsdynamodb.GetItemInput, ...func(*awsdynamodb.Options)) (*awsdynamodb.GetItemOutput, error)
}

const (
	haltsKey   = "halts"   // what no counter's key is: those are hexadecimal
	haltPrefix = "halted " // of an attribute, before the flow's name
)

// Halts keeps halts in the table of the counters: one item that never expires,
// with an attribute for each. Safe for concurrent use.
//
// Halts is one consistent read of a unit; the others are one write.
type Halts struct {
	client HaltsClient
	table  string
}

var _ responder.Halts = (*Halts)(nil)

// NewHalts gives the halts that are kept in a table of CountersTable's shape.
func NewHalts(client HaltsClient, countersTable string) *Halts {
	return &Halts{client: client, table: countersTable}
}

// Halt implements responder.Halts.
func (h *Halts) Halt(ctx context.Context, halt responder.Halt) error {
	data, err := json.Marshal(halt)
	if err != nil {
		return fmt.Errorf("halt: %w", err)
	}
	_, err = h.client.UpdateItem(ctx, &awsdynamodb.UpdateItemInput{
		TableName: &h.table, Key: item{attrKey: text(haltsKey)},
		UpdateExpression:          aws.String("SET #halt = :halt"),
		ConditionExpression:       aws.String("attribute_not_exists(#halt)"),
		ExpressionAttributeNames:  map[string]string{"#halt": haltPrefix + halt.Flow},
		ExpressionAttributeValues: item{":halt": text(string(data))},
	})
	if isRefused(err) {
		err = responder.ErrExists
	}
	if err != nil {
		return fmt.Errorf("halt: %w", err)
	}
	return nil
}

// Resume implements responder.Halts.
func (h *Halts) Resume(ctx context.Context, flow string) (halt responder.Halt, err error) {
	name := haltPrefix + flow
	out, err := h.client.UpdateItem(ctx, &awsdynamodb.UpdateItemInput{
		TableName: &h.table, Key: item{attrKey: text(haltsKey)},
		UpdateExpression:         aws.String("REMOVE #halt"),
		ConditionExpression:      aws.String("attribute_exists(#halt)"),
		ExpressionAttributeNames: map[string]string{"#halt": name},
		ReturnValues:             types.ReturnValueAllOld,
	})
	switch {
	case isRefused(err):
		return halt, fmt.Errorf("resume: no such halt: %w", responder.ErrNotFound)
	case err != nil:
		return halt, fmt.Errorf("resume: %w", err)
	}
	if err := json.Unmarshal([]byte(textOf(out.Attributes, name)), &halt); err != nil {
		return halt, fmt.Errorf("resume: %w", err)
	}
	return halt, nil
}

// Halts implements responder.Halts.
func (h *Halts) Halts(ctx context.Context) ([]responder.Halt, error) {
	out, err := h.client.GetItem(ctx, &awsdynamodb.GetItemInput{
		TableName: &h.table, Key: item{attrKey: text(haltsKey)}, ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return nil, fmt.Errorf("halts: %w", err)
	}
	var (
		all  []responder.Halt
		errs []error
	)
	for name := range out.Item {
		if !strings.HasPrefix(name, haltPrefix) {
			continue
		}
		var halt responder.Halt
		errs = append(errs, json.Unmarshal([]byte(textOf(out.Item, name)), &halt))
		all = append(all, halt)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("halts: %w", err)
	}
	slices.SortFunc(all, func(a, b responder.Halt) int { return strings.Compare(a.Flow, b.Flow) })
	return all, nil
}
