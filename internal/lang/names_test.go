package lang

import (
	"strings"
	"testing"
)

func TestProblems(t *testing.T) {
	for expr, want := range map[string][]string{
		`acton == "a"`:                     {`1:1: unknown name "acton"`, `did you mean "action"?`, "\n      | ^^^^^"},
		`action == "a" && vars.deny`:       {`1:23: unknown key "deny" of vars`, `vars has deep, denied, n`},
		`lists.trust == nil`:               {`unknown key "trust" of lists`, `did you mean "trusted"?`},
		`actor.nme == "a"`:                 {`unknown key "nme" of actor`, `did you mean "name"?`},
		`ip_inn(ip, lists.trusted)`:        {`unknown function "ip_inn"`, `did you mean "ip_in"?`},
		`ip_in(ip)`:                        {`ip_in takes 2 arguments, not 1`, `ip_in(ip, lists.trusted_ips)`},
		`ip_in(ip, ["1.2.3"])`:             {`"1.2.3" is neither an address nor a network`},
		`matches_any(s, "(")`:              {"not a regular expression"},
		`s matches "("`:                    {"not a regular expression"},
		`weekend(time, "Mars")`:            {`unknown time zone "Mars"`},
		`working_hours(time, {wek: 1})`:    {`unknown key "wek" of working hours`},
		`severity == "HIGH"`:               {"a severity is compared with the text", "write HIGH without quotes"},
		`severity in ["HIGH", LOW]`:        {"a severity is compared with the text"},
		`LOW < "high"`:                     {"write HIGH without quotes"},
		`now() > time`:                     {`unknown function "now"`, "use `time`"},
		`time.Hour() > 3`:                  {"values have no methods"},
		`$env.x`:                           {`unknown name "$env"`},
		`action ==`:                        {"the expression ends too early"},
		`action == "a`:                     {"a quote is missing"},
		`event.detail.[x`:                  {"expected name"},
		``:                                 {"an expression is missing"},
		`len(s, s)`:                        {"len takes 1 argument, not 2"},
		`lower()`:                          {"lower takes 1 argument, not 0"},
		`let action = 1; action == 1`:      {`"action" already means something`},
		`glob == 1`:                        {`glob is a function: write glob(…)`},
		`foo == 1 && bar == 2`:             {`unknown name "foo"`, `unknown name "bar"`},
		`1 == "a"`:                         {"mismatched types"},
		strings.Repeat("a+", 40000) + "a":  {"at most 65536"},
		strings.Repeat("(", 5000) + "true": {"ends too early"},
	} {
		_, problems := Compile(Plain(expr), testScope)
		got := problems.Errors().Error()
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%.60s: problems are\n%s\nwant %q in them", expr, got, w)
			}
		}
	}
}

func TestLint(t *testing.T) {
	for expr, want := range map[string]string{
		`req.a != "x"`:                              "req.a",
		`req.a != nil && req.a != "x"`:              "",
		`req.a == "y" || req.a != "x"`:              "",
		`not (req.a in ["x"])`:                      "req.a",
		`req.a not in ["x"]`:                        "req.a",
		`req.a not contains "x"`:                    "req.a",
		`not (event.detail.userAgent matches "x")`:  "event.detail.userAgent",
		`event["detail"]["x-y"] != "x"`:             `event.detail["x-y"]`,
		`req.a == "x"`:                              "",
		`actor.type != "Root"`:                      "",
		`action != "a"`:                             "",
		`not (ip == nil)`:                           "",
		`ip != nil && not ip_in(ip, lists.trusted)`: "",
	} {
		p, problems := Compile(Plain(expr), testScope)
		if p == nil {
			t.Errorf("%s: %v", expr, problems)
			continue
		}
		got := problems.Warnings().Error()
		if want == "" && got != "" || want != "" && !strings.Contains(got, "where "+want+" is absent") {
			t.Errorf("%s: warnings are %q, want one about %q", expr, got, want)
		}
	}
}
