package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/sqlite"
)

// What lies in a data folder.
const (
	dbFile  = "responder.db"
	keyFile = "api-key" // the API key for people and `responder send`; 0600
)

// keySecret is the name of the API key among the secrets.
const keySecret = "api-key"

// dataFolder is the folder that was asked for, else that of XDG's state.
func (a *app) dataFolder(asked string) (string, error) {
	if asked != "" {
		return asked, nil
	}
	if state := a.getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, "responder"), nil
	}
	home := a.getenv("HOME")
	if home == "" {
		var err error
		if home, err = os.UserHomeDir(); err != nil {
			return "", usagef("no place for the data: give --data DIR (%w)", err)
		}
	}
	return filepath.Join(home, ".local", "state", "responder"), nil
}

// openData opens the data folder for this process alone.
func (a *app) openData(folder string) (*sqlite.DB, error) {
	db, err := sqlite.Open(filepath.Join(folder, dbFile), sqlite.Options{Now: a.now})
	if errors.Is(err, sqlite.ErrInUse) {
		return nil, fmt.Errorf("%w: stop the `responder run` that uses it, or give another folder with --data", err)
	}
	return db, err
}

// readData opens the data folder to look at it, also while `responder run` is at work.
func (a *app) readData(asked string) (*sqlite.DB, error) {
	folder, err := a.dataFolder(asked)
	if err != nil {
		return nil, err
	}
	db, err := sqlite.OpenReadOnly(filepath.Join(folder, dbFile), sqlite.Options{Now: a.now})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noData(folder)
	}
	return db, err
}

func noData(folder string) error {
	return fmt.Errorf("there is no data in %s yet: `responder run` makes it (--data names another folder, --stack a stack)", folder)
}

// ensureKey sees to it that there is an API key, made if need be, and that the
// key file holds it. made tells whether it is new.
func ensureKey(ctx context.Context, secrets *sqlite.Secrets, folder, given string) (made bool, err error) {
	secret, err := secrets.Get(ctx, keySecret)
	switch {
	case given != "" && (err != nil || secret.Current.Reveal() != given):
		if err := secrets.Set(ctx, keySecret, given); err != nil {
			return false, fmt.Errorf("api key: %w", err)
		}
		return false, writeKey(folder, given)
	case err == nil:
		return false, writeKey(folder, secret.Current.Reveal())
	case !errors.Is(err, responder.ErrNotFound):
		return false, fmt.Errorf("api key: %w", err)
	}
	key := rand.Text()
	if err := secrets.Set(ctx, keySecret, key); err != nil {
		return false, fmt.Errorf("api key: %w", err)
	}
	return true, writeKey(folder, key)
}

// writeKey keeps the key file in step with the secret.
func writeKey(folder, key string) error {
	path := filepath.Join(folder, keyFile)
	if old, err := os.ReadFile(path); err == nil && strings.TrimSpace(string(old)) == key {
		return os.Chmod(path, 0o600)
	}
	if err := replaceFile(path, []byte(key+"\n")); err != nil {
		return fmt.Errorf("api key: %w", err)
	}
	return nil
}

// replaceFile writes a file that its owner alone can read, whole or not at all.
func replaceFile(path string, data []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // no longer there if all went well
	if _, err := temporary.Write(data); err != nil {
		return errors.Join(err, temporary.Close())
	}
	if err := temporary.Close(); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}
