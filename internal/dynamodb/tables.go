package dynamodb

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// TTLAttribute holds, in items that end, when they may be deleted: seconds
// since 1970. Both tables have it as their time-to-live attribute.
const TTLAttribute = attrExpires

// Attributes of a run's item.
const (
	attrID      = "id"      // S, the key
	attrVersion = "version" // N
	attrToken   = "token"   // S
	attrPayload = "payload" // B, EncodeRun's bytes
	attrShard   = "shard"   // S, partition of both indexes
	attrDue     = "due"     // S, a stamp; only while the run is due some time
	attrListed  = "listed"  // S, a place
	attrSummary = "summary" // S, the RunSummary's JSON
	attrState   = "state"   // S, as rule and flow: what a list filters by
	attrRule    = "rule"    // S
	attrFlow    = "flow"    // S
	attrExpires = "expires" // N; only once the run has ended
)

// Attributes of a counter's item, beside expires.
const (
	attrKey     = "key"     // S, the key: a digest of the counter's
	attrName    = "name"    // S, the counter's key, for people; may be cut
	attrMembers = "members" // BS, digests
	attrUntil   = "until"   // S, a stamp: expires, to the nanosecond
)

// Indexes of the runs table.
const (
	dueIndex  = "due"  // what is due, by shard: sparse, keys only
	listIndex = "list" // what a list shows, by shard
)

// RunsTable describes the table that Runs works on.
func RunsTable(name string) *awsdynamodb.CreateTableInput {
	return &awsdynamodb.CreateTableInput{
		TableName:            &name,
		BillingMode:          types.BillingModePayPerRequest,
		AttributeDefinitions: texts(attrID, attrShard, attrDue, attrListed),
		KeySchema:            keys(attrID),
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{
			{
				IndexName:  aws.String(dueIndex),
				KeySchema:  keys(attrShard, attrDue),
				Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
			},
			{
				IndexName: aws.String(listIndex),
				KeySchema: keys(attrShard, attrListed),
				Projection: &types.Projection{
					ProjectionType:   types.ProjectionTypeInclude,
					NonKeyAttributes: []string{attrSummary, attrState, attrRule, attrFlow, attrExpires},
				},
			},
		},
	}
}

// CountersTable describes the table that Counters works on.
func CountersTable(name string) *awsdynamodb.CreateTableInput {
	return &awsdynamodb.CreateTableInput{
		TableName:            &name,
		BillingMode:          types.BillingModePayPerRequest,
		AttributeDefinitions: texts(attrKey),
		KeySchema:            keys(attrKey),
	}
}

// texts defines attributes that are text.
func texts(names ...string) (definitions []types.AttributeDefinition) {
	for _, name := range names {
		definitions = append(definitions, types.AttributeDefinition{AttributeName: aws.String(name), AttributeType: types.ScalarAttributeTypeS})
	}
	return definitions
}

// keys is a key schema: the partition's attribute and, if given, the sort key's.
func keys(partition string, sort ...string) []types.KeySchemaElement {
	schema := []types.KeySchemaElement{{AttributeName: aws.String(partition), KeyType: types.KeyTypeHash}}
	for _, name := range sort {
		schema = append(schema, types.KeySchemaElement{AttributeName: aws.String(name), KeyType: types.KeyTypeRange})
	}
	return schema
}
