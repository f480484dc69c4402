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

// everybody is how `with` and `from` say the public group.
const everybody = "public"

// shareable is a kind of thing that can be shared: what it is called, and the
// calls of EC2 that say and change with whom. With whom is "public", an account's
// id, or of images the ARN of an organization or a part of it.
type shareable struct {
	kind, word   string // in ARNs and names, and for people
	arn          string
	form         *regexp.Regexp
	partner      *regexp.Regexp
	describe     string // the calls, for permissions and errors
	look, modify string
	missing      []string // codes of a thing that is gone

	tags func(ctx context.Context, api EC2API, ids []string) (map[string][]types.Tag, error)
	with func(ctx context.Context, api EC2API, id string) ([]string, error)
	set  func(ctx context.Context, api EC2API, id string, partners []string, share bool) error
}

var snapshotSharing = shareable{
	kind: "snapshot", word: "Snapshot", arn: snapshotARN,
	form: regexp.MustCompile(`^snap-[0-9a-f]{8,17}$`), partner: regexp.MustCompile(`^(public|[0-9]{12})$`),
	describe: "ec2:DescribeSnapshots", look: "ec2:DescribeSnapshotAttribute", modify: "ec2:ModifySnapshotAttribute",
	missing: []string{"InvalidSnapshot.NotFound"},
	tags: func(ctx context.Context, api EC2API, ids []string) (map[string][]types.Tag, error) {
		known := map[string][]types.Tag{}
		pages := ec2.NewDescribeSnapshotsPaginator(api, &ec2.DescribeSnapshotsInput{OwnerIds: []string{"self"}, Filters: []types.Filter{ec2Filter("snapshot-id", ids...)}})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, err
			}
			for _, snapshot := range page.Snapshots {
				known[aws.ToString(snapshot.SnapshotId)] = snapshot.Tags
			}
		}
		return known, nil
	},
	with: func(ctx context.Context, api EC2API, id string) ([]string, error) {
		out, err := api.DescribeSnapshotAttribute(ctx, &ec2.DescribeSnapshotAttributeInput{SnapshotId: &id, Attribute: types.SnapshotAttributeNameCreateVolumePermission})
		if err != nil {
			return nil, err
		}
		var partners []string
		for _, p := range out.CreateVolumePermissions {
			partners = append(partners, partnerOf(string(p.Group), p.UserId, nil, nil))
		}
		return partners, nil
	},
	set: func(ctx context.Context, api EC2API, id string, partners []string, share bool) error {
		in := &ec2.ModifySnapshotAttributeInput{SnapshotId: &id, Attribute: types.SnapshotAttributeNameCreateVolumePermission, OperationType: types.OperationTypeRemove}
		if share {
			in.OperationType = types.OperationTypeAdd
		}
		for _, partner := range partners {
			if partner == everybody {
				in.GroupNames = []string{string(types.PermissionGroupAll)}
			} else {
				in.UserIds = append(in.UserIds, partner)
			}
		}
		_, err := api.ModifySnapshotAttribute(ctx, in)
		return err
	},
}

var imageSharing = shareable{
	kind: "image", word: "Image", arn: "arn:${AWS::Partition}:ec2:*::image/*", // images are of no account
	form:     regexp.MustCompile(`^ami-[0-9a-f]{8,17}$`),
	partner:  regexp.MustCompile(`^(public|[0-9]{12}|arn:aws[a-z-]*:organizations::[0-9]{12}:(organization/o-[a-z0-9]{10,32}|ou/o-[a-z0-9]{10,32}/ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}))$`),
	describe: "ec2:DescribeImages", look: "ec2:DescribeImageAttribute", modify: "ec2:ModifyImageAttribute",
	missing: []string{"InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"},
	tags: func(ctx context.Context, api EC2API, ids []string) (map[string][]types.Tag, error) {
		known := map[string][]types.Tag{}
		pages := ec2.NewDescribeImagesPaginator(api, &ec2.DescribeImagesInput{Owners: []string{"self"}, Filters: []types.Filter{ec2Filter("image-id", ids...)}})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, err
			}
			for _, image := range page.Images {
				known[aws.ToString(image.ImageId)] = image.Tags
			}
		}
		return known, nil
	},
	with: func(ctx context.Context, api EC2API, id string) ([]string, error) {
		out, err := api.DescribeImageAttribute(ctx, &ec2.DescribeImageAttributeInput{ImageId: &id, Attribute: types.ImageAttributeNameLaunchPermission})
		if err != nil {
			return nil, err
		}
		var partners []string
		for _, p := range out.LaunchPermissions {
			partners = append(partners, partnerOf(string(p.Group), p.UserId, p.OrganizationArn, p.OrganizationalUnitArn))
		}
		return partners, nil
	},
	set: func(ctx context.Context, api EC2API, id string, partners []string, share bool) error {
		var permissions []types.LaunchPermission
		for _, partner := range partners {
			switch {
			case partner == everybody:
				permissions = append(permissions, types.LaunchPermission{Group: types.PermissionGroupAll})
			case strings.Contains(partner, ":ou/"):
				permissions = append(permissions, types.LaunchPermission{OrganizationalUnitArn: &partner})
			case strings.HasPrefix(partner, "arn:"):
				permissions = append(permissions, types.LaunchPermission{OrganizationArn: &partner})
			default:
				permissions = append(permissions, types.LaunchPermission{UserId: &partner})
			}
		}
		change := &types.LaunchPermissionModifications{Remove: permissions}
		if share {
			change = &types.LaunchPermissionModifications{Add: permissions}
		}
		_, err := api.ModifyImageAttribute(ctx, &ec2.ModifyImageAttributeInput{ImageId: &id, Attribute: aws.String("launchPermission"), LaunchPermission: change})
		return err
	},
}

// partnerOf gives the one of them that a permission names.
func partnerOf(group string, ids ...*string) string {
	if group == string(types.PermissionGroupAll) {
		return everybody
	}
	for _, id := range ids {
		if id != nil && *id != "" {
			return *id
		}
	}
	return "unknown"
}

// sharing is what the actions on things that can be shared have in common.
type sharing struct {
	*access
	of shareable
}

// foundShares are the things that a call is about, and with whom each is shared.
type foundShares struct {
	ids      []string // that are meant
	partners []string // that are meant; nil: all
	known    map[string][]types.Tag
	with     map[string][]string
	api      EC2API
}

// find looks for the things that a call of an action is about. Only those of the
// event's account are there: another's are missing.
func (s sharing) find(ctx context.Context, by responder.Action, call responder.Call, param string) (foundShares, error) {
	found := foundShares{with: map[string][]string{}, known: map[string][]types.Tag{}}
	var err error
	if found.ids, err = listTarget(call, "ids", s.of.form, s.of.kind+" ids"); err != nil {
		return foundShares{}, err
	}
	if _, given := call.Params[param]; given {
		if found.partners, err = listTarget(call, param, s.of.partner, "public, accounts"); err != nil {
			return foundShares{}, err
		}
	}
	region, err := regionTarget(call)
	if err != nil {
		return foundShares{}, err
	}
	if found.api, err = client(ctx, s.access, s.aws.EC2, by, call, region); err != nil {
		return foundShares{}, err
	}
	for chunk := range slices.Chunk(found.ids, instancesAtOnce) {
		known, err := s.of.tags(ctx, found.api, chunk)
		if err != nil {
			return foundShares{}, awsError(s.of.describe, err, reads)
		}
		for _, id := range chunk {
			tags, ok := known[id]
			if !ok {
				continue
			}
			switch with, err := s.of.with(ctx, found.api, id); {
			case hasCode(err, s.of.missing...): // gone meanwhile
			case err != nil:
				return foundShares{}, awsError(s.of.look, err, reads)
			default:
				found.known[id], found.with[id] = tags, with
			}
		}
	}
	return found, nil
}

// change gives with whom a thing is to be shared, or is no longer.
func (f foundShares) change(id string, share bool) []string {
	if share {
		return slices.DeleteFunc(slices.Clone(f.partners), func(p string) bool { return slices.Contains(f.with[id], p) })
	}
	return slices.DeleteFunc(slices.Clone(f.with[id]), func(p string) bool { return f.partners != nil && !slices.Contains(f.partners, p) })
}

// split gives the things that are to change, that are as they should be, and that
// are not there.
func (f foundShares) split(share bool) (todo, same, missing []string) {
	for _, id := range f.ids {
		switch _, ok := f.known[id]; {
		case !ok:
			missing = append(missing, id)
		case len(f.change(id, share)) == 0:
			same = append(same, id)
		default:
			todo = append(todo, id)
		}
	}
	return todo, same, missing
}

// set changes with whom things are shared. Those that are gone meanwhile are told
// apart.
func (s sharing) set(ctx context.Context, found foundShares, share bool) (done, same, missing []string, err error) {
	todo, same, missing := found.split(share)
	done, err = each(ctx, todo, func(ctx context.Context, id string) error {
		err := s.of.set(ctx, found.api, id, found.change(id, share), share)
		switch {
		case hasCode(err, s.of.missing...):
			missing = append(missing, id)
			return nil
		case err != nil:
			return awsError(s.of.modify, err, mutates)
		}
		return nil
	})
	return slices.DeleteFunc(done, func(id string) bool { return slices.Contains(missing, id) }), same, missing, err
}

// survey says with whom things are shared, and what undoes the change of each. One
// that is not found may be when it is acted on, so it is a target, too.
func (s sharing) survey(call responder.Call, found foundShares, share bool, undo, param string) responder.Survey {
	var survey responder.Survey
	for _, id := range found.ids {
		tags, ok := found.known[id]
		target := ec2Target(call, s.of.kind, id, tags)
		target.ARN, target.TagsUnknown = "arn:"+partition(call.Region)+":ec2:"+call.Region+"::"+s.of.kind+"/"+id, !ok
		survey.Targets = append(survey.Targets, target)
		if survey.Found == nil {
			survey.Found = map[string]any{}
		}
		if !ok {
			survey.Found[id] = "missing"
			continue
		}
		survey.Found[id] = append([]string{}, found.with[id]...)
		if change := found.change(id, share); len(change) > 0 {
			survey.Undo = append(survey.Undo, responder.Binding{Action: undo, Params: map[string]any{"ids": []string{id}, param: change}})
		}
	}
	return survey
}

// permissions are those of an action on things, all or some.
func (s sharing) permissions(on []string) []responder.Permission {
	return []responder.Permission{
		{Actions: []string{s.of.describe}, Resources: []string{"*"}},
		{Actions: []string{s.of.look, s.of.modify}, Resources: on},
	}
}

// Needs implements responder.Narrower.
func (s sharing) Needs(call responder.Call) []responder.Permission {
	ids, err := listTarget(call, "ids", s.of.form, s.of.kind+" ids")
	if err != nil {
		return nil // Do refuses it
	}
	region, err := regionTarget(call)
	if err != nil {
		return nil
	}
	var arns []string
	for _, id := range ids {
		arns = append(arns, "arn:${AWS::Partition}:ec2:"+region+"::"+s.of.kind+"/"+id)
	}
	return s.permissions(arns)
}

// idsParam is the parameter that names the things.
func (s sharing) idsParam() responder.Param {
	return responder.Param{Name: "ids", Type: responder.ListParam, Required: true, Doc: "The " + s.of.kind + "s' ids."}
}
