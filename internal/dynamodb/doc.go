// Package dynamodb keeps runs and counters in Amazon DynamoDB, a table for
// each, and heartbeats in the counters' table.
//
// It imports the root and the AWS SDK. Tables are on demand; RunsTable and
// CountersTable give their shape, TTLAttribute names what DynamoDB's
// time-to-live goes by. DynamoDB may delete up to two days late, so that time
// is a condition of every read and write as well.
//
// On the runs table and its indexes it needs dynamodb:PutItem, GetItem and
// Query, and UpdateItem to park; on the counters table PutItem and UpdateItem.
// For heartbeats it needs UpdateItem to beat and to forget, and BatchGetItem to
// read them, on the counters table.
package dynamodb
