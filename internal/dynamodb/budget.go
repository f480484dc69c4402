package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/skycrafters/responder"
)

// admitRounds is how often an Admit looks at what is counted; each time but the
// last, somebody else counted meanwhile.
const admitRounds = 12

var _ responder.Budget = (*Counters)(nil)

// Admit implements responder.Budget: one consistent read of all keys, and one
// transaction that writes those in which something is to be counted. Members
// only ever join while a counter lives, so a condition on its size keeps what was
// read true enough: whoever else joins makes it fail, or makes room to spare.
//
// It costs a unit for each KB read, and two for each written.
func (c *Counters) Admit(ctx context.Context, claims ...responder.Claim) (full int, admitted bool, err error) {
	if err := responder.CheckClaims(claims); err != nil {
		return 0, false, fmt.Errorf("admit: %w", err)
	}
	for round := range admitRounds {
		if round > 0 {
			if err := sleep(ctx, pause(claims[0], round)); err != nil {
				return 0, false, fmt.Errorf("admit: %w", err)
			}
		}
		stored, err := c.read(ctx, claims)
		if err != nil {
			return 0, false, fmt.Errorf("admit: %w", err)
		}
		var writes []types.TransactWriteItem
		for i, claim := range claims {
			write, fits, err := c.claim(claim, stored[digestOf(claim.Key)])
			if err != nil {
				return i, false, fmt.Errorf("admit: %w", err)
			}
			if !fits {
				return i, false, nil
			}
			if write != nil {
				writes = append(writes, types.TransactWriteItem{Update: write})
			}
		}
		if len(writes) == 0 {
			return 0, true, nil
		}
		_, err = c.client.TransactWriteItems(ctx, &awsdynamodb.TransactWriteItemsInput{TransactItems: writes})
		switch {
		case err == nil:
			return 0, true, nil
		case !overtaken(err):
			return 0, false, fmt.Errorf("admit: %w", err)
		}
	}
	return 0, false, fmt.Errorf("admit: the counters changed %d times meanwhile", admitRounds)
}

// pause is how long the n-th round waits: up to 10 ms, doubled with each. What is
// claimed decides how much of it, and so keeps claimants apart.
func pause(claim responder.Claim, n int) time.Duration {
	ceiling := 10 * time.Millisecond << min(n, 4)
	return ceiling * time.Duration(digest(strings.Join(claim.Members, "\n"))[n]) / 255
}

// overtaken reports whether a transaction failed because others counted meanwhile.
func overtaken(err error) bool {
	var conflict *types.TransactionConflictException
	if errors.As(err, &conflict) {
		return true
	}
	var cancelled *types.TransactionCanceledException
	if !errors.As(err, &cancelled) {
		return false
	}
	return !slices.ContainsFunc(cancelled.CancellationReasons, func(r types.CancellationReason) bool {
		return !slices.Contains([]string{"", "None", "ConditionalCheckFailed", "TransactionConflict"}, aws.ToString(r.Code))
	})
}

// read gives the items of the claims' keys, as they are now.
func (c *Counters) read(ctx context.Context, claims []responder.Claim) (map[string]item, error) {
	found := map[string]item{}
	if len(claims) == 0 {
		return found, nil
	}
	wanted := map[string]types.KeysAndAttributes{}
	keys := types.KeysAndAttributes{ConsistentRead: aws.Bool(true)}
	for _, claim := range claims {
		keys.Keys = append(keys.Keys, item{attrKey: text(digestOf(claim.Key))})
	}
	wanted[c.table] = keys
	for round := range readRounds {
		if round > 0 {
			if err := sleep(ctx, firstRest<<(round-1)); err != nil {
				return nil, err
			}
		}
		out, err := c.client.BatchGetItem(ctx, &awsdynamodb.BatchGetItemInput{RequestItems: wanted})
		if err != nil {
			return nil, err
		}
		for _, it := range out.Responses[c.table] {
			found[textOf(it, attrKey)] = it
		}
		if len(out.UnprocessedKeys) == 0 {
			return found, nil
		}
		wanted = out.UnprocessedKeys
	}
	return nil, fmt.Errorf("DynamoDB still leaves out %d of %d items when asked %d times", len(wanted[c.table].Keys), len(claims), readRounds)
}

// claim gives the write that counts a claim over what is stored of its key: nil
// if nothing is to be counted. ErrTooLarge: more than an item holds.
func (c *Counters) claim(claim responder.Claim, stored item) (write *types.Update, fits bool, err error) {
	now := stamp(c.now())
	until := textOf(stored, attrUntil)
	if until <= now {
		stored = nil
	}
	counted := map[string]bool{}
	if set, ok := stored[attrMembers].(*types.AttributeValueMemberBS); ok {
		for _, member := range set.Value {
			counted[string(member)] = true
		}
	}
	n := len(counted)
	var fresh [][]byte
	for _, member := range claim.Members {
		if d := digest(member); !counted[string(d)] {
			counted[string(d)] = true
			fresh = append(fresh, d)
		}
	}
	switch {
	case len(fresh) == 0:
		return nil, true, nil
	case claim.Limit > 0 && n+len(fresh) > claim.Limit:
		return nil, false, nil
	case n+len(fresh) > MaxMembers:
		return nil, false, fmt.Errorf("%d members under one key: %w", n+len(fresh), responder.ErrTooLarge)
	}
	joining := &types.AttributeValueMemberBS{Value: fresh}
	key := item{attrKey: text(digestOf(claim.Key))}
	if stored == nil {
		return &types.Update{
			TableName: &c.table, Key: key,
			UpdateExpression:    aws.String("SET #members = :members, #until = :until, #expires = :expires, #name = :name"),
			ConditionExpression: aws.String("attribute_not_exists(#key) OR #until <= :now"),
			ExpressionAttributeNames: map[string]string{
				"#key": attrKey, "#members": attrMembers, "#until": attrUntil, "#expires": attrExpires, "#name": attrName,
			},
			ExpressionAttributeValues: item{
				":members": joining, ":until": text(stamp(claim.Expires)), ":expires": number(expiry(claim.Expires)),
				":name": text(cut(strings.ToValidUTF8(claim.Key, "�"), maxName)), ":now": text(now),
			},
		}, true, nil
	}
	most := MaxMembers
	if claim.Limit > 0 {
		most = min(most, claim.Limit)
	}
	return &types.Update{
		TableName: &c.table, Key: key,
		UpdateExpression:         aws.String("ADD #members :members"),
		ConditionExpression:      aws.String("#until = :until AND size(#members) <= :room"),
		ExpressionAttributeNames: map[string]string{"#members": attrMembers, "#until": attrUntil},
		ExpressionAttributeValues: item{
			":members": joining, ":until": text(until), ":room": number(int64(most - len(fresh))),
		},
	}, true, nil
}
