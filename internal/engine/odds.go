package engine

// Of several conditions each of which must be so, the index takes the one that
// the fewest events meet. How many that are nobody knows; for the fields that
// rules are mostly about, CloudTrail records of any account are enough alike.

// usual is how likely a field has just the value that a rule wants, for fields
// of which that is not as for others.
func (b *builder) usual() map[slot]float64 {
	return map[slot]float64{
		b.at("source"):                         0.05,
		b.at("detail-type"):                    0.5,
		b.at("account"):                        0.3,
		b.at("region"):                         0.3,
		b.at("detail", "eventSource"):          0.05,
		b.at("detail", "eventName"):            0.003,
		b.at("detail", "eventType"):            0.5,
		b.at("detail", "awsRegion"):            0.3,
		b.at("detail", "readOnly"):             0.5,
		b.at("detail", "userIdentity", "type"): 0.3,
		b.at("detail", "requestParameters"):    0.1,
		b.derivedNamed("action"):               0.002,
		b.derivedNamed("ok"):                   0.9,
		b.derivedNamed("denied"):               0.02,
		b.derivedNamed("region"):               0.3,
		b.derivedNamed("actor", "type"):        0.3,
		b.derivedNamed("account", "id"):        0.3,
		b.derivedNamed("account", "name"):      0.3,
	}
}

func (b *builder) derivedNamed(path ...string) slot {
	at, _ := b.derive(path)
	return at
}

// likely is how likely a slot has a value that is asked for.
func (b *builder) likely(at slot) float64 {
	if odds, ok := b.odds[at]; ok {
		return odds
	}
	return 0.01
}

// present is how likely a slot is not nil.
func (b *builder) present(at slot) float64 {
	return max(0.4, b.likely(at))
}
