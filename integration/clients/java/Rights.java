import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.CreateDelegationTokenOptions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AccessControlEntryFilter;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourcePatternFilter;
import org.apache.kafka.common.resource.ResourceType;

/** Clients that authenticate, and what they may not do until they are granted it. */
final class Rights {
    private Rights() {}

    static Object[] by(String mechanism, String user, String password, Object... more) {
        String module = mechanism.equals("PLAIN") ? "org.apache.kafka.common.security.plain.PlainLoginModule" : "org.apache.kafka.common.security.scram.ScramLoginModule";
        Object[] all = new Object[6 + more.length];
        all[0] = "security.protocol";
        all[1] = "SASL_PLAINTEXT";
        all[2] = "sasl.mechanism";
        all[3] = mechanism;
        all[4] = "sasl.jaas.config";
        all[5] = module + " required username=\"" + user + "\" password=\"" + password + "\";";
        System.arraycopy(more, 0, all, 6, more.length);
        return all;
    }

    static Object[] login(String user, Object... more) {
        return by("PLAIN", user, user + "-secret", more);
    }

    static void run(String brokers, Main.Say say) throws Exception {
        String topic = "java-rights";
        Cluster.create(brokers, topic, 1, Map.of(), login("admin"));
        for (String mechanism : List.of("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")) {
            try (Admin a = Cluster.admin(brokers, by(mechanism, "alice", "alice-secret")); Admin wrong = Cluster.admin(brokers, by(mechanism, "alice", "wrong"))) {
                say.saw(mechanism, a.describeCluster().nodes().get().size());
                say.outcome(mechanism + ", wrong password", () -> wrong.describeCluster().nodes().get());
            }
        }
        try (Admin a = Cluster.admin(brokers, login("alice", "security.protocol", "PLAINTEXT", "default.api.timeout.ms", "2000", "request.timeout.ms", "1000"))) {
            say.outcome("without SASL", () -> a.describeCluster().nodes().get());
        }
        try (Admin root = Cluster.admin(brokers, login("admin")); Admin alice = Cluster.admin(brokers, login("alice"));
            KafkaProducer<String, String> p = Cluster.producer(brokers, login("alice", "max.block.ms", "5000"))) {
            say.saw("sees topics", alice.listTopics().names().get().contains(topic));
            say.outcome("describe topic", () -> alice.describeTopics(List.of(topic)).allTopicNames().get());
            say.outcome("produce", () -> p.send(new ProducerRecord<>(topic, "x")).get());
            say.outcome("create a topic", () -> alice.createTopics(List.of(new NewTopic(topic + "-hers", 1, (short) 1))).all().get());
            say.outcome("delete a topic", () -> alice.deleteTopics(List.of(topic)).all().get());
            say.saw("describe ACLs", Main.outcomeOf(() -> alice.describeAcls(AclBindingFilter.ANY).values().get()).replaceAll(":.*", "")); // Kafka prints the request's object
            say.outcome("alter configs", () -> alice.incrementalAlterConfigs(Map.of(new org.apache.kafka.common.config.ConfigResource(org.apache.kafka.common.config.ConfigResource.Type.TOPIC, topic), List.of(
                new org.apache.kafka.clients.admin.AlterConfigOp(new org.apache.kafka.clients.admin.ConfigEntry("retention.ms", "1"), org.apache.kafka.clients.admin.AlterConfigOp.OpType.SET)))).all().get());
            say.outcome("list groups", () -> alice.listGroups().all().get());
            say.outcome("describe the quorum", () -> alice.describeMetadataQuorum().quorumInfo().get());
            say.outcome("transactions", () -> {
                try (KafkaProducer<String, String> t = Cluster.producer(brokers, login("alice", "transactional.id", topic))) {
                    t.initTransactions();
                }
                return null;
            });
            say.outcome("grant", () -> root.createAcls(List.of(grant(ResourceType.TOPIC, topic, AclOperation.WRITE), grant(ResourceType.TOPIC, topic, AclOperation.READ))).all().get());
            Main.until("granted", () -> Main.outcomeOf(() -> p.send(new ProducerRecord<>(topic, "x")).get()).equals("done"));
            say.saw("granted", alice.listTopics().names().get().contains(topic));
            var ops = alice.describeTopics(List.of(topic), new org.apache.kafka.clients.admin.DescribeTopicsOptions().includeAuthorizedOperations(true)).allTopicNames().get().get(topic).authorizedOperations();
            say.saw("authorized operations", ops.stream().map(Enum::name).sorted().toList());
            for (String protocol : List.of("classic", "consumer")) {
                String group = topic + "-" + protocol;
                try (KafkaConsumer<String, String> c = Cluster.consumer(brokers, login("alice", "group.id", group, "group.protocol", protocol))) {
                    c.subscribe(List.of(topic));
                    say.outcome(protocol + ": group", () -> {
                        for (int i = 0; i < 100; i++) {
                            c.poll(Duration.ofMillis(100));
                        }
                        return null;
                    });
                } catch (org.apache.kafka.common.KafkaException e) {
                    say.saw(protocol + ": closed", e.getClass().getSimpleName());
                }
                root.createAcls(List.of(grant(ResourceType.GROUP, group, AclOperation.READ))).all().get();
                Main.until("a group that reads", () -> {
                    try (KafkaConsumer<String, String> c = Cluster.consumer(brokers, login("alice", "group.id", group, "group.protocol", protocol))) {
                        c.subscribe(List.of(topic));
                        for (int i = 0; i < 50; i++) {
                            if (c.poll(Duration.ofMillis(100)).count() > 0) {
                                return true;
                            }
                        }
                        return false;
                    } catch (org.apache.kafka.common.errors.AuthorizationException e) {
                        return false;
                    }
                });
                say.saw(protocol + ": granted", true);
            }
            AclBindingFilter hers = new AclBindingFilter(new ResourcePatternFilter(ResourceType.ANY, null, PatternType.ANY),
                new AccessControlEntryFilter("User:alice", null, AclOperation.ANY, AclPermissionType.ANY));
            say.saw("described", root.describeAcls(hers).values().get().stream().filter(b -> b.pattern().name().startsWith("java-")).map(Object::toString).sorted().toList());
            AclBindingFilter topics = new AclBindingFilter(new ResourcePatternFilter(ResourceType.TOPIC, topic, PatternType.LITERAL), hers.entryFilter());
            say.saw("revoked", root.deleteAcls(List.of(topics)).all().get().stream().map(Object::toString).sorted().toList());
            Main.until("revoked", () -> Main.outcomeOf(() -> p.send(new ProducerRecord<>(topic, "x")).get()).startsWith("TopicAuthorization"));
            say.outcome("ACL for nobody's type", () -> root.createAcls(List.of(new AclBinding(new ResourcePattern(ResourceType.CLUSTER, "elsewhere", PatternType.LITERAL),
                new AccessControlEntry("alice", "*", AclOperation.READ, AclPermissionType.ALLOW)))).all().get());
            say.outcome("a delegation token without a key", () -> root.createDelegationToken(new CreateDelegationTokenOptions()).delegationToken().get());
        }
    }

    private static AclBinding grant(ResourceType type, String name, AclOperation op) {
        return new AclBinding(new ResourcePattern(type, name, PatternType.LITERAL), new AccessControlEntry("User:alice", "*", op, AclPermissionType.ALLOW));
    }
}
