package dynamodb

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/skycrafters/responder"
)

// CountersClient is what Counters needs of a *dynamodb.Client of the AWS SDK.
type CountersClient interface {
	UpdateItem(context.Context, *awsdynamodb.UpdateItemInput, ...func(*awsdynamodb.Options)) (*awsdynamodb.UpdateItemOutput, error)
	PutItem(context.Context, *awsdynamodb.PutItemInput, ...func(*awsdynamodb.Options)) (*awsdynamodb.PutItemOutput, error)
	BatchGetItem(context.Context, *awsdynamodb.BatchGetItemInput, ...func(*awsdynamodb.Options)) (*awsdynamodb.BatchGetItemOutput, error)
	TransactWriteItems(context.Context, *awsdynamodb.TransactWriteItemsInput, ...func(*awsdynamodb.Options)) (*awsdynamodb.TransactWriteItemsOutput, error)
}

const (
	// MaxMembers is how many members a counter without a limit, or with a
	// higher one, can have: an item takes 400 KB.
	MaxMembers = 20_000

	memberBytes = 16 // of a member's SHA-256
	maxName     = 256
	addRounds   = 5 // of which each but the last met another's first add, or an end
)

// Counters keeps counters in a table of CountersTable's shape, an item a
// counter, its members as a set of digests: counting again what is counted
// changes nothing, whatever became of the reply. Safe for concurrent use.
//
// An Add is one conditional update, and for the first of a key one write more.
// It costs a unit for each KB: one for each 60 members there are. That suits
// windows, caps and cooldowns; a count of many thousands is dear.
type Counters struct {
	client CountersClient
	table  string
	now    func() time.Time
}

var _ responder.Counters = (*Counters)(nil)

// NewCounters gives the counters of a table. now decides what has expired.
func NewCounters(client CountersClient, table string, now func() time.Time) *Counters {
	return &Counters{client: client, table: table, now: now}
}

// Add implements responder.Counters. ErrTooLarge: the counter has MaxMembers.
func (c *Counters) Add(ctx context.Context, key, member string, limit int, expires time.Time) (n int, admitted bool, err error) {
	most := limit
	if most < 1 || most > MaxMembers {
		most = MaxMembers
	}
	for range addRounds {
		n, result, err := c.join(ctx, key, member, most)
		if err != nil {
			return 0, false, fmt.Errorf("count: %w", err)
		}
		switch {
		case result == joined:
			return n, true, nil
		case result == full && most != limit:
			return n, false, fmt.Errorf("count: %d members under one key: %w", n, responder.ErrTooLarge)
		case result == full:
			return n, false, nil
		}
		began, err := c.begin(ctx, key, member, expires)
		if err != nil {
			return 0, false, fmt.Errorf("count: %w", err)
		}
		if began {
			return 1, true, nil
		}
	}
	return 0, false, fmt.Errorf("count: the counter began and ended %d times meanwhile", addRounds)
}

// joining is what became of a join.
type joining int

const (
	absent joining = iota // there is no such counter, or it has expired
	joined
	full
)

// join adds a member to a counter that is there, and gives how many it has then.
func (c *Counters) join(ctx context.Context, key, member string, most int) (int, joining, error) {
	update := "ADD #members :member"
	condition := "#until > :now AND (contains(#members, :one) OR size(#members) < :most)"
	out, err := c.client.UpdateItem(ctx, &awsdynamodb.UpdateItemInput{
		TableName: &c.table, Key: item{attrKey: text(digestOf(key))},
		UpdateExpression: &update, ConditionExpression: &condition,
		ExpressionAttributeNames: map[string]string{"#members": attrMembers, "#until": attrUntil},
		ExpressionAttributeValues: item{
			":member": members(member), ":one": bytes(digest(member)), ":most": number(int64(most)), ":now": text(stamp(c.now())),
		},
		ReturnValues:                        types.ReturnValueAllNew,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	var refused *types.ConditionalCheckFailedException
	switch {
	case errors.As(err, &refused):
		if textOf(refused.Item, attrUntil) <= stamp(c.now()) {
			return 0, absent, nil
		}
		return count(refused.Item), full, nil
	case err != nil:
		return 0, absent, err
	}
	return count(out.Attributes), joined, nil
}

// begin makes a counter of one member, unless there is one by now.
func (c *Counters) begin(ctx context.Context, key, member string, expires time.Time) (bool, error) {
	condition := "attribute_not_exists(#key) OR #until <= :now"
	_, err := c.client.PutItem(ctx, &awsdynamodb.PutItemInput{
		TableName: &c.table,
		Item: item{
			attrKey: text(digestOf(key)), attrName: text(cut(strings.ToValidUTF8(key, "�"), maxName)), attrMembers: members(member),
			attrUntil: text(stamp(expires)), attrExpires: number(expiry(expires)),
		},
		ConditionExpression:       &condition,
		ExpressionAttributeNames:  map[string]string{"#key": attrKey, "#until": attrUntil},
		ExpressionAttributeValues: item{":now": text(stamp(c.now()))},
	})
	var refused *types.ConditionalCheckFailedException
	if errors.As(err, &refused) {
		return false, nil
	}
	return err == nil, err
}

// count says how many members a counter's item has.
func count(it item) int {
	set, ok := it[attrMembers].(*types.AttributeValueMemberBS)
	if !ok {
		return 0
	}
	return len(set.Value)
}

func members(member string) types.AttributeValue {
	return &types.AttributeValueMemberBS{Value: [][]byte{digest(member)}}
}

// digest stands for a member, at a size that does not depend on it.
func digest(member string) []byte {
	sum := sha256.Sum256([]byte(member))
	return sum[:memberBytes]
}

// digestOf stands for a key, which DynamoDB wants not empty and below 2 KB.
func digestOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}
