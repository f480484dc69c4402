// Package actions holds the actions that a flow's steps can do, one file each,
// and the catalogue of them.
//
//	SendSlack, SendDiscord, SendGoogleChat,
//	SendTeams                                notices to chat services
//	SendPagerDuty, SendWebhook               notices to machines
//	SendEmail                                a notice by an SNS topic or by SES
//	IAMUserExists, EC2InstanceAlive,
//	SSMAutomationSucceeded                   checks
//	IAM…, EC2…, CloudTrail…                  repairs, each with what puts it back
//	InvokeLambda, StartExecution,
//	SSMAutomation                            repairs by programs of one's own, or AWS's
//
// It may import the root package and the AWS SDK; it imports no stage and no
// adapter. An action is told everything it needs by its Call and says how it
// went by the root's typed errors (see outcome.go and aws_errors.go).
//
// Four rules hold for every action here:
//
//   - What comes from an event is data. It is escaped where it is shown, checked
//     against the form it must have where it names a target, and never a host.
//   - An empty, missing or malformed target is *Permanent: none never means all.
//   - AWS is asked only in the event's own account, or in that of a program that
//     the flow's author names: see access.
//   - A webhook's address is a secret: no error, result or header holds it.
package actions
