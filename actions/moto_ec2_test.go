package actions_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/skycrafters/responder"
)

const motoRegion = "eu-west-3"

// motoEC2 is EC2 of an emulator, by the SDK alone.
type motoEC2 struct {
	*ec2.Client
	account   string
	catalogue responder.Catalogue
}

func newMotoEC2(t *testing.T) motoEC2 {
	t.Helper()
	cfg, catalogue, account := moto(t)
	return motoEC2{ec2.NewFromConfig(cfg, func(o *ec2.Options) { o.Region = motoRegion }), account, catalogue}
}

func (m motoEC2) call(params map[string]any) responder.Call {
	call := repairCall(params)
	call.Account, call.Region = m.account, motoRegion
	return call
}

// launch starts instances with a tag.
func (m motoEC2) launch(t *testing.T, count int32, more ...func(*ec2.RunInstancesInput)) []types.Instance {
	t.Helper()
	images := must[*ec2.DescribeImagesOutput](t)(m.DescribeImages(t.Context(), &ec2.DescribeImagesInput{})).Images
	if len(images) == 0 {
		t.Fatal("the emulator has no images")
	}
	in := &ec2.RunInstancesInput{
		ImageId: images[0].ImageId, MinCount: &count, MaxCount: &count, InstanceType: types.InstanceTypeT3aNano,
		TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeInstance, Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("blue")}}}},
	}
	for _, set := range more {
		set(in)
	}
	return must[*ec2.RunInstancesOutput](t)(m.RunInstances(t.Context(), in)).Instances
}

func instanceIDsOf(instances []types.Instance) (ids []string) {
	for _, i := range instances {
		ids = append(ids, *i.InstanceId)
	}
	return ids
}

func listOf(ids []string) (list []any) {
	for _, id := range ids {
		list = append(list, id)
	}
	return list
}

// instances reads some instances back.
func (m motoEC2) instances(t *testing.T, ids []string) map[string]types.Instance {
	t.Helper()
	known := map[string]types.Instance{}
	for _, r := range must[*ec2.DescribeInstancesOutput](t)(m.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{InstanceIds: ids})).Reservations {
		for _, i := range r.Instances {
			known[*i.InstanceId] = i
		}
	}
	return known
}

// TestMotoStopAndStart stops and starts instances of an emulator, and undoes it.
func TestMotoStopAndStart(t *testing.T) {
	m := newMotoEC2(t)
	ids := instanceIDsOf(m.launch(t, 3))
	must[*ec2.StopInstancesOutput](t)(m.StopInstances(t.Context(), &ec2.StopInstancesInput{InstanceIds: ids[2:]}))
	world := func() any {
		states := map[string]string{}
		for id, i := range m.instances(t, ids) {
			states[id] = string(i.State.Name)
		}
		return states
	}
	call := m.call(map[string]any{"ids": append(listOf(ids), "i-0fffffffffffffff0")})
	found, result := doAndUndo(t, m.catalogue, "EC2StopInstances", call, world)
	if len(found.Targets) != 3 || found.Targets[0].ARN != "arn:aws:ec2:eu-west-3:"+m.account+":instance/"+ids[0] || found.Targets[0].Tags["team"] != "blue" || len(found.Found) != 2 {
		t.Errorf("found %+v", found)
	}
	if len(result["stopped"].([]string)) != 2 || len(result["already"].([]string)) != 1 || len(result["missing"].([]string)) != 1 {
		t.Errorf("got %v", result)
	}
	call.Params["ids"] = listOf(ids)
	doAndUndo(t, m.catalogue, "EC2StartInstances", call, world)

	protect := &types.AttributeBooleanValue{Value: aws.Bool(true)}
	must[*ec2.ModifyInstanceAttributeOutput](t)(m.ModifyInstanceAttribute(t.Context(), &ec2.ModifyInstanceAttributeInput{InstanceId: &ids[0], DisableApiTermination: protect}))
	found, err := survey(t, m.catalogue["EC2TerminateInstances"], call)
	if kept := stored(t, found); err != nil || len(kept.Targets) != 3 || len(kept.Lasting) != 2 || len(kept.Found["protected"].([]any)) != 1 {
		t.Errorf("found %+v, %v", found, err)
	}
}
