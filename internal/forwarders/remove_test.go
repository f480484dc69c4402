package forwarders_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/skycrafters/responder/internal/forwarders"
)

func TestRemove(t *testing.T) {
	for _, tt := range []struct {
		state, coming types.StackStatus
		ends          string
		did           forwarders.Did
		changes       string
		err           string
	}{
		{did: forwarders.None},
		{state: "CREATE_COMPLETE", did: forwarders.Removed, changes: "DeleteStack"},
		{state: "ROLLBACK_COMPLETE", did: forwarders.Removed, changes: "DeleteStack"},
		{state: "REVIEW_IN_PROGRESS", did: forwarders.Removed, changes: "DeleteStack"},
		{state: "UPDATE_ROLLBACK_FAILED", did: forwarders.Removed, changes: "DeleteStack"},
		{state: "DELETE_FAILED", did: forwarders.Removed, changes: "DeleteStack"},
		{state: "UPDATE_IN_PROGRESS", coming: "UPDATE_COMPLETE", did: forwarders.Removed, changes: "DeleteStack"},
		{state: "DELETE_IN_PROGRESS", coming: "DELETE_COMPLETE", did: forwarders.Removed},
		{state: "CREATE_COMPLETE", ends: "DELETE_FAILED", did: forwarders.Failed, changes: "DeleteStack", err: "Connection (AWS::Events::Connection): the quota is reached"},
	} {
		t.Run(fmt.Sprint(tt.state, tt.coming, tt.ends), func(t *testing.T) {
			c := newCloud("eu-west-1")
			r := c.regions["eu-west-1"]
			if tt.state != "" {
				r.has(tt.state, before())
			}
			if tt.coming != "" {
				r.coming = []types.StackStatus{tt.state, tt.coming}
			}
			if tt.ends != "" {
				r.ends["DeleteStack"] = []string{tt.ends}
			}
			results, err := c.fleet().Remove(t.Context(), c.names())
			got := one(t, results, err)
			if got.Did != tt.did || strings.Join(r.changes(), " ") != tt.changes || (got.Err != nil) != (tt.err != "") {
				t.Errorf("%s by %v: %v; want %s by %s", got.Did, r.changes(), got.Err, tt.did, tt.changes)
			}
			if tt.err != "" && got.Err.Error() != tt.err {
				t.Errorf("%q, want %q", got.Err, tt.err)
			}
			results, err = c.fleet().Remove(t.Context(), c.names())
			if got := one(t, results, err); !forwarders.Fine(results) || tt.err == "" && got.Did != forwarders.None {
				t.Errorf("run again: %s, %v", got.Did, got.Err)
			}
		})
	}
}

func TestRemoveProtected(t *testing.T) {
	c := newCloud("eu-west-1")
	r := c.regions["eu-west-1"]
	r.has("CREATE_COMPLETE", before())
	r.fail["DeleteStack"] = []error{validation("Stack [x] cannot be deleted while TerminationProtection is enabled")}
	results, err := c.fleet().Remove(t.Context(), c.names())
	if got := one(t, results, err); got.Did != forwarders.Failed || !strings.Contains(got.Err.Error(), "switch that off first") {
		t.Errorf("%s: %v", got.Did, got.Err)
	}
}

func TestLook(t *testing.T) {
	c := newCloud("broken", "busy", "failed", "fine", "none", "stuck")
	c.regions["broken"].fail["DescribeStacks"] = []error{errBroken}
	c.regions["busy"].has("UPDATE_IN_PROGRESS", before())
	failed := c.regions["failed"]
	failed.has("ROLLBACK_COMPLETE", before())
	failed.event("Rule", "CREATE_FAILED", "Resource creation cancelled")
	failed.event("Role", "CREATE_FAILED", "the first")
	failed.event("Queue", "CREATE_FAILED", "the second")
	failed.event("", "ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create")
	failed.event("Role", "DELETE_COMPLETE", "")
	stuck := c.regions["stuck"]
	stuck.has("UPDATE_ROLLBACK_FAILED", before())
	stuck.event("Old", "CREATE_FAILED", "long ago")
	stuck.event("", "UPDATE_IN_PROGRESS", "User Initiated")
	stuck.event("Connection", "UPDATE_FAILED", "wrong header")
	stuck.event("", "UPDATE_ROLLBACK_IN_PROGRESS", "")
	stuck.event("Queue", "UPDATE_FAILED", "gone")
	stuck.event("", "UPDATE_ROLLBACK_FAILED", "The following resource(s) failed to update: [Queue]")
	c.regions["fine"].has("UPDATE_COMPLETE", before())
	results, err := c.fleet().Look(t.Context(), c.names())
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{
		"broken failed look at the stack: the connection broke",
		"busy unchanged <nil>",
		"failed failed Role (AWS::Events::Role): the first",
		"fine unchanged <nil>",
		"none none <nil>",
		"stuck failed Connection (AWS::Events::Connection): wrong header; then its rollback failed: Queue (AWS::Events::Queue): gone",
	} {
		if got := fmt.Sprint(results[i].Region, " ", results[i].Did, " ", results[i].Err); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
	for name, r := range c.regions {
		if len(r.changes()) > 0 {
			t.Errorf("%s: looking did %v", name, r.changes())
		}
	}
}
