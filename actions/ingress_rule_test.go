package actions

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

func TestIngressRule(t *testing.T) {
	for _, good := range []string{
		"tcp 22 0.0.0.0/0", "tcp 22 ::/0 jump host (a.b) #1", "udp 8000-8100 ::/0", "tcp all ::/0", "all all 0.0.0.0/0", "icmp 8:-1 0.0.0.0/0", "icmpv6 all ::/0", "50 all 0.0.0.0/0", "tcp 0-65535 ::/0", "tcp 0 ::/0",
	} {
		rule, err := parseIngressRule(good)
		if err != nil || rule.String() != good {
			t.Errorf("%s: got %s, %v", good, rule, err)
		}
	}
	for _, bad := range []string{
		"", "tcp", "tcp 22", "tcp 22 10.0.0.0/8", "tcp 22 0.0.0.0/0 ", "tcp 70000 ::/0", "tcp 30-20 ::/0", "tcp 22-22 ::/0", "tcp 022 ::/0", "all 22 ::/0", "6 all ::/0", "256 all ::/0", "icmp 8 ::/0",
		"icmp -1:-1 ::/0", "icmp -1:3 ::/0", "icmp 8:300 ::/0", "tcp 8:0 ::/0", "TCP 22 ::/0", "tcp 22 ::/0\n", "tcp 22 ::/0 a\x1b[31m", "tcp 22 ::/0 \"x\"", "tcp -1 ::/0", "000 all ::/0",
	} {
		if rule, err := parseIngressRule(bad); err == nil {
			t.Errorf("%q is read as %s", bad, rule)
		}
	}
}

// FuzzIngressRule has whatever is read be written the same, and be the same rule
// to EC2.
func FuzzIngressRule(f *testing.F) {
	for _, seed := range []string{"tcp 22 0.0.0.0/0 jump host", "udp 8000-8100 ::/0", "icmp 8:-1 0.0.0.0/0", "all all ::/0", "50 all ::/0", "tcp all ::/0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rule, err := parseIngressRule(text)
		if err != nil {
			return
		}
		p := rule.permission()
		read := types.SecurityGroupRule{IpProtocol: p.IpProtocol, FromPort: p.FromPort, ToPort: p.ToPort, IsEgress: aws.Bool(false)}
		switch {
		case len(p.IpRanges) == 1:
			read.CidrIpv4, read.Description = p.IpRanges[0].CidrIp, p.IpRanges[0].Description
		case len(p.Ipv6Ranges) == 1:
			read.CidrIpv6, read.Description = p.Ipv6Ranges[0].CidrIpv6, p.Ipv6Ranges[0].Description
		}
		back, open := openRule(read)
		if (rule.protocol == "tcp" || rule.protocol == "udp") && rule.from == -1 {
			rule.from, rule.to = 0, 65535
		}
		if rule.String() != back.String() || !open || !rule.same(back) {
			t.Errorf("%q is %q to EC2, open %v", text, back, open)
		}
	})
}
