package elements

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
)

// stream is n records of about 1.3 KB in the shape of CloudTrail's, as lines or
// as one CloudTrail file.
func stream(n int, lines bool) []byte {
	var b bytes.Buffer
	if !lines {
		b.WriteString(`{"Records":[`)
	}
	for i := range n {
		if i > 0 {
			b.WriteString(map[bool]string{true: "\n", false: ","}[lines])
		}
		fmt.Fprintf(&b, `{"eventVersion":"1.08","userIdentity":{"type":"AssumedRole","principalId":"AROAEXAMPLE:ann","arn":"arn:aws:sts::111122223333:assumed-role/admin/ann","accountId":"111122223333","accessKeyId":"ASIAEXAMPLE","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROAEXAMPLE","arn":"arn:aws:iam::111122223333:role/admin","accountId":"111122223333","userName":"admin"},"webIdFederationData":{},"attributes":{"creationDate":"2026-11-23T09:00:00Z","mfaAuthenticated":"false"}}},"eventTime":"2026-11-23T10:00:00Z","eventSource":"ec2.amazonaws.com","eventName":"DescribeInstances","awsRegion":"us-east-1","sourceIPAddress":"203.0.113.9","userAgent":"aws-cli/2.0 %s","requestParameters":{"instancesSet":{"items":[{"instanceId":"i-%d"}]},"filterSet":{}},"responseElements":null,"requestID":"b2a6e8d0-0000-4000-8000-%012d","eventID":"c2a6e8d0-0000-4000-8000-%012d","readOnly":true,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333","eventCategory":"Management","tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"ec2.us-east-1.amazonaws.com"}}`,
			strings.Repeat("x", 60), i, i, i)
	}
	if !lines {
		b.WriteString(`]}`)
	}
	return b.Bytes()
}

func BenchmarkReader(b *testing.B) {
	for _, lines := range []bool{true, false} {
		data := stream(1000, lines)
		for name, next := range map[string]func(*Reader) (Element, error){"next": (*Reader).Next, "scan": (*Reader).Scan} {
			b.Run(fmt.Sprintf("%s/lines=%t", name, lines), func(b *testing.B) {
				b.SetBytes(int64(len(data)))
				b.ReportAllocs()
				for b.Loop() {
					n := 0
					for r := NewReader(bytes.NewReader(data), 1<<20); ; n++ {
						if _, err := next(r); err == io.EOF {
							break
						} else if err != nil {
							b.Fatal(err)
						}
					}
					if n != 1000 {
						b.Fatalf("%d elements", n)
					}
				}
			})
		}
	}
}
