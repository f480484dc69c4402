package emulator

import (
	"context"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Table makes a table under a name that nobody else has, until the test is over,
// and gives the name. Where an answer is lost the client asks again, of what has
// been done: that is no failure.
func Table(t testing.TB, client *dynamodb.Client, table *dynamodb.CreateTableInput) string {
	t.Helper()
	var there *types.ResourceInUseException
	if _, err := client.CreateTable(t.Context(), table); err != nil && !errors.As(err, &there) {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		var gone *types.ResourceNotFoundException
		if _, err := client.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: table.TableName}); err != nil && !errors.As(err, &gone) {
			t.Errorf("delete the table: %v", err)
		}
	})
	return aws.ToString(table.TableName)
}
