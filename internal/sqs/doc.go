// Package sqs keeps the queue ports on Amazon SQS, and translates between a
// Lambda function's SQS events and the stages' deliveries and failures.
//
// It imports the root, the AWS SDK and aws-lambda-go's event types. Standard
// queues only. Beside the queue's own sqs:SendMessage, sqs:ReceiveMessage and
// sqs:DeleteMessage, Release and the dead letters need
// sqs:ChangeMessageVisibility.
package sqs
