import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.connect.mirror.RemoteClusterUtils;

/** MirrorMaker 2 copies a topic of a cluster, with its configuration and a group's offsets, under another name. */
final class Mirroring {
    private Mirroring() {}

    static void run(String brokers, Main.Say say) throws Exception {
        Cluster.create(brokers, "mirror-orders", 2, Map.of("retention.ms", "7200000"));
        try (Connecting.Worker w = new Connecting.Worker(brokers, "mirror-cluster"); KafkaProducer<String, String> p = Cluster.producer(brokers)) {
            for (int i = 0; i < 20; i++) {
                var r = new ProducerRecord<>("mirror-orders", i % 2, "k" + i, "v" + i);
                r.headers().add("h", Integer.toString(i).getBytes());
                p.send(r).get();
            }
            Map<String, String> common = new HashMap<>(Map.of("source.cluster.alias", "source", "target.cluster.alias", "target", "source.cluster.bootstrap.servers", brokers,
                "target.cluster.bootstrap.servers", brokers, "topics", "mirror-orders", "groups", "mirror-group", "replication.factor", "-1", "tasks.max", "1"));
            common.put("key.converter", "org.apache.kafka.connect.converters.ByteArrayConverter");
            common.put("value.converter", "org.apache.kafka.connect.converters.ByteArrayConverter");
            common.put("offset-syncs.topic.replication.factor", "3");
            common.put("checkpoints.topic.replication.factor", "3");
            common.put("emit.checkpoints.interval.seconds", "1");
            common.put("sync.group.offsets.enabled", "true");
            common.put("sync.group.offsets.interval.seconds", "1");
            common.put("refresh.topics.interval.seconds", "2");
            common.put("refresh.groups.interval.seconds", "2");
            common.put("sync.topic.configs.interval.seconds", "2");
            common.put("offset.lag.max", "0");
            Map<String, String> source = new HashMap<>(common);
            source.put("connector.class", "org.apache.kafka.connect.mirror.MirrorSourceConnector");
            w.start("mirror", source);
            Main.until("the copy", () -> {
                try (Admin a = Cluster.admin(brokers)) {
                    return a.listTopics().names().get().contains("source.mirror-orders");
                }
            });
            Main.until("twenty records", () -> Cluster.read(brokers, "source.mirror-orders").size() == 20);
            say.saw("copied", Cluster.read(brokers, "source.mirror-orders").stream().map(r -> List.of(r.partition(), r.offset(), r.key(), r.value(),
                new String(r.headers().lastHeader("h").value()))).toList());
            ConfigResource copy = new ConfigResource(ConfigResource.Type.TOPIC, "source.mirror-orders");
            try (Admin a = Cluster.admin(brokers)) {
                Main.until("its configuration", () -> "7200000".equals(a.describeConfigs(List.of(copy)).all().get().get(copy).get("retention.ms").value()));
                say.saw("configuration", a.describeConfigs(List.of(copy)).all().get().get(copy).get("retention.ms").value());
            }
            TopicPartition tp = new TopicPartition("mirror-orders", 0);
            try (KafkaConsumer<String, String> c = Cluster.consumer(brokers, "group.id", "mirror-group")) {
                c.assign(List.of(tp));
                c.commitSync(Map.of(tp, new OffsetAndMetadata(10)));
            }
            Map<String, String> checkpoint = new HashMap<>(common);
            checkpoint.put("connector.class", "org.apache.kafka.connect.mirror.MirrorCheckpointConnector");
            w.start("checkpoint", checkpoint);
            TopicPartition remote = new TopicPartition("source.mirror-orders", 0);
            Map<String, Object> translate = Map.of("bootstrap.servers", brokers);
            Map<TopicPartition, OffsetAndMetadata> found = new HashMap<>();
            Main.until("a checkpoint", () -> {
                var t = RemoteClusterUtils.translateOffsets(translate, "source", "mirror-group", java.time.Duration.ofSeconds(10));
                found.putAll(t);
                return t.containsKey(remote) && t.get(remote).offset() == 10;
            });
            Map<String, Object> shown = new TreeMap<>();
            found.forEach((k, v) -> shown.put(k.toString(), v.offset()));
            say.saw("translated", shown);
            Map<String, String> heartbeat = new HashMap<>(common);
            heartbeat.put("connector.class", "org.apache.kafka.connect.mirror.MirrorHeartbeatConnector");
            heartbeat.put("emit.heartbeats.interval.seconds", "1");
            heartbeat.put("heartbeats.topic.replication.factor", "3");
            w.start("heartbeat", heartbeat);
            Main.until("a heartbeat", () -> {
                try (Admin a = Cluster.admin(brokers)) {
                    return a.listTopics().names().get().contains("heartbeats") && !Cluster.read(brokers, "heartbeats").isEmpty();
                }
            });
            say.saw("heartbeat", true);
        }
    }
}
