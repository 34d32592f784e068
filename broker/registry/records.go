package registry

import (
	"encoding/json"
	"fmt"
)

// Types of keys in the log.
const (
	keySchema        = "SCHEMA"
	keyConfig        = "CONFIG"
	keyMode          = "MODE"
	keyDeleteSubject = "DELETE_SUBJECT"
	keyClearSubject  = "CLEAR_SUBJECT"
	keyContext       = "CONTEXT"
)

// recordKey is a key. Which fields it has depends on its type; see marshal.
type recordKey struct {
	KeyType string  `json:"keytype"`
	Subject *string `json:"subject"` // null in the settings for everything
	Version int     `json:"version"`
	Tenant  string  `json:"tenant"`
	Context string  `json:"context"`
}

// defaultTenant is the only one there is.
const defaultTenant = "default"

// marshal writes the key byte for byte as Confluent's registry does, since a compacted topic compares keys so.
func (k recordKey) marshal() []byte {
	var v any
	switch k.KeyType {
	case keySchema:
		v = struct {
			KeyType string  `json:"keytype"`
			Subject *string `json:"subject"`
			Version int     `json:"version"`
			Magic   int     `json:"magic"`
		}{k.KeyType, k.Subject, k.Version, 1}
	case keyContext:
		v = struct {
			KeyType string `json:"keytype"`
			Tenant  string `json:"tenant"`
			Context string `json:"context"`
			Magic   int    `json:"magic"`
		}{k.KeyType, defaultTenant, k.Context, 0}
	default:
		v = struct {
			KeyType string  `json:"keytype"`
			Subject *string `json:"subject"`
			Magic   int     `json:"magic"`
		}{k.KeyType, k.Subject, 0}
	}
	return encode(v)
}

// subjectOf is the subject as keys and values have it: null for everything.
func subjectOf(name string) *string {
	if name == "" {
		return nil
	}
	return &name
}

// schemaValue is a version in the log.
type schemaValue struct {
	Subject    string      `json:"subject"`
	Version    int         `json:"version"`
	ID         int         `json:"id"`
	MD5        []byte      `json:"md5,omitempty"`
	SchemaType string      `json:"schemaType,omitempty"`
	References []reference `json:"references,omitempty"`
	Metadata   *metadata   `json:"metadata,omitempty"`
	RuleSet    *ruleSet    `json:"ruleSet,omitempty"`
	Schema     string      `json:"schema"`
	Deleted    bool        `json:"deleted"`
}

type subjectValue struct {
	Subject *string `json:"subject"`
	Version int     `json:"version,omitempty"`
}

type modeValue struct {
	Subject *string `json:"subject"`
	Mode    string  `json:"mode"`
}

type contextValue struct {
	Tenant  string `json:"tenant"`
	Context string `json:"context"`
}

type configValue struct {
	Subject *string `json:"subject"`
	*settings
}

func versionRecord(v *version) Record {
	value := schemaValue{
		Subject: v.subject, Version: v.number, ID: v.id, MD5: v.guid[:], References: v.references,
		Metadata: v.metadata, RuleSet: v.ruleSet, Schema: v.schema, Deleted: v.deleted,
	}
	if v.typ != typeAvro {
		value.SchemaType = v.typ
	}
	return Record{Key: recordKey{KeyType: keySchema, Subject: &v.subject, Version: v.number}.marshal(), Value: encode(value)}
}

func tombstone(k schemaKey) Record {
	return Record{Key: recordKey{KeyType: keySchema, Subject: &k.subject, Version: k.version}.marshal()}
}

func configRecord(name string, s *settings) Record {
	rec := Record{Key: recordKey{KeyType: keyConfig, Subject: subjectOf(name)}.marshal()}
	if s != nil {
		rec.Value = encode(configValue{subjectOf(name), s})
	}
	return rec
}

func modeRecord(name, mode string) Record {
	rec := Record{Key: recordKey{KeyType: keyMode, Subject: subjectOf(name)}.marshal()}
	if mode != "" {
		rec.Value = encode(modeValue{subjectOf(name), mode})
	}
	return rec
}

func contextRecord(context string, exists bool) Record {
	rec := Record{Key: recordKey{KeyType: keyContext, Context: context}.marshal()}
	if exists {
		rec.Value = encode(contextValue{defaultTenant, context})
	}
	return rec
}

func deleteSubjectRecord(subject string, upTo int) Record {
	return Record{Key: recordKey{KeyType: keyDeleteSubject, Subject: &subject}.marshal(), Value: encode(subjectValue{&subject, upTo})}
}

func clearSubjectRecord(name string) Record {
	return Record{Key: recordKey{KeyType: keyClearSubject, Subject: subjectOf(name)}.marshal(), Value: encode(subjectValue{Subject: subjectOf(name)})}
}

// apply takes a record of the log. It fails on one that it does not understand, which then counts as if it were not there.
func (s *state) apply(rec Record) error {
	var k recordKey
	if err := json.Unmarshal(rec.Key, &k); err != nil {
		return fmt.Errorf("key: %w", err)
	}
	subject := ""
	if k.Subject != nil {
		subject = *k.Subject
	}
	var err error
	switch k.KeyType {
	case keySchema:
		err = s.applySchema(schemaKey{subject, k.Version}, rec)
	case keyConfig:
		delete(s.configs, subject)
		if rec.Value != nil {
			v := configValue{settings: new(settings)}
			if err = json.Unmarshal(rec.Value, &v); err == nil {
				s.configs[subject] = v.settings
			}
		}
	case keyMode:
		delete(s.modes, subject)
		if rec.Value != nil {
			var v modeValue
			if err = json.Unmarshal(rec.Value, &v); err == nil {
				s.modes[subject] = v.Mode
			}
		}
	case keyContext:
		delete(s.contexts, k.Context)
		if rec.Value != nil {
			s.contexts[k.Context] = true
		}
	case keyDeleteSubject:
		var v subjectValue
		if rec.Value != nil {
			if err = json.Unmarshal(rec.Value, &v); err == nil {
				s.softDelete(subject, v.Version, rec.Time.UnixMilli())
			}
		}
	case keyClearSubject:
		if rec.Value != nil {
			s.clear(subject)
		}
	}
	if err != nil {
		return fmt.Errorf("value of a %s record: %w", k.KeyType, err)
	}
	return nil
}

func (s *state) applySchema(k schemaKey, rec Record) error {
	if rec.Value == nil {
		s.remove(k)
		return nil
	}
	var value schemaValue
	if err := json.Unmarshal(rec.Value, &value); err != nil {
		return err
	}
	if k.version < 1 || value.ID < 0 {
		return fmt.Errorf("version %d with id %d", k.version, value.ID)
	}
	v := &version{
		definition: definition{typ: value.SchemaType, schema: value.Schema, references: value.References, metadata: value.Metadata, ruleSet: value.RuleSet},
		subject:    k.subject, number: k.version, id: value.ID, deleted: value.Deleted, ts: rec.Time.UnixMilli(),
	}
	if v.typ == "" {
		v.typ = typeAvro
	}
	if len(value.MD5) == len(v.guid) {
		v.guid = digest(value.MD5)
	} else {
		v.guid = v.digest()
	}
	s.put(v)
	return nil
}
