package responder

import _ "embed"

// ForwarderTemplate is forwarder.yaml: the CloudFormation template of what sends
// the events of a region home.
//
//go:embed forwarder.yaml
var ForwarderTemplate string
