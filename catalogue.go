package sordini

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini/internal/nearest"
	"github.com/sordini-go/sordini/serde"
)

// The codes of diagnoses. They are part of the API: a code keeps its meaning.
const (
	CodeBrokerUnreachable    = "broker-unreachable"          // none of Cluster.Brokers answers at that address
	CodeAdvertisedListener   = "advertised-listener"         // the cluster answers, but the address that it gives for a broker does not
	CodeBrokerHung           = "broker-hung"                 // a broker takes connections and answers nothing
	CodeTLSMissing           = "tls-missing"                 // the broker wants TLS, the client uses none
	CodeTLSUnexpected        = "tls-unexpected"              // the client uses TLS, the broker none
	CodeTLSUntrusted         = "tls-untrusted"               // the broker's certificate does not verify
	CodeTLSClientCertificate = "tls-client-certificate"      // the broker wants a client certificate, or another one
	CodeSASLMissing          = "sasl-missing"                // the broker wants SASL, the client uses none
	CodeSASLUnexpected       = "sasl-unexpected"             // the client uses SASL, the listener none
	CodeSASLMechanism        = "sasl-mechanism"              // the broker does not offer the mechanism
	CodeAuthentication       = "authentication-failed"       // wrong user or password
	CodeTokenExpired         = "token-expired"               // the bearer token is over; it was not sent
	CodeTokenEndpoint        = "token-endpoint-unreachable"  // the identity provider can not be reached, or is not able to answer
	CodeTokenRefused         = "token-refused"               // the identity provider refuses the client's id or secret
	CodeClock                = "clock-skew"                  // this machine's clock, or another's, is wrong
	CodeAuthorization        = "authorization-failed"        // authenticated, but not allowed to
	CodeUnknownTopic         = "unknown-topic"               // the topic does not exist, or may not be seen
	CodeLeaderNotAvailable   = "leader-not-available"        // a partition has no leader, or another than the client believed
	CodeCoordinator          = "coordinator-not-available"   // a group or a transaction has no coordinator
	CodeNotEnoughReplicas    = "not-enough-replicas"         // fewer replicas in sync than min.insync.replicas
	CodeTooFewBrokers        = "too-few-brokers"             // a replication factor larger than the cluster
	CodeRecordTooLarge       = "record-too-large"            // over a limit
	CodeFencedProducer       = "fenced-producer"             // another producer has the same transactional id
	CodeOffsetOutOfRange     = "offset-out-of-range"         // the offset is no longer, or not yet, in the log
	CodeDataLoss             = "data-loss"                   // the log was truncated below what was read
	CodeHandlerSlow          = "handler-slower-than-session" // a handler outlived its time in the group
	CodeProducerTimeout      = "producer-timeout"            // a record was not acknowledged in time
	CodeCommitRebalanced     = "commit-failed-by-rebalance"  // the member no longer has what it commits
	CodeMemberReplaced       = "member-replaced"             // another member has the same instance id
	CodeSerialization        = "serialization-failed"        // a value and its serde do not fit
	CodeDiskFull             = "disk-full"                   // a broker can not write its log
	CodeVersion              = "version-not-supported"       // the broker is too old for the request
	CodeRegistryAccess       = "registry-access-denied"      // the schema registry refuses the credentials
	CodePolicy               = "refused-by-policy"           // a broker's policy refuses the topic or its settings
)

// catalogue is searched from the top: what is more specific comes first.
var catalogue = []entry{
	{CodeClock, nil, says("Signature not yet current", "Signature expired"), func(a About) [3]string { // as AWS says it
		return [3]string{
			"a clock is wrong" + at(a.Address),
			"this machine's clock, or that of who checks the token or the signature, is off by more than a minute",
			"compare the clocks (date -u on both; timedatectl, chronyc tracking) and let NTP set them",
		}
	}},
	{CodeTokenExpired, nil, nil, func(About) [3]string {
		return [3]string{
			"the bearer token has expired and was not sent",
			"nothing renews it: a token that was given as text, or a file that what should write it no longer writes",
			"use sordini.BearerToken with sordini.SecretFile for a file that is renewed, or sordini.ClientCredentials, which renews it itself; if the token is new, compare the clocks",
		}
	}},
	{CodeTokenRefused, nil, nil, func(a About) [3]string {
		return [3]string{
			"the identity provider gives this client no token" + at(a.Address),
			"a wrong client id or secret, one that was rotated, or a client that may not use the client_credentials grant",
			"check ClientID and ClientSecret (KAFKA_OAUTH_CLIENT_ID, KAFKA_OAUTH_CLIENT_SECRET); some providers want ClientCredentials.SecretInBody",
		}
	}},
	{CodeTokenEndpoint, nil, nil, func(a About) [3]string {
		return [3]string{
			"the identity provider's token endpoint does not answer" + at(a.Address),
			"the address is wrong, the provider is down or overloaded, or a firewall or proxy is in between",
			"check ClientCredentials.TokenURL (KAFKA_OAUTH_TOKEN_ENDPOINT_URL): curl -v URL; it is tried again with each connection",
		}
	}},
	{CodeAuthentication, []error{kerr.SaslAuthenticationFailed}, says("server sent authentication error", "server signature mismatch", "the broker refuses the token"), func(a About) [3]string {
		return [3]string{
			"the broker refuses the user or the password, or the token" + as(a.Principal),
			"a wrong user name or password, a user that was not created for this mechanism (SCRAM users exist per mechanism), or a token that the broker does not trust: another issuer, audience or key",
			"check SASL's user and password (KAFKA_USERNAME, KAFKA_PASSWORD); create one with kafka-configs.sh --alter --entity-type users --entity-name NAME --add-config 'SCRAM-SHA-512=[password=…]'",
		}
	}},
	{CodeSASLMechanism, []error{kerr.UnsupportedSaslMechanism}, nil, func(About) [3]string {
		return [3]string{
			"the broker does not offer this SASL mechanism",
			"the listener's sasl.enabled.mechanisms does not have it",
			"use one that it has (KAFKA_SASL_MECHANISM: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER or AWS_MSK_IAM), or add it to sasl.enabled.mechanisms of the brokers",
		}
	}},
	{CodeSASLMissing, nil, says("is SASL missing?"), func(a About) [3]string {
		return [3]string{
			"the broker closed the connection after the first request" + at(a.Address),
			"the listener wants SASL and the client uses none",
			"set Cluster.SASL (KAFKA_SECURITY_PROTOCOL=SASL_SSL, KAFKA_SASL_MECHANISM, KAFKA_USERNAME, KAFKA_PASSWORD), or use the address of a listener without SASL",
		}
	}},
	{CodeSASLUnexpected, []error{kerr.IllegalSaslState}, nil, func(a About) [3]string {
		return [3]string{
			"the broker refuses to authenticate" + at(a.Address),
			"the client uses SASL and the listener none, or the other way round",
			"make Cluster.SASL and the listener's security protocol agree (listener.security.protocol.map), or use the address of another listener",
		}
	}},
	{CodeTLSMissing, nil, says("is TLS missing?", "is this a plaintext connection speaking to a tls endpoint?"), func(a About) [3]string {
		return [3]string{
			"the broker did not understand the first request" + at(a.Address),
			"the listener wants TLS and the client uses none",
			"set Cluster.TLS (KAFKA_SECURITY_PROTOCOL=SSL or SASL_SSL, KAFKA_CA_FILE), or use the address of a listener without TLS",
		}
	}},
	{CodeTLSClientCertificate, nil, says("tls: certificate required", "tls: bad certificate", "remote error: tls: handshake failure", "remote error: tls: unknown certificate"), func(a About) [3]string {
		return [3]string{
			"the broker refuses the client's certificate, or that it has none" + at(a.Address),
			"the listener has ssl.client.auth=required, and the certificate is missing, expired, or signed by an authority that the broker does not trust",
			"give a client certificate (KAFKA_CERT_FILE, KAFKA_KEY_FILE; sordini.TLSFromFiles) signed by an authority of the broker's truststore",
		}
	}},
	{CodeTLSUntrusted, nil, untrusted, func(a About) [3]string {
		return [3]string{
			"the broker's certificate does not verify" + at(a.Address),
			"it was signed by an authority that the client does not know, has expired, or is for another host name than the one that was dialled",
			"give the authority's certificate (KAFKA_CA_FILE; sordini.TLSFromFiles); the host name must be one of the certificate's subjectAltNames (openssl s_client -connect HOST:PORT -showcerts)",
		}
	}},
	{CodeTLSUnexpected, nil, notTLS, func(a About) [3]string {
		return [3]string{
			"the broker did not understand a TLS handshake" + at(a.Address),
			"the client uses TLS and the listener none",
			"leave out Cluster.TLS (KAFKA_SECURITY_PROTOCOL=PLAINTEXT or SASL_PLAINTEXT), or use the address of a listener with TLS",
		}
	}},
	{CodeAuthorization, []error{
		kerr.TopicAuthorizationFailed, kerr.GroupAuthorizationFailed, kerr.ClusterAuthorizationFailed, kerr.TransactionalIDAuthorizationFailed,
		kerr.DelegationTokenAuthorizationFailed,
	}, nil, authorization},
	{CodeUnknownTopic, []error{kerr.UnknownTopicOrPartition, kerr.UnknownTopicID, kerr.InconsistentTopicID}, nil, func(a About) [3]string {
		fix := "create it (sordini.EnsureTopics, or kafka-topics.sh --create --topic " + orName(a.Topic, "NAME") + "), or correct the name"
		if near, ok := nearest.Name(a.Topic, a.Names); ok && a.Topic != "" {
			fix = fmt.Sprintf("did you mean %q? Otherwise %s", near, fix)
		}
		return [3]string{
			of("topic", a.Topic) + " does not exist, or may not be seen by this client",
			"a misspelt name, a topic that was not created on this cluster or was deleted, or no Describe permission on it",
			fix,
		}
	}},
	{CodeNotEnoughReplicas, []error{kerr.NotEnoughReplicas, kerr.NotEnoughReplicasAfterAppend}, nil, func(a About) [3]string {
		return [3]string{
			"fewer replicas of " + of("topic", a.Topic) + " are in sync than its min.insync.replicas",
			"brokers are down or lag behind, or min.insync.replicas is larger than the replication factor",
			"bring the brokers back (kafka-topics.sh --describe --under-min-isr-partitions); the record is retried until its delivery timeout",
		}
	}},
	{CodeTooFewBrokers, []error{kerr.InvalidReplicationFactor}, nil, func(a About) [3]string {
		return [3]string{
			"the replication factor of " + of("topic", a.Topic) + " is not possible on this cluster",
			"there are fewer brokers than replicas: a cluster of one on a laptop, or brokers that are down",
			"set Cluster.Development on a laptop, say a smaller TopicConfig.ReplicationFactor, or bring the brokers back",
		}
	}},
	{CodeRecordTooLarge, []error{kerr.MessageTooLarge, kerr.RecordListTooLarge}, nil, func(a About) [3]string {
		summary := "the record is larger than " + of("topic", a.Topic) + " allows"
		if a.Limit > 0 {
			summary += fmt.Sprintf(": max.message.bytes is %d", a.Limit)
			if a.Size > 0 {
				summary += fmt.Sprintf(", the record has %d bytes", a.Size)
			}
		}
		return [3]string{
			summary,
			"a payload that belongs into an object store, or a limit that was not raised with it",
			"keep large values elsewhere and send references to them (claim check: producer.ClaimCheck, and consumer.ClaimCheck to read them), or raise max.message.bytes of the topic (kafka-configs.sh --alter --entity-type topics) and TopicConfig.MaxMessageBytes with it",
		}
	}},
	{CodeFencedProducer, []error{kerr.ProducerFenced, kerr.InvalidProducerEpoch, kerr.TransactionCoordinatorFenced}, nil, func(About) [3]string {
		return [3]string{
			"another producer took over this producer's id",
			"two processes with one transactional id, or a transaction that took longer than its timeout and was ended by the broker",
			"give each instance its own transactional id; if a transaction was too slow, make it smaller or raise its timeout",
		}
	}},
	{CodeDataLoss, nil, func(err error) bool { var loss *kgo.ErrDataLoss; return errors.As(err, &loss) }, func(a About) [3]string {
		return [3]string{
			"the log of " + of("topic", a.Topic) + " was truncated below what had been read",
			"an unclean leader election, or a topic that was deleted and created again",
			"set unclean.leader.election.enable=false and min.insync.replicas=2; compare the group's offsets with the log before going on",
		}
	}},
	{CodeOffsetOutOfRange, []error{kerr.OffsetOutOfRange}, nil, func(a About) [3]string {
		return [3]string{
			"the offset is not in the log of " + of("topic", a.Topic),
			"retention deleted records before they were handled, DeleteRecords was called, or the topic was created again",
			"handle faster than retention deletes, or raise retention.ms (TopicConfig.Retention); the records that are gone are counted",
		}
	}},
	{CodeMemberReplaced, []error{kerr.FencedInstanceID, kerr.UnreleasedInstanceID}, nil, func(a About) [3]string {
		return [3]string{
			"another member of " + of("group", a.Group) + " has the same instance id",
			"two processes were given one instance id",
			"give each process its own, its pod's name for example",
		}
	}},
	{CodeCommitRebalanced, []error{kerr.RebalanceInProgress, kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.StaleMemberEpoch, kerr.FencedMemberEpoch}, nil, func(a About) [3]string {
		return [3]string{
			"this member of " + of("group", a.Group) + " may no longer commit what it commits",
			"the group rebalanced: members came or went, or this one was thought dead because it did not answer within its session",
			"nothing is lost: what was not committed is handled again by its new owner; if it happens often, look for long pauses of the process and for handlers that ignore their context",
		}
	}},
	{CodeHandlerSlow, []error{}, nil, func(a About) [3]string {
		return [3]string{
			"a handler of " + of("group", a.Group) + " took longer than it may",
			"it waits for something without a time limit, or has more to do for one record than its timeout allows",
			"give calls inside the handler a context or a limit, or raise consumer.HandlerTimeout",
		}
	}},
	{CodeCoordinator, []error{kerr.CoordinatorNotAvailable, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator}, nil, func(a About) [3]string {
		return [3]string{
			of("group", a.Group) + " has no coordinator at the moment",
			"a broker is starting or moving it; if it lasts, the topic __consumer_offsets can not be created: offsets.topic.replication.factor is larger than the number of brokers",
			"wait; on a cluster of one, set offsets.topic.replication.factor=1 and transaction.state.log.replication.factor=1 on the broker",
		}
	}},
	{CodeLeaderNotAvailable, []error{kerr.LeaderNotAvailable, kerr.NotLeaderForPartition, kerr.ReplicaNotAvailable, kerr.FencedLeaderEpoch, kerr.UnknownLeaderEpoch}, nil, func(a About) [3]string {
		return [3]string{
			"a partition of " + of("topic", a.Topic) + " has no leader, or another than the client believed",
			"a broker stopped and the election is not over, the topic was just created, or every in-sync replica is down",
			"wait: it is retried; if it lasts, see which brokers are down (kafka-topics.sh --describe --unavailable-partitions)",
		}
	}},
	{CodeDiskFull, []error{kerr.KafkaStorageError, syscall.ENOSPC}, says("No space left on device"), func(a About) [3]string {
		return [3]string{
			"a broker can not write the log of " + of("topic", a.Topic),
			"its disk is full or broken",
			"free space (shorten retention.ms, delete topics, add disks), then restart the broker: it took the log directory offline (kafka-log-dirs.sh --describe)",
		}
	}},
	{CodeRegistryAccess, nil, func(err error) bool { var refused *serde.AccessError; return errors.As(err, &refused) }, func(About) [3]string {
		return [3]string{
			"the schema registry refuses the credentials, or what they ask for",
			"Cluster.Registry has no credentials or wrong ones (401), or ones that may not read this subject (403)",
			"check Registry.Username and Password or BearerToken (SCHEMA_REGISTRY_URL=https://USER:PASSWORD@HOST), or let the user read the subject; then start the service again, nothing was skipped",
		}
	}},
	{CodePolicy, []error{kerr.PolicyViolation, kerr.InvalidConfig}, nil, func(a About) [3]string {
		return [3]string{
			"the broker refuses the settings of " + of("topic", a.Topic),
			"a create.topic.policy or alter.config.policy of the cluster, or a setting that it does not know",
			"correct TopicConfig, or have the topic created by whoever may",
		}
	}},
	{CodeVersion, []error{kerr.UnsupportedVersion}, says("broker is too old"), func(a About) [3]string {
		return [3]string{
			"the broker does not know a request that this needs",
			"Kafka before 2.4, or a service that speaks part of its protocol",
			"use Apache Kafka 2.4 or later",
		}
	}},
	{CodeProducerTimeout, []error{kgo.ErrRecordTimeout, kgo.ErrRecordRetries, kerr.RequestTimedOut}, nil, func(a About) [3]string {
		return [3]string{
			"a record to " + of("topic", a.Topic) + " was not acknowledged in time",
			"the leader or its followers are slow, cut off or down; or more is sent than the cluster takes",
			"see the log for the broker's errors; under-replicated partitions are listed by kafka-topics.sh --describe --under-replicated-partitions",
		}
	}},
	{CodeSerialization, nil, nil, func(a About) [3]string {
		return [3]string{
			"a value of " + of("topic", a.Topic) + " does not fit its serde",
			"the contract's type changed on one side only, or something else writes to the topic",
			"compare the contract on both sides; a record that does not decode is in the dead-letter topic, byte for byte (sordini dlt ls)",
		}
	}},
	{CodeBrokerHung, []error{os.ErrDeadlineExceeded}, nil, func(a About) [3]string {
		return [3]string{
			"a broker takes connections and does not answer" + at(a.Address),
			"it is overloaded, its disk or a garbage collection stalls it, or the port is not Kafka's",
			"look at that broker's log and load; others are asked meanwhile, and it is tried again",
		}
	}},
	{CodeBrokerUnreachable, nil, func(err error) bool { var op *net.OpError; return errors.As(err, &op) && op.Op == "dial" }, func(a About) [3]string {
		return [3]string{
			"no broker answers" + at(a.Address),
			"the address is wrong, the broker is down, or a firewall is in between",
			"check Cluster.Brokers (KAFKA_BROKERS) and that the port is open: nc -vz HOST PORT",
		}
	}},
	{CodeAdvertisedListener, nil, nil, func(a About) [3]string {
		return [3]string{
			"the cluster answers, but the broker that it calls " + orName(a.Address, "another one") + " does not",
			"advertised.listeners of that broker is an address that this machine can not reach: localhost, a container's or a pod's name",
			"set advertised.listeners of the broker to an address that clients can reach; in Docker, one listener for inside and one for outside",
		}
	}},
}

// anyTopic stands for a topic that only the error's text names.
const anyTopic = "NAME"

func authorization(a About) [3]string {
	resource, op := of("topic", a.Topic), a.Operation
	switch {
	case a.Topic == anyTopic:
		resource = "a topic, which the error names"
	case a.Topic == "" && a.Group != "":
		resource = of("group", a.Group)
	case a.Topic == "":
		resource = "the resource"
	}
	need := map[string]string{
		"produce": "Write", "fetch": "Read", "describe": "Describe", "read": "Read", "commit": "Read", "create topic": "Create", "join": "Read", "describe configuration": "DescribeConfigs",
	}[op]
	grant := "--operation " + orName(need, "Read|Write|Describe|Create")
	switch {
	case a.Topic != "":
		grant += " --topic " + a.Topic
	case a.Group != "":
		grant += " --group " + a.Group
	}
	return [3]string{
		fmt.Sprintf("%s may not %s %s", orName(a.Principal, "the client"), orName(op, "use"), resource),
		"an ACL is missing, or a deny rule matches",
		fmt.Sprintf("kafka-acls.sh --add --allow-principal %s %s", orName(a.Principal, "User:NAME"), grant),
	}
}

// untrusted is what crypto/tls says of a certificate that does not verify.
func untrusted(err error) bool {
	var (
		verify    *tls.CertificateVerificationError
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
	)
	return errors.As(err, &verify) || errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid)
}

// notTLS is how a TLS handshake with a listener that does not speak TLS ends: the listener closes, or answers something else.
func notTLS(err error) bool {
	var record tls.RecordHeaderError
	if errors.As(err, &record) {
		return true
	}
	var eof *kgo.ErrFirstReadEOF
	return errors.As(err, &eof) && says("is TLS misconfigured")(err) || errors.Is(err, io.EOF) && says("TLS handshake with")(err)
}

func at(address string) string {
	if address == "" {
		return ""
	}
	return " at " + address
}

func as(principal string) string {
	if principal == "" {
		return ""
	}
	return " (" + principal + ")"
}

func orName(name, otherwise string) string {
	if name == "" {
		return otherwise
	}
	return name
}
