package registry

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// digest is the MD5 over what makes two schemas the same: the canonical text, the references, the data contract. As a UUID it is the schema's GUID.
type digest [md5.Size]byte

func (d digest) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", d[0:4], d[4:6], d[6:8], d[8:10], d[10:])
}

// definition is a schema without its place.
type definition struct {
	typ        string
	schema     string // canonical once it has been parsed
	references []reference
	metadata   *metadata
	ruleSet    *ruleSet
}

func (d *definition) digest() (out digest) {
	h := md5.New()
	h.Write([]byte(d.schema))
	for _, r := range d.references {
		r.hash(h)
	}
	if d.metadata != nil {
		h.Write([]byte{1})
		d.metadata.hash(h)
	}
	if d.ruleSet != nil {
		h.Write([]byte{1})
		d.ruleSet.hash(h)
	}
	h.Sum(out[:0])
	return out
}

// sameContract compares what definitions have beside their schema.
func (d *definition) sameContract(o *definition) bool {
	return sameJSON(d.metadata, o.metadata) && sameJSON(d.ruleSet, o.ruleSet)
}

func sameJSON(a, b any) bool {
	x, err := json.Marshal(a)
	if err != nil {
		return false
	}
	y, err := json.Marshal(b)
	return err == nil && string(x) == string(y)
}

// version is a schema in its place. It is replaced, never changed.
type version struct {
	definition
	subject string
	number  int
	id      int
	guid    digest
	deleted bool
	ts      int64 // milliseconds, of the record that said so
}

func (v *version) key() schemaKey { return schemaKey{v.subject, v.number} }

// parseVersion reads a version as a path has it.
func parseVersion(s string) (int, error) {
	if s == "latest" || s == "-1" {
		return latest, nil
	}
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || n <= 0 {
		return 0, errInvalidVersion(s)
	}
	return int(n), nil
}

// parseGUID reads a GUID, with or without its dashes.
func parseGUID(s string) (d digest, ok bool) {
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(b) != len(d) {
		return d, false
	}
	return digest(b), true
}
