import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** What scripts do with a cluster again and again. */
final class Cluster {
    private Cluster() {}

    static Map<String, Object> settings(String brokers, Object... more) {
        Map<String, Object> s = new HashMap<>();
        s.put("bootstrap.servers", brokers);
        for (int i = 0; i < more.length; i += 2) {
            s.put((String) more[i], more[i + 1]);
        }
        return s;
    }

    static Admin admin(String brokers, Object... more) {
        return Admin.create(settings(brokers, more));
    }

    static KafkaProducer<String, String> producer(String brokers, Object... more) {
        return new KafkaProducer<>(settings(brokers, more), new StringSerializer(), new StringSerializer());
    }

    static KafkaConsumer<String, String> consumer(String brokers, Object... more) {
        Map<String, Object> s = settings(brokers, more);
        s.putIfAbsent("enable.auto.commit", "false");
        s.putIfAbsent("auto.offset.reset", "earliest");
        return new KafkaConsumer<>(s, new StringDeserializer(), new StringDeserializer());
    }

    /** Creates a topic and waits until every broker knows the leaders of its partitions. */
    static void create(String brokers, String topic, int partitions, Map<String, String> configs, Object... more) throws Exception {
        try (Admin a = admin(brokers, more)) {
            a.createTopics(List.of(new NewTopic(topic, partitions, (short) -1).configs(configs))).all().get();
            int nodes = a.describeCluster().nodes().get().size();
            for (int n = 0; n < 5 * nodes; n++) {
                Main.until(topic, () -> {
                    try {
                        var d = a.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
                        return d.partitions().size() == partitions && d.partitions().stream().allMatch(p -> p.leader() != null);
                    } catch (java.util.concurrent.ExecutionException e) {
                        return false;
                    }
                });
            }
        }
    }

    static void create(String brokers, String topic, int partitions) throws Exception {
        create(brokers, topic, partitions, Map.of());
    }

    /** Everything that a topic holds, by partition and offset. */
    static List<ConsumerRecord<String, String>> read(String brokers, String topic, Object... more) {
        try (KafkaConsumer<String, String> c = consumer(brokers, more)) {
            List<TopicPartition> parts = c.partitionsFor(topic).stream().map(p -> new TopicPartition(topic, p.partition())).toList();
            c.assign(parts);
            c.seekToBeginning(parts);
            Map<TopicPartition, Long> ends = c.endOffsets(parts);
            List<ConsumerRecord<String, String>> all = new ArrayList<>();
            long deadline = System.nanoTime() + Duration.ofSeconds(60).toNanos();
            while (parts.stream().anyMatch(p -> c.position(p) < ends.get(p))) {
                c.poll(Duration.ofMillis(200)).forEach(all::add);
                if (System.nanoTime() > deadline) {
                    throw new IllegalStateException("nothing more of " + topic + " after " + all.size() + " records");
                }
            }
            all.sort(Comparator.comparingInt((ConsumerRecord<String, String> r) -> r.partition()).thenComparingLong(ConsumerRecord::offset));
            return all;
        }
    }

    /** What a group has committed, by partition; -1 where it has nothing. */
    static List<Long> committed(String brokers, String group, String topic, int partitions) throws Exception {
        try (Admin a = admin(brokers)) {
            var offsets = a.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
            return IntStream.range(0, partitions).mapToObj(p -> {
                var o = offsets.get(new TopicPartition(topic, p));
                return o == null ? -1 : o.offset();
            }).toList();
        }
    }

    static Map<String, Object> sorted(Map<?, ?> m) {
        Map<String, Object> s = new TreeMap<>();
        m.forEach((k, v) -> s.put(String.valueOf(k), v));
        return s;
    }
}
