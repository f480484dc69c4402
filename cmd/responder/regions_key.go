package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssecrets "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/ingest"
	"github.com/skycrafters/responder/internal/stack"
)

// stackKeys are the API keys of a stack, and the one that forwarders show.
type stackKeys struct {
	arn     string               // of the secret
	secret  responder.SecretText // as it is kept
	version string               // Secrets Manager's name of that
	key     ingest.Key
}

// openKeys reads the API keys of a stack: the one of an id, or the only one.
func (r *regional) openKeys(ctx context.Context, s *stack.Stack, id string) (*stackKeys, error) {
	k, err := r.readKeys(ctx, s)
	if err != nil {
		return nil, err
	}
	if k.key, err = chooseKey(k.secret, id); err != nil {
		return nil, fmt.Errorf("the API key of stack %s: %w", s.Name, err)
	}
	if !k.key.SpeaksFor(s.Account) {
		return nil, usagef("key %s of stack %s may not speak for account %s: its `accounts` do not name it; choose another with --key-id", k.key.ID, s.Name, s.Account)
	}
	return k, nil
}

// readKeys reads the API keys of a stack; none is chosen yet.
func (r *regional) readKeys(ctx context.Context, s *stack.Stack) (*stackKeys, error) {
	cfg, err := r.operate(ctx, s)
	if err != nil {
		return nil, err
	}
	out, err := awssecrets.NewFromConfig(cfg).GetSecretValue(ctx, &awssecrets.GetSecretValueInput{SecretId: &s.APIKeySecret})
	if err != nil {
		return nil, fmt.Errorf("read the API key of stack %s: %w", s.Name, stack.Explain(err))
	}
	return &stackKeys{
		arn: s.APIKeySecret, secret: responder.NewSecretText(aws.ToString(out.SecretString)), version: aws.ToString(out.VersionId),
	}, nil
}

// secretWriter is what rotating needs of a *secretsmanager.Client of the AWS SDK.
type secretWriter interface {
	PutSecretValue(context.Context, *awssecrets.PutSecretValueInput, ...func(*awssecrets.Options)) (*awssecrets.PutSecretValueOutput, error)
}

// rotate puts a new random key in the place of the chosen one, and leaves the
// others as they are. The SDK repeats a request whose reply is lost under the
// same token, so that there is one new version.
func (k *stackKeys) rotate(ctx context.Context, client secretWriter) error {
	fresh := responder.NewSecretText(rand.Text())
	secret, err := k.with(fresh)
	if err != nil {
		return err
	}
	text := secret.Reveal()
	out, err := client.PutSecretValue(ctx, &awssecrets.PutSecretValueInput{SecretId: &k.arn, SecretString: &text})
	if err != nil {
		return fmt.Errorf("put the new key into the secret (secretsmanager:PutSecretValue on %s): %w: if that was no refusal, the new key may be there: run the command without --rotate-key", k.arn, stack.Explain(err))
	}
	k.secret, k.key.Text, k.version = secret, fresh, aws.ToString(out.VersionId)
	return nil
}

// with is the secret with a new text for the chosen key, in the form it has.
func (k *stackKeys) with(fresh responder.SecretText) (responder.SecretText, error) {
	if k.key.ID == "" {
		return fresh, nil
	}
	keys, err := ingest.ParseKeys(k.secret)
	if err != nil {
		return responder.SecretText{}, err
	}
	type keyJSON struct {
		ID       string   `json:"id"`
		Key      string   `json:"key"`
		Accounts []string `json:"accounts,omitempty"`
	}
	var list []keyJSON
	for _, key := range keys {
		if key.ID == k.key.ID {
			key.Text = fresh
		}
		list = append(list, keyJSON{key.ID, key.Text.Reveal(), key.Accounts})
	}
	text, err := json.Marshal(map[string]any{"keys": list})
	if err != nil {
		return responder.SecretText{}, fmt.Errorf("write the keys: %w", err)
	}
	return responder.NewSecretText(string(text)), nil
}
