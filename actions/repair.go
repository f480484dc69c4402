package actions

import "github.com/skycrafters/responder"

// repair is all that a repair can be asked.
type repair interface {
	responder.Action
	responder.Verifier
	responder.Surveyor
	responder.Narrower
	responder.Describer
}

// verdict is what a look found, unless the look failed.
func verdict(done bool, err error) (responder.Verdict, error) {
	switch {
	case err != nil:
		return responder.VerdictUnknown, err
	case done:
		return responder.VerdictDone, nil
	}
	return responder.VerdictNotDone, nil
}
