package actions_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/actions"
)

// The tests here need a moto server (https://docs.getmoto.org/en/latest/docs/server_mode.html):
//
//	moto_server -H 127.0.0.1 -p 5077 &
//	RESPONDER_TEST_MOTO_ENDPOINT=http://127.0.0.1:5077 go test ./actions -run Moto

// moto gives the SDK's configuration for the emulator, a catalogue over it, and
// the account it plays.
func moto(t *testing.T) (aws.Config, responder.Catalogue, string) {
	t.Helper()
	endpoint := os.Getenv("RESPONDER_TEST_MOTO_ENDPOINT")
	if endpoint == "" {
		t.Skip("RESPONDER_TEST_MOTO_ENDPOINT is not set: not tested against moto")
	}
	t.Setenv("AWS_ENDPOINT_URL", besideMoto(t, endpoint)) // as people point Responder at an emulator
	options := []func(*config.LoadOptions) error{
		config.WithRegion("us-east-1"),
		config.WithSharedConfigFiles(nil), config.WithSharedCredentialsFiles(nil),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("test", "test", "")),
	}
	cfg, err := config.LoadDefaultConfig(t.Context(), options...)
	if err != nil {
		t.Fatal(err)
	}
	who, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil {
		t.Fatal(err)
	}
	catalogue := actions.New(actions.Deps{AWS: actions.LazyAWS(options...)})
	return cfg, catalogue, *who.Account
}

// besideMoto stands before moto and does what it does not (it answers 500):
// service-specific credentials, of which each user has two.
func besideMoto(t *testing.T, endpoint string) string {
	t.Helper()
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	left := []string{"ACCAEXAMPLE000000001", "ACCAEXAMPLE000000002"}
	proxy := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		form, _ := url.ParseQuery(string(body))
		switch form.Get("Action") {
		case "ListServiceSpecificCredentials":
			fmt.Fprint(w, "<ListServiceSpecificCredentialsResponse><ListServiceSpecificCredentialsResult><ServiceSpecificCredentials>")
			for _, id := range left {
				fmt.Fprintf(w, "<member><ServiceSpecificCredentialId>%s</ServiceSpecificCredentialId></member>", id)
			}
			fmt.Fprint(w, "</ServiceSpecificCredentials></ListServiceSpecificCredentialsResult></ListServiceSpecificCredentialsResponse>")
		case "DeleteServiceSpecificCredential":
			left = slices.DeleteFunc(left, func(id string) bool { return id == form.Get("ServiceSpecificCredentialId") })
			fmt.Fprint(w, "<DeleteServiceSpecificCredentialResponse/>")
		default:
			r.Body = io.NopCloser(bytes.NewReader(body))
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// certificate is a self-signed one, as IAM takes for signing.
func certificate(t *testing.T) string {
	t.Helper()
	key := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)}
	der := must[[]byte](t)(x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key))
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// must fails the test on an error of a setup call.
func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestMotoDeleteUser(t *testing.T) {
	cfg, catalogue, account := moto(t)
	api, ctx := iam.NewFromConfig(cfg), t.Context()
	name := "u" + time.Now().Format("150405.000000000") // a name of its own in a server that is kept
	group := name + "-group"

	user := must[*iam.CreateUserOutput](t)(api.CreateUser(ctx, &iam.CreateUserInput{UserName: &name})).User
	must[*iam.CreateLoginProfileOutput](t)(api.CreateLoginProfile(ctx, &iam.CreateLoginProfileInput{UserName: &name, Password: aws.String("Passw0rd!Passw0rd!")}))
	for range 2 {
		must[*iam.CreateAccessKeyOutput](t)(api.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: &name}))
	}
	device := must[*iam.CreateVirtualMFADeviceOutput](t)(api.CreateVirtualMFADevice(ctx, &iam.CreateVirtualMFADeviceInput{VirtualMFADeviceName: &name})).VirtualMFADevice
	must[*iam.EnableMFADeviceOutput](t)(api.EnableMFADevice(ctx, &iam.EnableMFADeviceInput{
		UserName: &name, SerialNumber: device.SerialNumber, AuthenticationCode1: aws.String("123456"), AuthenticationCode2: aws.String("654321")}))
	must[*iam.UploadSSHPublicKeyOutput](t)(api.UploadSSHPublicKey(ctx, &iam.UploadSSHPublicKeyInput{UserName: &name, SSHPublicKeyBody: aws.String("ssh-rsa AAAA")}))
	must[*iam.UploadSigningCertificateOutput](t)(api.UploadSigningCertificate(ctx, &iam.UploadSigningCertificateInput{UserName: &name, CertificateBody: aws.String(certificate(t))}))
	must[*iam.CreateGroupOutput](t)(api.CreateGroup(ctx, &iam.CreateGroupInput{GroupName: &group}))
	must[*iam.AddUserToGroupOutput](t)(api.AddUserToGroup(ctx, &iam.AddUserToGroupInput{UserName: &name, GroupName: &group}))
	must[*iam.PutUserPolicyOutput](t)(api.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: &name, PolicyName: aws.String("inline"),
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}`)}))
	policy := must[*iam.CreatePolicyOutput](t)(api.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: &name,
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}`)})).Policy
	must[*iam.AttachUserPolicyOutput](t)(api.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: &name, PolicyArn: policy.Arn}))

	call := responder.Call{Params: map[string]any{"user": name, "id": *user.UserId}, Account: account}
	if _, err := catalogue["IAMUserExists"].Do(ctx, call); err != nil {
		t.Fatal(err)
	}
	repair := catalogue["IAMDeleteUser"]
	found, err := survey(t, repair, call)
	if err != nil || len(found.Targets) != 1 || found.Targets[0].ARN != *user.Arn || len(found.Found) != 9 || len(found.Lasting) != 10 || len(found.Undo) > 0 {
		t.Errorf("found %+v, %v", found, err)
	}
	if verdict, err := verify(t, repair, call); verdict != responder.VerdictNotDone || err != nil {
		t.Fatalf("before: %v, %v", verdict, err)
	}
	result, err := repair.Do(ctx, call)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%v", result)
	for kind, n := range map[string]int{"password": 1, "access_keys": 2, "mfa_devices": 1, "signing_certificates": 1, "ssh_keys": 1, "service_credentials": 2, "groups": 1, "inline_policies": 1, "attached_policies": 1} {
		if ids, _ := result["removed"].(map[string]any)[kind].([]string); len(ids) != n {
			t.Errorf("removed %s: %v, want %d", kind, ids, n)
		}
	}
	if verdict, err := verify(t, repair, call); verdict != responder.VerdictDone || err != nil {
		t.Errorf("after: %v, %v", verdict, err)
	}
	if _, err := catalogue["IAMUserExists"].Do(ctx, call); !isStop(err) {
		t.Errorf("after: %v", err)
	}
	if result, err := repair.Do(ctx, call); err != nil || result["already"] != true {
		t.Errorf("again: %v, %v", result, err)
	}
	devices := must[*iam.ListVirtualMFADevicesOutput](t)(api.ListVirtualMFADevices(ctx, &iam.ListVirtualMFADevicesInput{}))
	for _, d := range devices.VirtualMFADevices {
		if *d.SerialNumber == *device.SerialNumber {
			t.Error("the virtual MFA device is left")
		}
	}
}

func TestMotoTerminateInstances(t *testing.T) {
	cfg, catalogue, account := moto(t)
	ctx := t.Context()
	const region = "eu-west-3"
	api := ec2.NewFromConfig(cfg, func(o *ec2.Options) { o.Region = region })
	images := must[*ec2.DescribeImagesOutput](t)(api.DescribeImages(ctx, &ec2.DescribeImagesInput{})).Images
	if len(images) == 0 {
		t.Fatal("the emulator has no images")
	}
	run := must[*ec2.RunInstancesOutput](t)(api.RunInstances(ctx, &ec2.RunInstancesInput{
		ImageId: images[0].ImageId, MinCount: aws.Int32(3), MaxCount: aws.Int32(3), InstanceType: ec2types.InstanceTypeT3aNano}))
	var ids []any
	for _, i := range run.Instances {
		ids = append(ids, *i.InstanceId)
	}
	protect := func(on bool) {
		must[*ec2.ModifyInstanceAttributeOutput](t)(api.ModifyInstanceAttribute(ctx, &ec2.ModifyInstanceAttributeInput{
			InstanceId: aws.String(ids[1].(string)), DisableApiTermination: &ec2types.AttributeBooleanValue{Value: &on}}))
	}
	protect(true)

	call := responder.Call{Params: map[string]any{"ids": append(ids, "i-0fffffffffffffff0")}, Account: account, Region: region}
	check, repair := catalogue["EC2InstanceAlive"], catalogue["EC2TerminateInstances"]
	if result, err := check.Do(ctx, call); err != nil || len(result["alive"].([]string)) != 3 {
		t.Fatalf("alive: %v, %v", result, err)
	}
	elsewhere := call
	elsewhere.Region = "us-east-1"
	if _, err := check.Do(ctx, elsewhere); !isStop(err) {
		t.Errorf("in another region: %v", err)
	}
	if _, err := repair.Do(ctx, call); !isPermanent(err) || !strings.HasSuffix(err.Error(), "(done: "+ids[0].(string)+", "+ids[2].(string)+"; not known: none; not done: "+ids[1].(string)+")") {
		t.Errorf("one protected: %v", err)
	}
	if verdict, err := verify(t, repair, call); verdict != responder.VerdictNotDone || err != nil {
		t.Errorf("one protected: %v, %v", verdict, err)
	}
	protect(false)
	result, err := repair.Do(ctx, call)
	if err != nil || len(result["terminated"].([]string)) != 1 || len(result["already"].([]string)) != 2 || len(result["missing"].([]string)) != 1 {
		t.Errorf("the rest: %v, %v", result, err)
	}
	if verdict, err := verify(t, repair, call); verdict != responder.VerdictDone || err != nil {
		t.Errorf("after: %v, %v", verdict, err)
	}
	if _, err := check.Do(ctx, call); !isStop(err) {
		t.Errorf("after: %v", err)
	}
}

func TestMotoSendEmail(t *testing.T) {
	cfg, catalogue, _ := moto(t)
	created := must[*sns.CreateTopicOutput](t)(sns.NewFromConfig(cfg).CreateTopic(t.Context(), &sns.CreateTopicInput{Name: aws.String("responder-email")}))
	call := responder.Call{Finding: finding(), Params: map[string]any{"topicARN": *created.TopicArn}}
	if result, err := catalogue["SendEmail"].Do(t.Context(), call); err != nil || result["message_id"] == "" {
		t.Errorf("got %v, %v", result, err)
	}
	call.Params["topicARN"] = *created.TopicArn + "-not-there"
	if _, err := catalogue["SendEmail"].Do(t.Context(), call); !isPermanent(err) {
		t.Errorf("no such topic: %v", err)
	}
}
