package actions

import (
	"regexp"

	"github.com/skycrafters/responder"
)

// The forms that a target must have. They also keep what an event says out of
// places where it could mean something else: wildcards of a filter, a host name.
var (
	userName   = regexp.MustCompile(`^[A-Za-z0-9_+=,.@-]{1,64}$`)
	userID     = regexp.MustCompile(`^[A-Za-z0-9_]{16,128}$`)
	roleName   = regexp.MustCompile(`^[A-Za-z0-9_+=,.@-]{1,64}$`)
	accessKey  = regexp.MustCompile(`^[A-Z0-9]{16,128}$`)
	instanceID = regexp.MustCompile(`^i-[0-9a-f]{8,17}$`)
	groupID    = regexp.MustCompile(`^sg-[0-9a-f]{8,17}$`)
	regionName = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]{2,12}){1,3}-[0-9]{1,2}$`)
)

// userTarget is the user that a step is about.
type userTarget struct {
	name string
	id   string // unique id, "" if the step gives none
}

// userParam reads the parameters `user` and `id`. Anything but a user name, and
// an id that is given but is none, is *Permanent.
func userParam(call responder.Call) (userTarget, error) {
	name, err := textTarget(call, "user", userName)
	if err != nil {
		return userTarget{}, err
	}
	if _, given := call.Params["id"]; !given {
		return userTarget{name: name}, nil
	}
	id, err := textTarget(call, "id", userID)
	return userTarget{name: name, id: id}, err
}

func textTarget(call responder.Call, param string, form *regexp.Regexp) (string, error) {
	value, ok := call.Params[param].(string)
	switch {
	case !ok || value == "":
		return "", permanentf("no target: %s is empty or not a text", param)
	case !form.MatchString(value):
		return "", permanentf("no target: %s %s", param, malformed(value))
	}
	return value, nil
}

// instanceIDs reads the parameter `ids`: an instance id or a list of them.
func instanceIDs(call responder.Call) ([]string, error) {
	return listTarget(call, "ids", instanceID, "instance ids")
}

// keyIDs reads the parameter `keys`, ids of access keys; nil if the step does
// not have it.
func keyIDs(call responder.Call) ([]string, error) {
	if _, given := call.Params["keys"]; !given {
		return nil, nil
	}
	return listTarget(call, "keys", accessKey, "access key ids")
}

// maxTargets is the most things that one call is about: as many as the limit
// per_finding of a flow can let through.
const maxTargets = 1000

// listTarget reads a parameter that is a text of a form or a list of them, as a
// set in the given order; of says what they are. One bad item makes the whole
// *Permanent: it shows that the list is not what the flow's author takes it for.
func listTarget(call responder.Call, param string, form *regexp.Regexp, of string) ([]string, error) {
	var values []any
	switch v := call.Params[param].(type) {
	case string:
		values = []any{v}
	case []string:
		for _, item := range v {
			values = append(values, item)
		}
	case []any:
		values = v
	}
	var items []string
	seen := map[string]bool{}
	for _, value := range values {
		item, ok := value.(string)
		switch {
		case !ok:
			return nil, permanentf("no target: %s holds something that is not a text", param)
		case !form.MatchString(item):
			return nil, permanentf("no target: %s holds %s", param, malformed(item))
		case !seen[item]:
			items, seen[item] = append(items, item), true
		}
	}
	switch {
	case len(items) == 0:
		return nil, permanentf("no target: %s is empty or not a list of %s", param, of)
	case len(items) > maxTargets:
		return nil, permanentf("%s names %d things, and an action takes %d at most: nothing was asked or done", param, len(items), maxTargets)
	}
	return items, nil
}

// regionTarget gives the event's region. It becomes part of a host name, so
// only the form of a region passes.
func regionTarget(call responder.Call) (string, error) {
	switch {
	case call.Region == "":
		return "", permanentf("the event names no region, so it is not known where to act")
	case !regionName.MatchString(call.Region):
		return "", permanentf("the event's region %s", malformed(call.Region))
	}
	return call.Region, nil
}

// malformed shows a value that has not the form it must have.
func malformed(value string) string { return `"` + cut(inline(value), 64) + `", which is malformed` }
