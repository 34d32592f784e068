package metalog

import "github.com/twmb/franz-go/pkg/kbin"

// Quota is one quota of an entity: the names by their types, nil for a default.
type Quota struct {
	Entity []QuotaEntity
	Key    string
	Value  float64
	Remove bool
}

// QuotaEntity is one part of who a quota is for.
type QuotaEntity struct {
	Type string
	Name *string
}

func (*Quota) key() (key, version uint32) { return keyQuota, 0 }

func (q *Quota) append(dst []byte) []byte {
	dst = kbin.AppendCompactArrayLen(dst, len(q.Entity))
	for _, e := range q.Entity {
		dst = kbin.AppendCompactNullableString(kbin.AppendCompactString(dst, e.Type), e.Name)
		dst = append(dst, 0)
	}
	dst = kbin.AppendCompactString(dst, q.Key)
	dst = kbin.AppendFloat64(dst, q.Value)
	return kbin.AppendBool(dst, q.Remove)
}

func (q *Quota) read(r *kbin.Reader) {
	for range r.CompactArrayLen() {
		if !r.Ok() {
			return
		}
		q.Entity = append(q.Entity, QuotaEntity{r.CompactString(), r.CompactNullableString()})
		skipTags(r)
	}
	q.Key, q.Value, q.Remove = r.CompactString(), r.Float64(), r.Bool()
}

// ProducerIDs says from where the next producer ids are given out: all below may have been.
type ProducerIDs struct {
	Broker int32
	Next   int64
}

func (*ProducerIDs) key() (key, version uint32) { return keyProducerIDs, 0 }

func (p *ProducerIDs) append(dst []byte) []byte {
	dst = kbin.AppendInt32(dst, p.Broker)
	dst = kbin.AppendInt64(dst, -1) // of the broker's epoch
	return kbin.AppendInt64(dst, p.Next)
}

func (p *ProducerIDs) read(r *kbin.Reader) {
	p.Broker = r.Int32()
	r.Int64()
	p.Next = r.Int64()
}

// ACL is an entry of an access control list.
type ACL struct {
	ID         [16]byte
	Resource   int8
	Name       string
	Pattern    int8
	Principal  string
	Host       string
	Operation  int8
	Permission int8
}

func (*ACL) key() (key, version uint32) { return keyACL, 0 }

func (a *ACL) append(dst []byte) []byte {
	dst = kbin.AppendUuid(dst, a.ID)
	dst = kbin.AppendInt8(dst, a.Resource)
	dst = kbin.AppendCompactString(dst, a.Name)
	dst = kbin.AppendInt8(dst, a.Pattern)
	dst = kbin.AppendCompactString(dst, a.Principal)
	dst = kbin.AppendCompactString(dst, a.Host)
	dst = kbin.AppendInt8(dst, a.Operation)
	return kbin.AppendInt8(dst, a.Permission)
}

func (a *ACL) read(r *kbin.Reader) {
	a.ID, a.Resource, a.Name, a.Pattern = r.Uuid(), r.Int8(), r.CompactString(), r.Int8()
	a.Principal, a.Host, a.Operation, a.Permission = r.CompactString(), r.CompactString(), r.Int8(), r.Int8()
}

// RemoveACL takes an entry away.
type RemoveACL struct{ ID [16]byte }

func (*RemoveACL) key() (key, version uint32) { return keyRemoveACL, 0 }

func (a *RemoveACL) append(dst []byte) []byte { return kbin.AppendUuid(dst, a.ID) }

func (a *RemoveACL) read(r *kbin.Reader) { a.ID = r.Uuid() }

// Scram is a user's credential for one mechanism (KIP-900). It is no password, and no verb prints it.
type Scram struct {
	User       string
	Mechanism  int8
	Salt       []byte
	StoredKey  []byte
	ServerKey  []byte
	Iterations int32
}

// String does not say what the credential is.
func (s *Scram) String() string { return "SCRAM credential of " + s.User }

// GoString does not either.
func (s *Scram) GoString() string { return s.String() }

func (*Scram) key() (key, version uint32) { return keyScram, 0 }

func (s *Scram) append(dst []byte) []byte {
	dst = kbin.AppendCompactString(dst, s.User)
	dst = kbin.AppendInt8(dst, s.Mechanism)
	dst = kbin.AppendCompactBytes(dst, s.Salt)
	dst = kbin.AppendCompactBytes(dst, s.StoredKey)
	dst = kbin.AppendCompactBytes(dst, s.ServerKey)
	return kbin.AppendInt32(dst, s.Iterations)
}

func (s *Scram) read(r *kbin.Reader) {
	s.User, s.Mechanism = r.CompactString(), r.Int8()
	s.Salt, s.StoredKey, s.ServerKey = r.CompactBytes(), r.CompactBytes(), r.CompactBytes()
	s.Iterations = r.Int32()
}

// RemoveScram takes a user's credential for one mechanism away.
type RemoveScram struct {
	User      string
	Mechanism int8
}

func (*RemoveScram) key() (key, version uint32) { return keyRemoveScram, 0 }

func (s *RemoveScram) append(dst []byte) []byte {
	return kbin.AppendInt8(kbin.AppendCompactString(dst, s.User), s.Mechanism)
}

func (s *RemoveScram) read(r *kbin.Reader) { s.User, s.Mechanism = r.CompactString(), r.Int8() }

// Token is a delegation token (KIP-900). What its holder logs in with is not in it: that follows from its id and the secret of the brokers. Times are in
// milliseconds since 1970.
type Token struct {
	Owner, Requester     string
	Renewers             []string
	Issued, Max, Expires int64
	ID                   string
}

func (*Token) key() (key, version uint32) { return keyToken, 0 }

func (t *Token) append(dst []byte) []byte {
	dst = kbin.AppendCompactString(kbin.AppendCompactString(dst, t.Owner), t.Requester)
	dst = kbin.AppendCompactArrayLen(dst, len(t.Renewers))
	for _, r := range t.Renewers {
		dst = kbin.AppendCompactString(dst, r)
	}
	dst = kbin.AppendInt64(kbin.AppendInt64(kbin.AppendInt64(dst, t.Issued), t.Max), t.Expires)
	return kbin.AppendCompactString(dst, t.ID)
}

func (t *Token) read(r *kbin.Reader) {
	t.Owner, t.Requester = r.CompactString(), r.CompactString()
	for range r.CompactArrayLen() {
		if !r.Ok() {
			return
		}
		t.Renewers = append(t.Renewers, r.CompactString())
	}
	t.Issued, t.Max, t.Expires, t.ID = r.Int64(), r.Int64(), r.Int64(), r.CompactString()
}

// RemoveToken takes a delegation token away.
type RemoveToken struct{ ID string }

func (*RemoveToken) key() (key, version uint32) { return keyRemoveToken, 0 }

func (t *RemoveToken) append(dst []byte) []byte { return kbin.AppendCompactString(dst, t.ID) }

func (t *RemoveToken) read(r *kbin.Reader) { t.ID = r.CompactString() }
