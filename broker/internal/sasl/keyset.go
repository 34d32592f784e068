package sasl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// KeySet is a JSON web key set and where it comes from. It is safe for concurrent use.
type KeySet struct {
	load func(context.Context) ([]byte, error) // nil: the keys never change

	mu     sync.Mutex // guards what follows, and is held while keys are loaded
	keys   jose.JSONWebKeySet
	loaded time.Time
}

// Bounds of what is loaded, and how often.
const (
	maxKeySet   = 1 << 20
	loadTimeout = 10 * time.Second // sasl.oauthbearer.jwks.endpoint's read timeout
	keysMayBe   = time.Hour        // sasl.oauthbearer.jwks.endpoint.refresh.ms
	keysAtLeast = 10 * time.Second // between two loads because of key ids that are not known
)

// NewKeySet takes a key set as it is written.
func NewKeySet(raw []byte) (*KeySet, error) {
	k := new(KeySet)
	return k, k.parse(raw)
}

// KeySetFile reads a key set from a file, and again when it has a key that is not known.
func KeySetFile(name string) (*KeySet, error) {
	return loaded(func(context.Context) ([]byte, error) { return os.ReadFile(name) })
}

// KeySetURL fetches a key set, and again every hour and when a token has a key that is not known.
func KeySetURL(url string) (*KeySet, error) {
	return loaded(func(ctx context.Context) ([]byte, error) {
		ctx, cancel := context.WithTimeout(ctx, loadTimeout)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return nil, err
		}
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment}}
		resp, err := client.Do(req)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("status %s", resp.Status)
		}
		return io.ReadAll(io.LimitReader(resp.Body, maxKeySet))
	})
}

func loaded(load func(context.Context) ([]byte, error)) (*KeySet, error) {
	k := &KeySet{load: load}
	return k, k.reloadLocked(context.Background())
}

func (k *KeySet) reloadLocked(ctx context.Context) error {
	raw, err := k.load(ctx)
	if err != nil {
		return fmt.Errorf("load keys: %w", err)
	}
	return k.parse(raw)
}

func (k *KeySet) parse(raw []byte) error {
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(raw, &set); err != nil {
		return fmt.Errorf("key set: %w", err)
	}
	var public []jose.JSONWebKey
	for _, key := range set.Keys {
		if p := key.Public(); p.Valid() {
			public = append(public, p)
		}
	}
	if len(public) == 0 {
		return errors.New("key set has no public key")
	}
	k.keys, k.loaded = jose.JSONWebKeySet{Keys: public}, time.Now()
	return nil
}

// find returns the keys with this id; all of them for a token that names none.
func (k *KeySet) find(ctx context.Context, id string) ([]jose.JSONWebKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	lookup := func() []jose.JSONWebKey {
		if id == "" {
			return k.keys.Keys
		}
		return k.keys.Key(id)
	}
	found, age := lookup(), time.Since(k.loaded)
	if k.load == nil || age < keysAtLeast || len(found) > 0 && age < keysMayBe {
		return found, nil
	}
	k.loaded = time.Now() // whether it works or not, the next attempt has time
	if err := k.reloadLocked(ctx); err != nil && len(found) == 0 {
		return nil, err
	}
	return lookup(), nil
}
