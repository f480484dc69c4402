package actions

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/skycrafters/responder"
)

// interfaceForm is a network interface and its security groups, of which it can
// have 16 at most: eni-0a1b2c3d=sg-1a2b3c4d,sg-2a2b3c4d.
var interfaceForm = regexp.MustCompile(`^eni-[0-9a-f]{8,17}=sg-[0-9a-f]{8,17}(,sg-[0-9a-f]{8,17}){0,15}$`)

// interfaceGroups is a network interface and the groups that it is to have.
type interfaceGroups struct {
	id     string
	groups []string
}

// String gives the form that the parameter `interfaces` has.
func (i interfaceGroups) String() string { return i.id + "=" + strings.Join(i.groups, ",") }

// interfaces is what actions on network interfaces have in common.
type interfaces struct{ *access }

// ec2RestoreSecurityGroups gives network interfaces their security groups back.
type ec2RestoreSecurityGroups struct{ interfaces }

var _ repair = (*ec2RestoreSecurityGroups)(nil)

// Spec implements responder.Action.
func (a *ec2RestoreSecurityGroups) Spec() responder.Spec {
	return responder.Spec{
		Name: "EC2RestoreSecurityGroups",
		Kind: responder.Repair,
		Doc:  "Gives network interfaces in the event's account and region the security groups that they are said to have, and no others: what EC2IsolateInstances took from them.",
		Params: []responder.Param{{Name: "interfaces", Type: responder.ListParam, Required: true, Static: true,
			Doc: "A text for each interface: its id, `=`, and the ids of its security groups, with commas between."}},
		Result: map[string]string{
			"restored": "ids of the interfaces whose groups this attempt changed",
			"already":  "ids of the interfaces that had these groups",
			"missing":  "ids of interfaces that EC2 does not know (any more)",
		},
		Permissions: []responder.Permission{
			{Actions: []string{"ec2:DescribeNetworkInterfaces"}, Resources: []string{"*"}},
			{Actions: []string{"ec2:ModifyNetworkInterfaceAttribute"}, Resources: []string{instanceARN, interfaceARN, securityGroupARN}},
		},
		Inverse: "The same, with the groups that it found.",
		Undo:    []string{"EC2RestoreSecurityGroups"},
	}
}

// foundInterfaces are the interfaces that a call is about, as EC2 knows them now.
type foundInterfaces struct {
	wanted []interfaceGroups
	known  map[string]types.NetworkInterface
	api    EC2API
}

// wanted reads the parameter `interfaces`. Of one that is named twice it is not
// known what is meant.
func (i interfaces) wanted(call responder.Call) ([]interfaceGroups, error) {
	texts, err := listTarget(call, "interfaces", interfaceForm, "interfaces with their groups")
	if err != nil {
		return nil, err
	}
	var wanted []interfaceGroups
	for _, text := range texts {
		id, groups, _ := strings.Cut(text, "=")
		if slices.ContainsFunc(wanted, func(w interfaceGroups) bool { return w.id == id }) {
			return nil, permanentf("no target: interfaces names %s twice", id)
		}
		wanted = append(wanted, interfaceGroups{id, strings.Split(groups, ",")})
	}
	return wanted, nil
}

// find looks for the interfaces that a call of an action is about.
func (i interfaces) find(ctx context.Context, by responder.Action, call responder.Call) (foundInterfaces, error) {
	wanted, err := i.wanted(call)
	if err != nil {
		return foundInterfaces{}, err
	}
	region, err := regionTarget(call)
	if err != nil {
		return foundInterfaces{}, err
	}
	api, err := client(ctx, i.access, i.aws.EC2, by, call, region)
	if err != nil {
		return foundInterfaces{}, err
	}
	found := foundInterfaces{wanted: wanted, known: map[string]types.NetworkInterface{}, api: api}
	for chunk := range slices.Chunk(wanted, instancesAtOnce) {
		var ids []string
		for _, w := range chunk {
			ids = append(ids, w.id)
		}
		pages := ec2.NewDescribeNetworkInterfacesPaginator(api, &ec2.DescribeNetworkInterfacesInput{Filters: []types.Filter{ec2Filter("network-interface-id", ids...)}})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return foundInterfaces{}, awsError("ec2:DescribeNetworkInterfaces", err, reads)
			}
			for _, known := range page.NetworkInterfaces {
				found.known[aws.ToString(known.NetworkInterfaceId)] = known
			}
		}
	}
	return found, nil
}

// split gives the ids of the interfaces that have other groups, that have these,
// and that are not there.
func (f foundInterfaces) split() (others, these, missing []string) {
	for _, w := range f.wanted {
		known, ok := f.known[w.id]
		switch {
		case !ok:
			missing = append(missing, w.id)
		case sameGroups(groupIDs(known.Groups), w.groups):
			these = append(these, w.id)
		default:
			others = append(others, w.id)
		}
	}
	return others, these, missing
}

// Do implements responder.Action. It can be repeated.
func (a *ec2RestoreSecurityGroups) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	found, err := a.find(ctx, a, call)
	if err != nil {
		return nil, err
	}
	others, these, missing := found.split()
	done, err := each(ctx, others, func(ctx context.Context, id string) error {
		at := slices.IndexFunc(found.wanted, func(w interfaceGroups) bool { return w.id == id })
		_, err := found.api.ModifyNetworkInterfaceAttribute(ctx, &ec2.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: &id, Groups: found.wanted[at].groups})
		switch {
		case hasCode(err, "InvalidNetworkInterfaceID.NotFound"): // gone meanwhile
			missing = append(missing, id)
			return nil
		case err != nil:
			return awsError("ec2:ModifyNetworkInterfaceAttribute", err, mutates)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	result := responder.Result{}
	put(result, "restored", slices.DeleteFunc(done, func(id string) bool { return slices.Contains(missing, id) }))
	put(result, "already", these)
	put(result, "missing", missing)
	return result, nil
}

// Verify implements responder.Verifier: done if every interface that is there has
// its groups.
func (a *ec2RestoreSecurityGroups) Verify(ctx context.Context, call responder.Call) (responder.Verdict, error) {
	found, err := a.find(ctx, a, call)
	others, _, _ := found.split()
	return verdict(len(others) == 0, err)
}

// Survey implements responder.Surveyor. An interface that is not found may be when
// it is acted on, so it is a target, too.
func (a *ec2RestoreSecurityGroups) Survey(ctx context.Context, call responder.Call) (responder.Survey, error) {
	found, err := a.find(ctx, a, call)
	if err != nil {
		return responder.Survey{}, err
	}
	var survey responder.Survey
	others, _, missing := found.split()
	var had []string
	for _, w := range found.wanted {
		known, ok := found.known[w.id]
		target := ec2Target(call, "network-interface", w.id, known.TagSet)
		target.TagsUnknown = !ok
		survey.Targets = append(survey.Targets, target)
		if slices.Contains(others, w.id) {
			had = append(had, interfaceGroups{w.id, groupIDs(known.Groups)}.String())
		}
	}
	survey.Found = map[string]any{}
	put(survey.Found, "missing", missing)
	if len(had) > 0 {
		survey.Found["security_groups"] = had
		survey.Undo = []responder.Binding{{Action: "EC2RestoreSecurityGroups", Params: map[string]any{"interfaces": had}}}
	}
	return survey, nil
}

// Needs implements responder.Narrower.
func (a *ec2RestoreSecurityGroups) Needs(call responder.Call) []responder.Permission {
	wanted, err := a.wanted(call)
	if err != nil {
		return nil // Do refuses it
	}
	things, err := ec2ARNs(call, "instance", "*") // the ones that the interfaces are of
	if err != nil {
		return nil
	}
	for _, w := range wanted {
		id, _ := ec2ARNs(call, "network-interface", w.id)
		groups, _ := ec2ARNs(call, "security-group", w.groups...)
		things = slices.Concat(things, id, groups)
	}
	return []responder.Permission{
		{Actions: []string{"ec2:DescribeNetworkInterfaces"}, Resources: []string{"*"}},
		{Actions: []string{"ec2:ModifyNetworkInterfaceAttribute"}, Resources: slices.Compact(slices.Sorted(slices.Values(things)))},
	}
}

// Describe implements responder.Describer.
func (a *ec2RestoreSecurityGroups) Describe(call responder.Call) string {
	return "set the security groups of " + inline(plain(call.Params["interfaces"]))
}
