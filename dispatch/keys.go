package dispatch

// The keys of flows.yml. Reserved ones are refused until what they mean is there.

func topKeys() []string {
	return []string{"include", "actions", "approvers", "people", "protected", "flows"}
}
func topReserved() []string { return []string{"halt"} }

func flowKeys() []string {
	return []string{"name", "rule", "rules", "globs", "provider", "enabled", "if", "repairs", "approvers", "scope", "limits", "timeout", "cooldown", "sequential", "parallel", "join"}
}

// ruleKeys say which rules a flow is for, each in its way.
func ruleKeys() []string { return []string{"rule", "rules", "globs"} }

func flowReserved() []string {
	return []string{"approve", "veto", "undo", "max_age", "dedup", "window"}
}

func verbKeys() []string {
	return []string{"wait", "check", "remediate", "approve", "veto", "sequential", "parallel"}
}

// commonKeys stand beside what a step does.
func commonKeys() []string {
	return []string{"as", "if", "then", "else", "retry", "timeout", "on_error", "join", "tell", "on_deny", "on_timeout"}
}

func stepReserved() []string {
	return []string{"approval", "ask", "limits", "scope", "cooldown", "undo", "each"}
}
