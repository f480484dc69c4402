package actions

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// The two places that are everywhere. A rule is open if it names one of them.
const (
	everywhere4 = "0.0.0.0/0"
	everywhere6 = "::/0"
)

// ingressRule is a rule of a security group that lets everybody in.
//
//	tcp 22 0.0.0.0/0 jump host     icmp 8:-1 0.0.0.0/0     all all ::/0
type ingressRule struct {
	protocol    string // tcp, udp, icmp, icmpv6, a number, or -1 for all
	from, to    int32  // ports; type and code of icmp; -1 means all
	place       string // one of the two
	description string
}

// ruleForm is what String gives; the description has the characters that EC2 takes.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpRange.html
var ruleForm = regexp.MustCompile(`^(tcp|udp|icmp|icmpv6|all|[0-9]{1,3}) (all|[0-9]{1,5}|[0-9]{1,5}-[0-9]{1,5}|(?:-1|[0-9]{1,3}):(?:-1|[0-9]{1,3})) (0\.0\.0\.0/0|::/0)(?: ([a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{1,255}))?$`)

// String gives the rule as the parameter `rules` has it.
func (r ingressRule) String() string {
	protocol, ports := r.protocol, "all"
	if protocol == "-1" {
		protocol = "all"
	}
	switch {
	case r.hasPorts() && r.from == r.to:
		ports = strconv.Itoa(int(r.from))
	case r.hasPorts():
		ports = fmt.Sprintf("%d-%d", r.from, r.to)
	case r.isICMP() && (r.from != -1 || r.to != -1):
		ports = fmt.Sprintf("%d:%d", r.from, r.to)
	}
	return strings.TrimSuffix(protocol+" "+ports+" "+r.place+" "+r.description, " ")
}

// parseIngressRule reads what String gives.
func parseIngressRule(text string) (ingressRule, error) {
	parts := ruleForm.FindStringSubmatch(text)
	if parts == nil {
		return ingressRule{}, permanentf("no rule: %s", malformed(text))
	}
	r := ingressRule{protocol: parts[1], from: -1, to: -1, place: parts[3], description: parts[4]}
	if r.protocol == "all" {
		r.protocol = "-1"
	}
	ports := parts[2]
	switch first, last, between := strings.Cut(ports, "-"); {
	case ports == "all":
	case strings.Contains(ports, ":"):
		kind, code, _ := strings.Cut(ports, ":")
		r.from, r.to = number(kind), number(code)
	case between:
		r.from, r.to = number(first), number(last)
	default:
		r.from, r.to = number(ports), number(ports)
	}
	if !r.isSound() || r.String() != text {
		return ingressRule{}, permanentf("no rule: %s", malformed(text))
	}
	return r, nil
}

// number reads digits that a form has admitted.
func number(text string) int32 {
	n, _ := strconv.ParseInt(text, 10, 32)
	return int32(n)
}

// hasPorts reports whether the protocol has ports, and the rule names some.
func (r ingressRule) hasPorts() bool {
	return (r.protocol == "tcp" || r.protocol == "udp") && r.from >= 0
}

func (r ingressRule) isICMP() bool { return r.protocol == "icmp" || r.protocol == "icmpv6" }

// isSound reports whether EC2 has such rules.
func (r ingressRule) isSound() bool {
	protocol, err := strconv.Atoi(r.protocol)
	numbered := err == nil && protocol >= 0
	switch {
	case numbered && (strconv.Itoa(protocol) != r.protocol || protocol > 255 || protocol == 1 || protocol == 6 || protocol == 17 || protocol == 58):
		return false // no protocol, or one that has a name
	case r.protocol == "tcp", r.protocol == "udp":
		return r.from == -1 && r.to == -1 || r.from >= 0 && r.from <= r.to && r.to <= 65535
	case r.isICMP():
		return r.from >= -1 && r.from <= 255 && r.to >= -1 && r.to <= 255 && (r.from >= 0 || r.to == -1)
	}
	return r.from == -1 && r.to == -1
}

// same reports whether two rules are one to EC2, for which the description does
// not count.
func (r ingressRule) same(other ingressRule) bool {
	r.description, other.description = "", ""
	return r == other
}

// openRule reads a rule of a group; false if it is none that lets everybody in.
func openRule(rule types.SecurityGroupRule) (ingressRule, bool) {
	place := aws.ToString(rule.CidrIpv4)
	if place == "" {
		place = aws.ToString(rule.CidrIpv6)
	}
	if aws.ToBool(rule.IsEgress) || place != everywhere4 && place != everywhere6 {
		return ingressRule{}, false
	}
	r := ingressRule{protocol: aws.ToString(rule.IpProtocol), from: -1, to: -1, place: place, description: aws.ToString(rule.Description)}
	if rule.FromPort != nil && rule.ToPort != nil && r.protocol != "-1" {
		r.from, r.to = *rule.FromPort, *rule.ToPort
	}
	if !r.isICMP() && r.protocol != "tcp" && r.protocol != "udp" {
		r.from, r.to = -1, -1
	}
	return r, true
}

// permission gives the rule as EC2 takes it.
func (r ingressRule) permission() types.IpPermission {
	p := types.IpPermission{IpProtocol: &r.protocol}
	if r.hasPorts() || r.isICMP() {
		p.FromPort, p.ToPort = &r.from, &r.to
	} else if r.protocol == "tcp" || r.protocol == "udp" {
		p.FromPort, p.ToPort = aws.Int32(0), aws.Int32(65535)
	}
	var description *string
	if r.description != "" {
		description = &r.description
	}
	if r.place == everywhere6 {
		p.Ipv6Ranges = []types.Ipv6Range{{CidrIpv6: &r.place, Description: description}}
	} else {
		p.IpRanges = []types.IpRange{{CidrIp: &r.place, Description: description}}
	}
	return p
}
