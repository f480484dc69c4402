package dynamodb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"strconv"
	"time"

	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/skycrafters/responder"
)

// RunsClient is what Runs needs of a *dynamodb.Client of the AWS SDK.
type RunsClient interface {
	PutItem(context.Context, *awsdynamodb.PutItemInput, ...func(*awsdynamodb.Options)) (*awsdynamodb.PutItemOutput, error)
	GetItem(context.Context, *awsdynamodb.GetItemInput, ...func(*awsdynamodb.Options)) (*awsdynamodb.GetItemOutput, error)
	Query(context.Context, *awsdynamodb.QueryInput, ...func(*awsdynamodb.Options)) (*awsdynamodb.QueryOutput, error)
	UpdateItem(context.Context, *awsdynamodb.UpdateItemInput, ...func(*awsdynamodb.Options)) (*awsdynamodb.UpdateItemOutput, error)
}

// shards is how many partitions the indexes have, so that a burst of runs is
// not held to what one takes (1,000 writes a second). It may grow once every
// function that reads knows the new number, and never shrink.
const shards = 8

// maxSummaryText bounds the texts of a summary that others write, in bytes: an
// item is 400 KB at most, of which the payload takes up to MaxRunBytes.
const maxSummaryText = 1024

// Runs keeps runs in a table of RunsTable's shape. Safe for concurrent use.
//
// A write costs a unit for each KB of the encoded run (typically 2 to 4), and
// one for each index whose part changes; Get half a unit for each 4 KB, twice
// for consistency; Due and List ask each of the eight shards once, or more
// often where they page.
//
// Ended runs are forgotten RunRetention after their last write; parked ones
// stay, for they wait for somebody.
type Runs struct {
	client RunsClient
	table  string
	now    func() time.Time
}

var (
	_ responder.RunStore  = (*Runs)(nil)
	_ responder.RunLister = (*Runs)(nil)
	_ responder.RunParker = (*Runs)(nil)
)

// NewRuns gives the runs of a table. now decides what has expired.
func NewRuns(client RunsClient, table string, now func() time.Time) *Runs {
	return &Runs{client: client, table: table, now: now}
}

// Create implements responder.RunStore: one conditional write.
func (r *Runs) Create(ctx context.Context, run *responder.Run) error {
	old, err := r.put(ctx, run, 1, condition{
		text:  "attribute_not_exists(#id) OR #expires <= :now",
		names: map[string]string{"#id": attrID, "#expires": attrExpires},
	})
	switch {
	case err != nil:
		return fmt.Errorf("create run %s: %w", run.ID, err)
	case old != nil && !wrote(old, run.Token, 1):
		return fmt.Errorf("create run %s: %w", run.ID, responder.ErrExists)
	}
	run.Version = 1
	return nil
}

// Save implements responder.RunStore: one conditional write.
func (r *Runs) Save(ctx context.Context, run *responder.Run) error {
	old, err := r.put(ctx, run, run.Version+1, condition{
		text:   "#version = :version AND (attribute_not_exists(#expires) OR #expires > :now)",
		names:  map[string]string{"#version": attrVersion, "#expires": attrExpires},
		values: item{":version": number(run.Version)},
	})
	switch {
	case err != nil:
		return fmt.Errorf("save run %s: %w", run.ID, err)
	case old == nil, wrote(old, run.Token, run.Version+1):
		run.Version++
		return nil
	case r.gone(old):
		return fmt.Errorf("save run %s: %w", run.ID, responder.ErrNotFound)
	}
	return fmt.Errorf("save run %s as version %d: %w", run.ID, run.Version+1, responder.ErrStale)
}

// Park implements responder.RunParker: one conditional write.
func (r *Runs) Park(ctx context.Context, id string, until time.Time) error {
	update, only := "SET #state = :parked, #due = :until", "attribute_exists(#id)"
	_, err := r.client.UpdateItem(ctx, &awsdynamodb.UpdateItemInput{
		TableName: &r.table, Key: item{attrID: text(id)},
		UpdateExpression: &update, ConditionExpression: &only,
		ExpressionAttributeNames:  map[string]string{"#state": attrState, "#due": attrDue, "#id": attrID},
		ExpressionAttributeValues: item{":parked": text(string(responder.RunParked)), ":until": text(stamp(until))},
	})
	var refused *types.ConditionalCheckFailedException
	switch {
	case errors.As(err, &refused):
		return fmt.Errorf("park run %s: %w", id, responder.ErrNotFound)
	case err != nil:
		return fmt.Errorf("park run %s: %w", id, err)
	}
	return nil
}

// Unpark implements responder.RunParker: one conditional write.
func (r *Runs) Unpark(ctx context.Context, run *responder.Run) error {
	if run.State == responder.RunParked {
		return nil // not only in the index
	}
	names := map[string]string{"#state": attrState, "#due": attrDue, "#version": attrVersion}
	values := item{":parked": text(string(responder.RunParked)), ":state": text(string(run.State)), ":version": number(run.Version)}
	update, only := "SET #state = :state REMOVE #due", "#version = :version AND #state = :parked"
	if !run.Due.IsZero() {
		update, values[":due"] = "SET #state = :state, #due = :due", text(stamp(run.Due))
	}
	_, err := r.client.UpdateItem(ctx, &awsdynamodb.UpdateItemInput{
		TableName: &r.table, Key: item{attrID: text(run.ID)},
		UpdateExpression: &update, ConditionExpression: &only,
		ExpressionAttributeNames: names, ExpressionAttributeValues: values,
	})
	var refused *types.ConditionalCheckFailedException
	if err != nil && !errors.As(err, &refused) {
		return fmt.Errorf("unpark run %s: %w", run.ID, err)
	}
	return nil
}

// condition is what must hold of an item before it is written over; `:now` in
// it stands for the time, as expires has it.
type condition struct {
	text   string
	names  map[string]string
	values item
}

// put writes the run as the given version if the condition holds. If it does
// not, old is the item that was there instead, empty if none was.
func (r *Runs) put(ctx context.Context, run *responder.Run, version int64, only condition) (old item, err error) {
	fresh, err := r.item(run, version)
	if err != nil {
		return nil, err
	}
	values := item{":now": number(r.now().Unix())}
	maps.Copy(values, only.values)
	_, err = r.client.PutItem(ctx, &awsdynamodb.PutItemInput{
		TableName: &r.table, Item: fresh,
		ConditionExpression: &only.text, ExpressionAttributeNames: only.names, ExpressionAttributeValues: values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	var refused *types.ConditionalCheckFailedException
	if errors.As(err, &refused) {
		if refused.Item == nil {
			return item{}, nil
		}
		return refused.Item, nil
	}
	return nil, err
}

// wrote reports whether an item was written under the token as that version: a
// write of ours whose reply was lost. An empty token names no attempt.
func wrote(it item, token string, version int64) bool {
	stored, ok := numberOf(it, attrVersion)
	return ok && stored == version && token != "" && textOf(it, attrToken) == token
}

// gone reports whether an item is not there, or only because DynamoDB has not
// yet deleted it.
func (r *Runs) gone(it item) bool {
	if len(it) == 0 {
		return true
	}
	expires, ok := numberOf(it, attrExpires)
	return ok && expires <= r.now().Unix()
}

// item gives the run as stored under a version.
func (r *Runs) item(run *responder.Run, version int64) (item, error) {
	stored := *run
	stored.Version = version
	payload, err := responder.EncodeRun(&stored)
	if err != nil {
		return nil, err
	}
	summary, err := json.Marshal(brief(stored.Summary()))
	if err != nil {
		return nil, fmt.Errorf("encode summary: %w", err)
	}
	it := item{
		attrID: text(run.ID), attrVersion: number(version), attrToken: text(run.Token), attrPayload: bytes(payload),
		attrShard: text(shardOf(run.ID)), attrListed: text(place(run.Created, run.ID)), attrSummary: text(string(summary)),
		attrState: text(string(run.State)), attrRule: text(run.Finding.Rule), attrFlow: text(run.Flow.Name),
	}
	if !run.Due.IsZero() {
		it[attrDue] = text(stamp(run.Due))
	}
	if run.State.Ended() && run.State != responder.RunParked {
		it[attrExpires] = number(expiry(r.endOf(run).Add(responder.RunRetention)))
	}
	return it, nil
}

// endOf is when an ended run ended: at its last write.
func (r *Runs) endOf(run *responder.Run) time.Time {
	if run.Updated.IsZero() {
		return r.now()
	}
	return run.Updated
}

// brief cuts the texts of a summary that are not from the configuration.
func brief(s responder.RunSummary) responder.RunSummary {
	s.Title, s.About, s.Cause, s.Account = cut(s.Title, maxSummaryText), cut(s.About, maxSummaryText), cut(s.Cause, maxSummaryText), cut(s.Account, maxSummaryText)
	return s
}

// shardOf spreads runs over the indexes' partitions.
func shardOf(id string) string {
	h := fnv.New32a()
	h.Write([]byte(id))
	return strconv.Itoa(int(h.Sum32() % shards))
}

// Get implements responder.RunStore: one consistent read.
func (r *Runs) Get(ctx context.Context, id string) (*responder.Run, error) {
	if id == "" {
		return nil, fmt.Errorf("get run: no id: %w", responder.ErrNotFound) // DynamoDB takes no empty key
	}
	consistent, projection := true, "#payload, #expires"
	out, err := r.client.GetItem(ctx, &awsdynamodb.GetItemInput{
		TableName: &r.table, Key: item{attrID: text(id)}, ConsistentRead: &consistent,
		ProjectionExpression:     &projection,
		ExpressionAttributeNames: map[string]string{"#payload": attrPayload, "#expires": attrExpires},
	})
	if err != nil {
		return nil, fmt.Errorf("get run %s: %w", id, err)
	}
	if r.gone(out.Item) {
		return nil, fmt.Errorf("get run %s: %w", id, responder.ErrNotFound)
	}
	payload, ok := out.Item[attrPayload].(*types.AttributeValueMemberB)
	if !ok {
		return nil, fmt.Errorf("get run %s: its item has no payload", id)
	}
	run, err := responder.DecodeRun(payload.Value)
	if err != nil {
		return nil, fmt.Errorf("get run %s: %w", id, err)
	}
	return run, nil
}
