package main

import (
	"encoding/base64"
	"fmt"
	"path"
	"reflect"
	"regexp"
	"strings"
	"time"
)

// rule replaces values that must differ between two clusters by nature. Where matches API.Field.Field with the wildcards of path.Match, over dots too.
type rule struct {
	where  string
	why    string
	kind   reflect.Kind
	change func(s *symbols, v reflect.Value) string
}

// rules are everything that is not compared as it is. What is replaced by a name is still compared: the same id twice is the same name twice, an id that
// should be empty is not replaced.
var rules = []rule{
	{"*.TopicID", "topic ids are random", reflect.Array, func(s *symbols, v reflect.Value) string { return s.topic([16]byte(v.Bytes())) }},
	{"*.ClusterID", "cluster ids are random", reflect.String, func(s *symbols, v reflect.Value) string { return s.name("cluster", v.String(), "") }},
	{"*.Port", "ports are whatever was free", reflect.Int32, func(s *symbols, v reflect.Value) string {
		if n := s.side.port(int32(v.Int())); n > 0 {
			return fmt.Sprintf("port of broker %d", n)
		}
		return fmt.Sprint(v.Int())
	}},
	{"DescribeTransactions.TransactionStates.ProducerID", "as the next, but 0 where there is none", reflect.Int64, func(s *symbols, v reflect.Value) string {
		return s.name("producer", fmt.Sprint(v.Int()), "0")
	}},
	{"*.ProducerID", "producer ids come from blocks that brokers reserve, which other scenarios use too", reflect.Int64, func(s *symbols, v reflect.Value) string {
		return s.name("producer", fmt.Sprint(v.Int()), "-1")
	}},
	{"*.ControllerID", "brokers that are no controllers name any broker", reflect.Int32, func(s *symbols, v reflect.Value) string {
		if v.Int() >= 1 && int(v.Int()) <= len(s.side.addrs) {
			return "a broker"
		}
		return fmt.Sprint(v.Int())
	}},
	{"ConsumerGroupHeartbeat.MemberID", "the member ids that brokers give are random", reflect.String, func(s *symbols, v reflect.Value) string {
		if shortID.MatchString(v.String()) && v.Len() == 22 {
			return s.name("member", v.String(), "")
		}
		return v.String()
	}},
	{"JoinGroup.MemberID", "as before", reflect.String, func(s *symbols, v reflect.Value) string {
		if v.Len() == 22 {
			return s.name("member", v.String(), "")
		}
		return s.text(v.String())
	}},
	{"Fetch.SessionID", "fetch session ids are random", reflect.Int32, func(s *symbols, v reflect.Value) string {
		return s.name("session", fmt.Sprint(v.Int()), "0")
	}},
	{"ApiVersions.FinalizedFeaturesEpoch", "it is an offset of Kafka's metadata log", reflect.Int64, func(_ *symbols, v reflect.Value) string {
		if v.Int() > 0 {
			return "an epoch"
		}
		return fmt.Sprint(v.Int())
	}},
	{"*.*Timestamp*", "clocks go on; times of the client's own choice are not near the present and are compared", reflect.Int64, now},
	{"*.*TimeMillis", "clocks go on", reflect.Int64, now},
	{"*.LogAppendTime", "clocks go on", reflect.Int64, now},
	{"SASLAuthenticate.SASLAuthBytes", "the salts and nonces of SCRAM are random", reflect.Slice, func(_ *symbols, v reflect.Value) string { return saslMessage(v.Bytes()) }},
	{"DescribeQuorum.*LogEndOffset", "how long the metadata log is depends on how Kafka writes it down", reflect.Int64, positive},
	{"DescribeQuorum.*HighWatermark", "as LogEndOffset", reflect.Int64, positive},
	{"DescribeQuorum.*LeaderEpoch", "how many elections it took", reflect.Int32, positive},
	{"DescribeQuorum.Nodes.Listeners.Port", "ports are whatever was free", reflect.Uint16, positive},
	{"DescribeLogDirs.Dirs.Dir", "folders are where they are", reflect.String, func(*symbols, reflect.Value) string { return "a folder" }},
	{"DescribeLogDirs.Dirs.*Bytes", "disks have the size they have", reflect.Int64, positive},
}

// keyed are lists whose order means nothing, most of them because Kafka gives them in the order of a hash table. Their elements are compared by the fields
// that name them.
var keyed = map[string][]string{
	"ApiVersions.ApiKeys":                                  {"ApiKey"},
	"ApiVersions.SupportedFeatures":                        {"Name"},
	"ApiVersions.FinalizedFeatures":                        {"Name"},
	"Metadata.Brokers":                                     {"NodeID"},
	"Metadata.Topics":                                      {"Topic", "TopicID"},
	"DescribeCluster.Brokers":                              {"NodeID"},
	"ListGroups.Groups":                                    {"Group"},
	"CreateTopics.Topics":                                  {"Topic", "ErrorCode"},
	"CreateTopics.Topics.Configs":                          {"Name"},
	"DeleteTopics.Topics":                                  {"Topic", "TopicID", "ErrorCode"},
	"CreatePartitions.Topics":                              {"Topic"},
	"DescribeConfigs.Resources.Configs":                    {"Name"},
	"DescribeUserSCRAMCredentials.Results.CredentialInfos": {"Mechanism"},
	"AlterClientQuotas.Entries.Entity":                     {"Type"},
	"DescribeConfigs.Resources":                            {"ResourceType", "ResourceName"},
	"AlterConfigs.Resources":                               {"ResourceType", "ResourceName"},
	"IncrementalAlterConfigs.Resources":                    {"ResourceType", "ResourceName"},
	"ListConfigResources.ConfigResources":                  {"Type", "Name"},
	"DescribeGroups.Groups":                                {"Group"},
	"ConsumerGroupDescribe.Groups":                         {"Group"},
	"ConsumerGroupDescribe.Groups.Members":                 {"MemberID"},
	"ConsumerGroupHeartbeat.Assignment.Topics":             {"TopicID"},

	"ConsumerGroupDescribe.Groups.Members.Assignment.TopicPartitions":       {"Topic"},
	"ConsumerGroupDescribe.Groups.Members.TargetAssignment.TopicPartitions": {"Topic"},

	"DeleteGroups.Groups":                                 {"Group"},
	"DescribeTransactions.TransactionStates.Topics":       {"Topic"},
	"ListTransactions.TransactionStates":                  {"TransactionalID"},
	"AlterUserSCRAMCredentials.Results":                   {"User"},
	"DescribeACLs.Resources":                              {"ResourceType", "ResourceName", "ResourcePatternType"},
	"DescribeACLs.Resources.ACLs":                         {"Principal", "Host", "Operation", "PermissionType"},
	"DeleteACLs.Results.MatchingACLs":                     {"ResourceType", "ResourceName", "ResourcePatternType", "Principal", "Host", "Operation", "PermissionType"},
	"DescribeUserSCRAMCredentials.Results":                {"User"},
	"Fetch.Topics":                                        {"Topic", "TopicID"},
	"DescribeProducers.Topics.Partitions.ActiveProducers": {"ProducerID"},
	"DescribeClientQuotas.Entries":                        {"Entity"},
	"DescribeClientQuotas.Entries.Entity":                 {"Type"},
	"DescribeClientQuotas.Entries.Values":                 {"Key"},
	"ShareGroupDescribe.Groups":                           {"GroupID"},
	"ShareGroupDescribe.Groups.Members":                   {"MemberID"},
	"ShareFetch.Topics":                                   {"TopicID"},
	"ShareFetch.Topics.Partitions":                        {"Partition"},
	"ShareAcknowledge.Topics":                             {"TopicID"},
	"ShareAcknowledge.Topics.Partitions":                  {"Partition"},
	"DescribeShareGroupOffsets.Groups.Topics":             {"Topic"},
	"DescribeShareGroupOffsets.Groups.Topics.Partitions":  {"Partition"},
	"AlterShareGroupOffsets.Topics":                       {"Topic"},
	"DeleteShareGroupOffsets.Topics":                      {"Topic"},
	"InitializeShareGroupState.Topics":                    {"TopicID"},
	"ReadShareGroupState.Topics":                          {"TopicID"},
	"WriteShareGroupState.Topics":                         {"TopicID"},
	"DeleteShareGroupState.Topics":                        {"TopicID"},
	"ReadShareGroupStateSummary.Topics":                   {"TopicID"},
}

// saslMessage writes down a message of a mechanism: the beginning of the nonce, which is the client's, and how long what is random is.
func saslMessage(message []byte) string {
	m := scramMessage.FindStringSubmatch(string(message))
	switch {
	case m == nil:
		return fmt.Sprintf("%q", message)
	case m[2] != "":
		salt, err := base64.StdEncoding.DecodeString(m[2])
		return fmt.Sprintf("nonce goes on: %t, salt: %t (%v), %s iterations", strings.HasPrefix(m[1], scramNonce) && len(m[1]) > len(scramNonce), len(salt) > 0, err, m[3])
	}
	proof, err := base64.StdEncoding.DecodeString(m[4])
	return fmt.Sprintf("proof of %d bytes (%v)", len(proof), err)
}

// now replaces a time near the present. Records of the scenarios are stamped an hour and more ago.
func now(_ *symbols, v reflect.Value) string {
	if d := time.Since(time.UnixMilli(v.Int())).Abs(); d < 30*time.Minute {
		return "now"
	}
	return fmt.Sprint(v.Int())
}

// positive replaces a number whose value means nothing here, but not whether there is one.
func positive(_ *symbols, v reflect.Value) string {
	if v.CanUint() && v.Uint() > 0 || v.CanInt() && v.Int() > 0 {
		return "positive"
	}
	return fmt.Sprint(v.Interface())
}

// symbols gives names to what is random, in the order in which a scenario meets it.
type symbols struct {
	side   *side
	names  map[string]string // by kind and value
	counts map[string]int
	topics map[[16]byte]string
	ids    map[string]string // topic ids as Kafka writes them in texts
}

func newSymbols(s *side) *symbols {
	return &symbols{side: s, names: map[string]string{}, counts: map[string]int{}, topics: map[[16]byte]string{}, ids: map[string]string{}}
}

func (s *symbols) name(kind, value, empty string) string {
	if value == empty {
		return value
	}
	key := kind + " " + value
	if s.names[key] == "" {
		s.counts[kind]++
		s.names[key] = fmt.Sprintf("%s %d", kind, s.counts[kind])
	}
	return s.names[key]
}

func (s *symbols) topic(id [16]byte) string {
	switch name := s.topics[id]; {
	case id == [16]byte{}:
		return "no id"
	case name != "":
		return name
	}
	return s.name("unknown topic id", fmt.Sprint(id), "")
}

// learn looks for the ids of topics that stand beside their names.
func (s *symbols) learn(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			s.learn(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			s.learn(v.Index(i))
		}
	case reflect.Struct:
		if id := v.FieldByName("TopicID"); id.IsValid() && id.Kind() == reflect.Array {
			name := v.FieldByName("Topic")
			if name.IsValid() && name.Kind() == reflect.Pointer {
				name = name.Elem()
			}
			if raw := [16]byte(id.Bytes()); name.IsValid() && name.Kind() == reflect.String && name.Len() > 0 && raw != [16]byte{} && s.topics[raw] == "" {
				s.counts["topic "+name.String()]++
				s.topics[raw] = fmt.Sprintf("id of %s, %d", name.String(), s.counts["topic "+name.String()])
				s.ids[base64.RawURLEncoding.EncodeToString(raw[:])] = s.topics[raw]
			}
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				s.learn(v.Field(i))
			}
		}
	}
}

// replace applies the first rule that fits.
func (s *symbols) replace(where string, v reflect.Value) (string, bool) {
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	for _, r := range rules {
		if r.kind != v.Kind() {
			continue
		}
		if ok, _ := path.Match(r.where, where); ok {
			return r.change(s, v), true
		}
	}
	return "", false
}

var (
	uuid          = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	shortID       = regexp.MustCompile(`[A-Za-z0-9_-]{22}`)
	scramMessage  = regexp.MustCompile(`^(?:r=([^,]+),s=([^,]+),i=([0-9]+)|v=([^,]+))$`)
	requestObject = regexp.MustCompile(`Request Request\(.*\) needs`) // Kafka prints its object, with addresses in memory
	within        = regexp.MustCompile(`within \[-?[0-9]+, [0-9]+\]`)
)

// text replaces ids inside a text: member ids are made of random UUIDs, error messages name topic ids. What is refused for its time is told the times
// that would have been right, which go on.
func (s *symbols) text(t string) string {
	t = uuid.ReplaceAllStringFunc(t, func(id string) string { return "<" + s.name("uuid", id, "") + ">" })
	t = shortID.ReplaceAllStringFunc(t, func(id string) string {
		if name := s.ids[id]; name != "" {
			return "<" + name + ">"
		}
		if raw, err := base64.RawURLEncoding.DecodeString(id); err == nil && len(raw) == 16 && raw[6]>>4 == 4 && raw[8]>>6 == 2 {
			return "<" + s.name("uuid", id, "") + ">"
		}
		return id
	})
	t = requestObject.ReplaceAllString(t, "Request needs")
	t = within.ReplaceAllString(t, "within <bounds>")
	for i, a := range s.side.addrs {
		t = strings.ReplaceAll(t, a, fmt.Sprintf("<broker %d>", i+1))
	}
	return t
}
