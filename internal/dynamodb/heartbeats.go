package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"github.com/skycrafters/responder"
)

// HeartbeatsClient is what Heartbeats needs of a *dynamodb.Client of the AWS SDK.
type HeartbeatsClient interface {
	UpdateItem(context.Context, *awsdynamodb.UpdateItemInput, ...func(*awsdynamodb.Options)) (*awsdynamodb.UpdateItemOutput, error)
	BatchGetItem(context.Context, *awsdynamodb.BatchGetItemInput, ...func(*awsdynamodb.Options)) (*awsdynamodb.BatchGetItemOutput, error)
}

const (
	// heartShards is how many items the beats are spread over, by account. It
	// may grow once every function that reads knows the new number.
	heartShards = 16
	heartPrefix = "heartbeats/" // what no counter's key begins with: those are hexadecimal

	forgetAtOnce = 100 // places of one update, whose expression takes 4 KB
	readRounds   = 6   // of which each but the first asks for what DynamoDB left out
	firstRest    = 50 * time.Millisecond
)

// Heartbeats keep when places were heard, in the table of the counters: sixteen
// items that never expire, each with an attribute ACCOUNT/REGION for each of
// its places, in seconds since 1970. Safe for concurrent use.
//
// A place takes about 32 bytes, so that an item holds some 12,000. A beat costs
// a unit for each KB of its account's item, one for each 30 places in it; with
// 17 regions a beat every 15 minutes is 50,000 a month for each account. Beats
// is one request of at least 16 units: once a minute 700,000 a month, about ten
// cents at $0.125 a million.
type Heartbeats struct {
	client HeartbeatsClient
	table  string
}

var _ responder.Heartbeats = (*Heartbeats)(nil)

// NewHeartbeats gives the heartbeats that are kept in a table of CountersTable's shape.
func NewHeartbeats(client HeartbeatsClient, countersTable string) *Heartbeats {
	return &Heartbeats{client: client, table: countersTable}
}

// Beat implements responder.Heartbeats: one conditional update.
func (h *Heartbeats) Beat(ctx context.Context, place responder.Place, at time.Time) error {
	if err := place.Check(); err != nil {
		return fmt.Errorf("beat: %w", err)
	}
	update, newer := "SET #place = :at", "attribute_not_exists(#place) OR #place < :at"
	_, err := h.client.UpdateItem(ctx, &awsdynamodb.UpdateItemInput{
		TableName: &h.table, Key: heartKey(heartShard(place)),
		UpdateExpression: &update, ConditionExpression: &newer,
		ExpressionAttributeNames:  map[string]string{"#place": place.String()},
		ExpressionAttributeValues: item{":at": number(at.Unix())},
	})
	if err != nil && !isRefused(err) { // refused: a beat as new is known
		return fmt.Errorf("beat of %s: %w", place, err)
	}
	return nil
}

// Beats implements responder.Heartbeats: one consistent read of all items, and
// more, with growing rests between, for those that DynamoDB leaves out.
func (h *Heartbeats) Beats(ctx context.Context) (map[responder.Place]time.Time, error) {
	wanted := map[string]types.KeysAndAttributes{h.table: {ConsistentRead: aws.Bool(true)}}
	for shard := range heartShards {
		keys := wanted[h.table]
		keys.Keys = append(keys.Keys, heartKey(shard))
		wanted[h.table] = keys
	}
	beats := map[responder.Place]time.Time{}
	for round := range readRounds {
		if round > 0 {
			if err := sleep(ctx, firstRest<<(round-1)); err != nil {
				return nil, fmt.Errorf("beats: %w", err)
			}
		}
		out, err := h.client.BatchGetItem(ctx, &awsdynamodb.BatchGetItemInput{RequestItems: wanted})
		if err != nil {
			return nil, fmt.Errorf("beats: %w", err)
		}
		for _, it := range out.Responses[h.table] {
			addBeats(beats, it)
		}
		if len(out.UnprocessedKeys) == 0 {
			return beats, nil
		}
		wanted = out.UnprocessedKeys
	}
	return nil, fmt.Errorf("beats: DynamoDB still leaves out %d of %d items when asked %d times", len(wanted[h.table].Keys), heartShards, readRounds)
}

// addBeats reads the places of an item. Attributes that are none are not ours.
func addBeats(beats map[responder.Place]time.Time, it item) {
	for name := range it {
		account, region, _ := strings.Cut(name, "/")
		place := responder.Place{Account: account, Region: region}
		if at, ok := numberOf(it, name); ok && place.Check() == nil {
			beats[place] = time.Unix(at, 0).UTC()
		}
	}
}

// Forget implements responder.Heartbeats: one update for each hundred places of
// an item, the items at once.
func (h *Heartbeats) Forget(ctx context.Context, places ...responder.Place) error {
	shards := make([][]string, heartShards)
	for _, place := range places {
		if shard := heartShard(place); !slices.Contains(shards[shard], place.String()) {
			shards[shard] = append(shards[shard], place.String())
		}
	}
	updates, ctx := errgroup.WithContext(ctx)
	for shard, names := range shards {
		updates.Go(func() error {
			for some := range slices.Chunk(names, forgetAtOnce) {
				if err := h.remove(ctx, shard, some); err != nil {
					return fmt.Errorf("forget places: %w", err)
				}
			}
			return nil
		})
	}
	return updates.Wait()
}

// remove takes attributes out of an item, if there is that item.
func (h *Heartbeats) remove(ctx context.Context, shard int, attributes []string) error {
	exists := "attribute_exists(#key)"
	names := map[string]string{"#key": attrKey}
	var marks []string
	for i, attribute := range attributes {
		mark := "#p" + strconv.Itoa(i)
		names[mark] = attribute
		marks = append(marks, mark)
	}
	update := "REMOVE " + strings.Join(marks, ", ")
	_, err := h.client.UpdateItem(ctx, &awsdynamodb.UpdateItemInput{
		TableName: &h.table, Key: heartKey(shard),
		UpdateExpression: &update, ConditionExpression: &exists, ExpressionAttributeNames: names,
	})
	if isRefused(err) {
		return nil
	}
	return err
}

// heartShard is the item that a place is in.
func heartShard(place responder.Place) int {
	h := fnv.New32a()
	h.Write([]byte(place.Account))
	return int(h.Sum32() % heartShards)
}

func heartKey(shard int) item { return item{attrKey: text(heartPrefix + strconv.Itoa(shard))} }

func isRefused(err error) bool {
	var refused *types.ConditionalCheckFailedException
	return errors.As(err, &refused)
}

// sleep waits, unless ctx is over before.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
