import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;

/** What goes wrong on the broker's side, and what the client says of it. */
final class Errors {
    private Errors() {}

    static void run(String brokers, Main.Say say) throws Exception {
        String topic = "java-errors";
        Cluster.create(brokers, topic, 1, Map.of("max.message.bytes", "1000"));
        Cluster.create(brokers, topic + "-compact", 1, Map.of("cleanup.policy", "compact"));
        Cluster.create(brokers, topic + "-isr", 1, Map.of("min.insync.replicas", "4"));
        Cluster.create(brokers, topic + "-times", 1, Map.of("message.timestamp.before.max.ms", "1000", "message.timestamp.after.max.ms", "1000"));
        try (KafkaProducer<String, String> hasty = Cluster.producer(brokers, "max.block.ms", "3000")) {
            say.outcome("unknown topic", () -> hasty.send(new ProducerRecord<>(topic + "-unknown", "x")).get());
        }
        try (KafkaProducer<String, String> p = Cluster.producer(brokers, "max.request.size", "5000000")) {
            say.outcome("too large", () -> p.send(new ProducerRecord<>(topic, "x".repeat(2000))).get());
            say.outcome("bad topic name", () -> p.send(new ProducerRecord<>("no/slash", "x")).get());
            say.outcome("no key on a compacted topic", () -> p.send(new ProducerRecord<>(topic + "-compact", "x")).get());
            say.outcome("more in sync than replicas", () -> p.send(new ProducerRecord<>(topic + "-isr", "x")).get());
            try { // the text tells the time
                p.send(new ProducerRecord<>(topic + "-times", 0, 1_000L, "k", "old")).get();
                say.saw("an old timestamp", "taken");
            } catch (java.util.concurrent.ExecutionException e) {
                say.saw("an old timestamp", e.getCause().getClass().getSimpleName());
            }
        }
        try (Admin a = Cluster.admin(brokers)) {
            for (var c : List.of(
                Map.entry("exists", new NewTopic(topic, 1, (short) 1)), Map.entry("bad name", new NewTopic("no/slash", 1, (short) 1)), Map.entry("empty name", new NewTopic("", 1, (short) 1)),
                Map.entry("dots", new NewTopic("..", 1, (short) 1)), Map.entry("long name", new NewTopic("x".repeat(250), 1, (short) 1)), Map.entry("no partitions", new NewTopic(topic + "-0", 0, (short) 1)),
                Map.entry("replication 7", new NewTopic(topic + "-7", 1, (short) 7)), Map.entry("replication 0", new NewTopic(topic + "-7", 1, (short) 0)),
                Map.entry("unknown broker", new NewTopic(topic + "-b", Map.of(0, List.of(99)))), Map.entry("a broker twice", new NewTopic(topic + "-b", Map.of(0, List.of(1, 1)))),
                Map.entry("gap in partitions", new NewTopic(topic + "-b", Map.of(1, List.of(1)))), Map.entry("uneven replicas", new NewTopic(topic + "-b", new java.util.TreeMap<>(Map.of(0, List.of(1), 1, List.of(1, 2))))),
                Map.entry("unknown config", new NewTopic(topic + "-c", 1, (short) 1).configs(Map.of("no.such.config", "1"))),
                Map.entry("illegal config", new NewTopic(topic + "-c", 1, (short) 1).configs(Map.of("retention.ms", "soon"))),
                Map.entry("out of range", new NewTopic(topic + "-c", 1, (short) 1).configs(Map.of("segment.bytes", "1"))),
                Map.entry("illegal policy", new NewTopic(topic + "-c", 1, (short) 1).configs(Map.of("cleanup.policy", "shred"))),
                Map.entry("too many", new NewTopic(topic + "-many", 100_000, (short) 1)),
                Map.entry("collides", new NewTopic(topic.replace('-', '.') + "_x", Optional.of(1), Optional.empty())))) {
                say.outcome("create: " + c.getKey(), () -> a.createTopics(List.of(c.getValue())).all().get());
            }
            say.outcome("create: collides now", () -> a.createTopics(List.of(new NewTopic(topic.replace('-', '.') + ".x", 1, (short) 1))).all().get());
            for (var c : List.of(Map.entry("illegal", new AlterConfigOp(new ConfigEntry("retention.ms", "soon"), AlterConfigOp.OpType.SET)),
                Map.entry("unknown", new AlterConfigOp(new ConfigEntry("no.such.config", "1"), AlterConfigOp.OpType.SET)),
                Map.entry("append to no list", new AlterConfigOp(new ConfigEntry("retention.ms", "1"), AlterConfigOp.OpType.APPEND)))) {
                for (ConfigResource r : List.of(new ConfigResource(ConfigResource.Type.TOPIC, topic), new ConfigResource(ConfigResource.Type.TOPIC, topic + "-unknown"),
                    new ConfigResource(ConfigResource.Type.BROKER, "1"), new ConfigResource(ConfigResource.Type.GROUP, "g"))) {
                    if (r.type() == ConfigResource.Type.BROKER && c.getKey().equals("unknown")) {
                        continue; // Kafka keeps what it does not know of a broker
                    }
                    say.outcome("alter " + r.type() + " " + r.name() + ": " + c.getKey(), () -> a.incrementalAlterConfigs(Map.of(r, List.of(c.getValue()))).all().get());
                }
            }
            say.outcome("describe an unknown topic", () -> a.describeTopics(List.of(topic + "-unknown")).allTopicNames().get());
            say.outcome("configs of an unknown topic", () -> {
                ConfigResource r = new ConfigResource(ConfigResource.Type.TOPIC, topic + "-unknown");
                return a.describeConfigs(List.of(r)).all().get();
            });
            say.outcome("more partitions of an unknown topic", () -> a.createPartitions(Map.of(topic + "-unknown", NewPartitions.increaseTo(3))).all().get());
            say.outcome("more partitions, wrong assignment", () -> a.createPartitions(Map.of(topic, NewPartitions.increaseTo(3, List.of(List.of(1))))).all().get());
            say.saw("offsets of an unknown partition", Main.outcomeOf(() -> a.listOffsets(Map.of(new TopicPartition(topic, 5), OffsetSpec.latest()),
                new org.apache.kafka.clients.admin.ListOffsetsOptions(org.apache.kafka.common.IsolationLevel.READ_UNCOMMITTED).timeoutMs(3000)).all().get()).replaceAll(":.*", ""));
            say.outcome("offsets of an unknown group", () -> a.alterConsumerGroupOffsets(topic + "-none", Map.of(new TopicPartition(topic + "-unknown", 0), new OffsetAndMetadata(1))).all().get());
            var seen = ConcurrentHashMap.<String>newKeySet();
            try (Groups.Member m = new Groups.Member(brokers, topic + "-group", topic, seen)) {
                Main.until("a member", () -> m.owns == 1);
                say.outcome("delete a group that has a member", () -> a.deleteConsumerGroups(List.of(topic + "-group")).all().get());
                say.outcome("alter its offsets", () -> a.alterConsumerGroupOffsets(topic + "-group", Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(0))).all().get());
            }
        }
        try (KafkaConsumer<String, String> c = Cluster.consumer(brokers, "group.id", topic + "-reader", "auto.offset.reset", "none", "default.api.timeout.ms", "3000")) {
            TopicPartition tp = new TopicPartition(topic, 0);
            c.assign(List.of(tp));
            say.outcome("no offset", () -> polled(c));
            c.seek(tp, 999);
            say.saw("offset out of range", Main.outcomeOf(() -> polled(c)).replaceAll(":.*", "")); // it names the leader
            say.outcome("too much metadata", () -> {
                c.commitSync(Map.of(tp, new OffsetAndMetadata(0, "x".repeat(5000))));
                return null;
            });
            say.outcome("partitions of an unknown topic", () -> {
                if (c.partitionsFor(topic + "-unknown").isEmpty()) {
                    throw new IllegalStateException("none");
                }
                return null;
            });
        }
        for (String protocol : List.of("classic", "consumer")) {
            try (KafkaConsumer<String, String> c = Cluster.consumer(brokers, "group.id", "", "group.protocol", protocol)) {
                c.subscribe(List.of(topic));
                say.outcome(protocol + ": empty group", () -> polled(c));
            } catch (org.apache.kafka.common.KafkaException e) {
                say.saw(protocol + ": empty group", String.valueOf(e.getCause()));
            }
        }
        String group = topic + "-mixed";
        var seen = ConcurrentHashMap.<String>newKeySet();
        try (Groups.Member m = new Groups.Member(brokers, group, topic, seen, "session.timeout.ms", "100000000")) {
            Main.until("refused", () -> m.failed != null);
            say.saw("session timeout", String.valueOf(m.failed));
        } catch (IllegalStateException e) {
            say.saw("closed", "with it");
        }
    }

    private static Object polled(KafkaConsumer<String, String> c) {
        for (int i = 0; i < 100; i++) {
            c.poll(Duration.ofMillis(100));
        }
        return null;
    }
}
