package dynamodb

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"golang.org/x/sync/errgroup"

	"github.com/skycrafters/responder"
)

const (
	defaultPage = 100   // runs on a page of a list, if the query names no number
	maxPage     = 1_000 // items that one request asks for
)

// Due implements responder.RunStore: one eventually consistent query a shard,
// all at a time.
func (r *Runs) Due(ctx context.Context, now time.Time, limit int) ([]string, error) {
	if limit < 1 {
		return nil, fmt.Errorf("due runs: max is %d, must be at least 1", limit)
	}
	index, condition := dueIndex, "#shard = :shard AND #due <= :now"
	due, err := r.everyShard(ctx, limit, func() *awsdynamodb.QueryInput {
		return &awsdynamodb.QueryInput{
			Limit: pageOf(limit), IndexName: &index, KeyConditionExpression: &condition,
			ExpressionAttributeNames:  map[string]string{"#shard": attrShard, "#due": attrDue},
			ExpressionAttributeValues: item{":now": text(stamp(now))},
		}
	})
	if err != nil {
		return nil, fmt.Errorf("due runs: %w", err)
	}
	slices.SortFunc(due, func(a, b item) int {
		return cmp.Or(strings.Compare(textOf(a, attrDue), textOf(b, attrDue)), strings.Compare(textOf(a, attrID), textOf(b, attrID)))
	})
	var ids []string
	for _, it := range due[:min(limit, len(due))] {
		ids = append(ids, textOf(it, attrID))
	}
	return ids, nil
}

// List implements responder.RunLister: one eventually consistent query a shard,
// all at a time, and more where a filter passes over many runs: in the worst
// case, a filter that nothing meets, the whole index is read (about 400 bytes a
// run, half a unit for each 4 KB).
func (r *Runs) List(ctx context.Context, query responder.RunQuery) (responder.RunPage, error) {
	if query.Cursor != "" {
		if err := checkPlace(query.Cursor); err != nil {
			return responder.RunPage{}, fmt.Errorf("list runs: %w", err)
		}
	}
	size := query.Max
	if size < 1 {
		size = defaultPage
	}
	// One more than the page says whether there is another; one more still is
	// the cursor's own run, which the range includes.
	listed, err := r.everyShard(ctx, size+2, func() *awsdynamodb.QueryInput { return r.listQuery(query, size+2) })
	if err != nil {
		return responder.RunPage{}, fmt.Errorf("list runs: %w", err)
	}
	listed = slices.DeleteFunc(listed, func(it item) bool { return textOf(it, attrListed) == query.Cursor })
	slices.SortFunc(listed, func(a, b item) int { return strings.Compare(textOf(b, attrListed), textOf(a, attrListed)) })
	var page responder.RunPage
	if len(listed) > size {
		listed = listed[:size]
		page.Next = textOf(listed[size-1], attrListed)
	}
	for _, it := range listed {
		page.Runs = append(page.Runs, summaryOf(it))
	}
	return page, nil
}

// summaryOf reads what is listed of a run. One that cannot be decoded, a newer
// Responder's perhaps, is shown all the same.
func summaryOf(it item) responder.RunSummary {
	var summary responder.RunSummary
	if err := json.Unmarshal([]byte(textOf(it, attrSummary)), &summary); err != nil {
		return responder.RunSummary{ID: textOf(it, attrID), State: responder.RunParked, Cause: "its summary cannot be decoded"}
	}
	if textOf(it, attrState) == string(responder.RunParked) { // by Park, which leaves the summary as it is
		summary.State = responder.RunParked
	}
	return summary
}

// listQuery asks one shard for limit runs that the query wants, newest first.
func (r *Runs) listQuery(query responder.RunQuery, limit int) *awsdynamodb.QueryInput {
	index, newestFirst := listIndex, false
	condition := "#shard = :shard AND #listed BETWEEN :from AND :to"
	filters := []string{"(attribute_not_exists(#expires) OR #expires > :now)"}
	names := map[string]string{"#shard": attrShard, "#listed": attrListed, "#expires": attrExpires}
	values := item{
		":now":  number(r.now().Unix()),
		":from": text(stamp(query.Since)),
		":to":   text(cmp.Or(query.Cursor, "~")), // after every stamp
	}
	for attribute, wanted := range map[string]string{attrState: string(query.State), attrRule: query.Rule, attrFlow: query.Flow} {
		if wanted != "" {
			filters = append(filters, "#"+attribute+" = :"+attribute)
			names["#"+attribute] = attribute
			values[":"+attribute] = text(wanted)
		}
	}
	filter := strings.Join(filters, " AND ")
	in := &awsdynamodb.QueryInput{
		IndexName: &index, KeyConditionExpression: &condition, FilterExpression: &filter, ScanIndexForward: &newestFirst,
		ExpressionAttributeNames: names, ExpressionAttributeValues: values,
	}
	if len(filters) == 1 { // DynamoDB counts what a filter passes over, too
		in.Limit = pageOf(limit)
	}
	return in
}

// pageOf is a query's page size for so many items.
func pageOf(limit int) *int32 { return aws.Int32(int32(min(limit, maxPage))) }

// everyShard runs a query over every shard at once and gives what they found,
// up to limit each.
func (r *Runs) everyShard(ctx context.Context, limit int, query func() *awsdynamodb.QueryInput) ([]item, error) {
	found := make([][]item, shards)
	queries, ctx := errgroup.WithContext(ctx)
	for shard := range shards {
		queries.Go(func() (err error) {
			in := query()
			in.TableName = &r.table
			in.ExpressionAttributeValues[":shard"] = text(strconv.Itoa(shard))
			found[shard], err = r.pages(ctx, in, limit)
			return err
		})
	}
	if err := queries.Wait(); err != nil {
		return nil, err
	}
	return slices.Concat(found...), nil
}

// pages turns the pages of a query until it has limit items or there are no more.
func (r *Runs) pages(ctx context.Context, in *awsdynamodb.QueryInput, limit int) ([]item, error) {
	var items []item
	for {
		out, err := r.client.Query(ctx, in)
		if err != nil {
			return nil, err
		}
		items = append(items, out.Items...)
		if len(items) >= limit || len(out.LastEvaluatedKey) == 0 {
			return items[:min(limit, len(items))], nil
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
}
