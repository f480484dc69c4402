package detect

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/skycrafters/responder"
)

// BenchmarkEvaluate is one event through a set of rules: the shipped ones, and
// 100 of their shapes none of which matches. events/s is on one core.
func BenchmarkEvaluate(b *testing.B) {
	shipped, problems := Load(os.DirFS(".."), "rules.yml", nil)
	if problems.Err() != nil {
		b.Fatal(problems)
	}
	var many strings.Builder
	many.WriteString("lists: {ips: [192.0.2.0/24]}\nrules:\n")
	for i := range 100 {
		switch i % 4 {
		case 0:
			fmt.Fprintf(&many, "  R%d: action == \"iam:Call%d\" && ok\n", i, i)
		case 1:
			fmt.Fprintf(&many, "  R%d: action in [\"ec2:A%d\", \"ec2:B%d\"] && actor.type != \"Root\"\n", i, i, i)
		case 2:
			fmt.Fprintf(&many, "  R%d: event.detail.userAgent contains \"tool%d\"\n", i, i)
		case 3:
			fmt.Fprintf(&many, "  R%d: action startsWith \"s3:\" && ip_in(ip, lists.ips) && req.bucketName matches \"^x%d\"\n", i, i)
		}
	}
	hundred, problems := Load(files("rules.yml", many.String()), "rules.yml", nil)
	if problems.Err() != nil {
		b.Fatal(problems)
	}
	for name, rules := range map[string]*Rules{"shipped": shipped, "100 rules": hundred} {
		for way, look := range map[string]func(raw []byte) error{
			"engine": func(raw []byte) error {
				_, err := rules.Look(raw)
				return err
			},
			"VM alone": func(raw []byte) error {
				e, err := responder.DecodeEvent(raw)
				if err == nil {
					rules.Evaluate(e)
				}
				return err
			},
		} {
			b.Run(name+"/"+way, func(b *testing.B) {
				raw := []byte(call)
				b.SetBytes(int64(len(raw)))
				for b.Loop() {
					if err := look(raw); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			})
		}
	}
}
