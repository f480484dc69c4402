package archive_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/skycrafters/responder/internal/archive"
)

func ExampleRead() {
	lines := strings.NewReader("{\"eventName\":\"CreateUser\"}\n{\"eventName\":\n{\"eventName\":\"DeleteUser\"}\n")
	for record, err := range archive.Read(context.Background(), "trail.jsonl", lines) {
		if err != nil {
			fmt.Println("damaged:", err)
			continue
		}
		fmt.Println(record.Index, string(record.Raw))
	}
	// Output:
	// 0 {"eventName":"CreateUser"}
	// damaged: trail.jsonl#2 (line 2): the input ends in the middle of it
	// 2 {"eventName":"DeleteUser"}
}
