package dynamodb

import (
	"context"
	"errors"
	"sync"
	"time"

	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/skycrafters/responder"
)

// script answers as a test says. What expressions mean is for the emulator to
// show; here are the faults that it does not have.
type script struct {
	mu      sync.Mutex
	put     func(*awsdynamodb.PutItemInput) error
	get     func(*awsdynamodb.GetItemInput) (item, error)
	update  func(*awsdynamodb.UpdateItemInput) (item, error)
	query   func(*awsdynamodb.QueryInput) (*awsdynamodb.QueryOutput, error)
	batch   func(*awsdynamodb.BatchGetItemInput) (*awsdynamodb.BatchGetItemOutput, error)
	write   func(*awsdynamodb.TransactWriteItemsInput) error
	puts    []item
	queries []awsdynamodb.QueryInput
}

func (s *script) PutItem(_ context.Context, in *awsdynamodb.PutItemInput, _ ...func(*awsdynamodb.Options)) (*awsdynamodb.PutItemOutput, error) {
	s.puts = append(s.puts, in.Item)
	if s.put == nil {
		return &awsdynamodb.PutItemOutput{}, nil
	}
	return &awsdynamodb.PutItemOutput{}, s.put(in)
}

func (s *script) GetItem(_ context.Context, in *awsdynamodb.GetItemInput, _ ...func(*awsdynamodb.Options)) (*awsdynamodb.GetItemOutput, error) {
	it, err := s.get(in)
	return &awsdynamodb.GetItemOutput{Item: it}, err
}

func (s *script) UpdateItem(_ context.Context, in *awsdynamodb.UpdateItemInput, _ ...func(*awsdynamodb.Options)) (*awsdynamodb.UpdateItemOutput, error) {
	it, err := s.update(in)
	return &awsdynamodb.UpdateItemOutput{Attributes: it}, err
}

func (s *script) BatchGetItem(_ context.Context, in *awsdynamodb.BatchGetItemInput, _ ...func(*awsdynamodb.Options)) (*awsdynamodb.BatchGetItemOutput, error) {
	return s.batch(in)
}

func (s *script) TransactWriteItems(_ context.Context, in *awsdynamodb.TransactWriteItemsInput, _ ...func(*awsdynamodb.Options)) (*awsdynamodb.TransactWriteItemsOutput, error) {
	return &awsdynamodb.TransactWriteItemsOutput{}, s.write(in)
}

func (s *script) Query(_ context.Context, in *awsdynamodb.QueryInput, _ ...func(*awsdynamodb.Options)) (*awsdynamodb.QueryOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queries = append(s.queries, *in)
	return s.query(in)
}

var (
	errFault = errors.New("no route to host")
	noon     = time.Date(2026, 3, 1, 12, 0, 0, 5, time.UTC)
)

func atNoon() time.Time { return noon }

// refused is a condition that did not hold of an item.
func refused(old item) error { return &types.ConditionalCheckFailedException{Item: old} }

// sample is a run under way.
func sample() *responder.Run {
	return &responder.Run{
		V: 1, ID: "0123", Version: 4, Token: "mine", State: responder.RunWaiting, Due: noon.Add(time.Minute),
		Flow: responder.FlowSnapshot{Name: "tell"}, Finding: responder.Finding{Rule: "RootLogin", Title: "Root", Event: []byte(`{"account":"012345670123"}`)},
		Created: noon.Add(-time.Hour), Updated: noon,
	}
}
