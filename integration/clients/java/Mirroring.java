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

/** MirrorMaker 2 copies a topic, with its configuration and a group's offsets, to another name on the same cluster or on another one. */
final class Mirroring {
    private Mirroring() {}

    static void run(String brokers, Main.Say say) throws Exception {
        copy(brokers, brokers, "mirror", say);
    }

    /** From the cluster whose addresses the program is given to the one whose addresses it has in its environment. */
    static void across(String brokers, Main.Say say) throws Exception {
        copy(brokers, System.getenv("ACROSS_TO"), "across", say);
    }

    private static void copy(String from, String to, String name, Main.Say say) throws Exception {
        String topic = name + "-orders", copied = "source." + topic, group = name + "-group";
        Cluster.create(from, topic, 2, Map.of("retention.ms", "7200000"));
        try (Connecting.Worker w = new Connecting.Worker(to, name + "-cluster"); KafkaProducer<String, String> p = Cluster.producer(from)) {
            for (int i = 0; i < 20; i++) {
                var r = new ProducerRecord<>(topic, i % 2, "k" + i, "v" + i);
                r.headers().add("h", Integer.toString(i).getBytes());
                p.send(r).get();
            }
            Map<String, String> common = new HashMap<>(Map.of("source.cluster.alias", "source", "target.cluster.alias", "target", "source.cluster.bootstrap.servers", from,
                "target.cluster.bootstrap.servers", to, "topics", topic, "groups", group, "replication.factor", "-1", "tasks.max", "1"));
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
                try (Admin a = Cluster.admin(to)) {
                    return a.listTopics().names().get().contains(copied);
                }
            });
            Main.until("twenty records", () -> Cluster.read(to, copied).size() == 20);
            say.saw("copied", Cluster.read(to, copied).stream().map(r -> List.of(r.partition(), r.offset(), r.key(), r.value(),
                new String(r.headers().lastHeader("h").value()))).toList());
            ConfigResource copy = new ConfigResource(ConfigResource.Type.TOPIC, copied);
            try (Admin a = Cluster.admin(to)) {
                Main.until("its configuration", () -> "7200000".equals(a.describeConfigs(List.of(copy)).all().get().get(copy).get("retention.ms").value()));
                say.saw("configuration", a.describeConfigs(List.of(copy)).all().get().get(copy).get("retention.ms").value());
            }
            TopicPartition tp = new TopicPartition(topic, 0);
            try (KafkaConsumer<String, String> c = Cluster.consumer(from, "group.id", group)) {
                c.assign(List.of(tp));
                c.commitSync(Map.of(tp, new OffsetAndMetadata(10)));
            }
            Map<String, String> checkpoint = new HashMap<>(common);
            checkpoint.put("connector.class", "org.apache.kafka.connect.mirror.MirrorCheckpointConnector");
            w.start("checkpoint", checkpoint);
            TopicPartition remote = new TopicPartition(copied, 0);
            Map<String, Object> translate = Map.of("bootstrap.servers", to);
            Map<TopicPartition, OffsetAndMetadata> found = new HashMap<>();
            Main.until("a checkpoint", () -> {
                var t = RemoteClusterUtils.translateOffsets(translate, "source", group, java.time.Duration.ofSeconds(10));
                found.putAll(t);
                return t.containsKey(remote) && t.get(remote).offset() == 10;
            });
            Map<String, Object> shown = new TreeMap<>();
            found.forEach((k, v) -> shown.put(k.toString(), v.offset()));
            say.saw("translated", shown);
            Main.until("the group's offset", () -> Cluster.committed(to, group, copied, 2).get(0) == 10); // who reads on over there goes on from here
            say.saw("synchronised", Cluster.committed(to, group, copied, 2));
            Map<String, String> heartbeat = new HashMap<>(common);
            heartbeat.put("connector.class", "org.apache.kafka.connect.mirror.MirrorHeartbeatConnector");
            heartbeat.put("emit.heartbeats.interval.seconds", "1");
            heartbeat.put("heartbeats.topic.replication.factor", "3");
            w.start("heartbeat", heartbeat);
            Main.until("a heartbeat", () -> {
                try (Admin a = Cluster.admin(to)) {
                    return a.listTopics().names().get().contains("heartbeats") && !Cluster.read(to, "heartbeats").isEmpty();
                }
            });
            say.saw("heartbeat", true);
        }
    }
}
