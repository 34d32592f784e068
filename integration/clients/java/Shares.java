import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListShareGroupOffsetsSpec;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Share groups (KIP-932): records that are accepted, released and rejected one by one, by several members of one partition. */
final class Shares {
    private Shares() {}

    private static KafkaShareConsumer<String, String> member(String brokers, String group, String mode) {
        return new KafkaShareConsumer<>(Cluster.settings(brokers, "group.id", group, "share.acknowledgement.mode", mode), new StringDeserializer(), new StringDeserializer());
    }

    static void run(String brokers, Main.Say say) throws Exception {
        String topic = "java-shares";
        Cluster.create(brokers, topic, 1);
        try (Admin a = Cluster.admin(brokers); KafkaProducer<String, String> p = Cluster.producer(brokers)) {
            for (String group : List.of(topic + "-explicit", topic + "-implicit")) {
                ConfigResource r = new ConfigResource(ConfigResource.Type.GROUP, group);
                a.incrementalAlterConfigs(Map.of(r, List.of(new AlterConfigOp(new ConfigEntry("share.auto.offset.reset", "earliest"), AlterConfigOp.OpType.SET)))).all().get();
                Main.until("the setting", () -> "earliest".equals(a.describeConfigs(List.of(r)).all().get().get(r).get("share.auto.offset.reset").value()));
            }
            for (int i = 0; i < 10; i++) {
                p.send(new ProducerRecord<>(topic, "k" + i, "v" + i)).get();
            }
            explicit(brokers, a, say, topic);
            implicit(brokers, a, p, say, topic);
        }
    }

    /** Even ones are accepted, odd ones released once and then accepted, the last one is rejected. */
    private static void explicit(String brokers, Admin a, Main.Say say, String topic) throws Exception {
        String group = topic + "-explicit";
        Map<String, List<Integer>> deliveries = new TreeMap<>();
        Set<String> accepted = ConcurrentHashMap.newKeySet();
        try (KafkaShareConsumer<String, String> c = member(brokers, group, "explicit")) {
            c.subscribe(List.of(topic));
            Main.until("all accepted", () -> {
                for (var r : c.poll(Duration.ofMillis(200))) {
                    deliveries.computeIfAbsent(r.key(), k -> new ArrayList<>()).add((int) r.deliveryCount().orElse((short) 0));
                    int n = Integer.parseInt(r.key().substring(1));
                    if (n == 9) {
                        c.acknowledge(r, AcknowledgeType.REJECT);
                    } else if (n % 2 == 1 && r.deliveryCount().orElse((short) 0) == 1) {
                        c.acknowledge(r, AcknowledgeType.RELEASE);
                    } else {
                        c.acknowledge(r, AcknowledgeType.ACCEPT);
                        accepted.add(r.key());
                    }
                }
                var answers = c.commitSync();
                for (var e : answers.entrySet()) {
                    if (e.getValue().isPresent()) {
                        throw new IllegalStateException(e.toString());
                    }
                }
                return accepted.size() == 9;
            });
            var d = a.describeShareGroups(List.of(group)).all().get().get(group);
            say.saw("described", List.of(d.groupState().toString(), d.members().size(), d.members().iterator().next().assignment().topicPartitions().toString()));
            say.saw("listed", a.listGroups().all().get().stream().filter(g -> g.groupId().equals(group)).map(g -> List.of(g.type().get().toString(), g.protocol(), g.groupState().get().toString())).toList());
        }
        say.saw("deliveries", deliveries);
        TopicPartition tp = new TopicPartition(topic, 0);
        // Its start is written down with the next change only; what is left is known at once.
        Main.until("no lag", () -> a.listShareGroupOffsets(Map.of(group, new ListShareGroupOffsetsSpec())).partitionsToOffsetInfo(group).get().get(tp).lag().orElse(-1L) == 0);
        say.saw("lag", 0);
        say.outcome("alter its offset", () -> a.alterShareGroupOffsets(group, Map.of(tp, 4L)).all().get());
        say.saw("altered", a.listShareGroupOffsets(Map.of(group, new ListShareGroupOffsetsSpec())).partitionsToOffsetInfo(group).get().get(tp).startOffset());
        say.outcome("delete", () -> a.deleteShareGroups(List.of(group)).all().get());
        say.outcome("delete it again", () -> a.deleteShareGroups(List.of(group)).all().get());
    }

    /** Two members share one partition; each record goes to one of them. */
    private static void implicit(String brokers, Admin a, KafkaProducer<String, String> p, Main.Say say, String topic) throws Exception {
        String group = topic + "-implicit";
        Map<String, Integer> seen = new ConcurrentHashMap<>();
        List<Throwable> failed = new ArrayList<>();
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            Thread t = new Thread(() -> {
                try (KafkaShareConsumer<String, String> c = member(brokers, group, "implicit")) {
                    c.subscribe(List.of(topic));
                    while (!Thread.currentThread().isInterrupted() && seen.size() < 110) {
                        c.poll(Duration.ofMillis(100)).forEach(r -> seen.merge(r.value(), 1, Integer::sum));
                    }
                } catch (Throwable e) {
                    failed.add(e);
                }
            });
            t.start();
            threads.add(t);
        }
        Main.until("two members", () -> {
            try {
                return a.describeShareGroups(List.of(group)).all().get().get(group).members().size() == 2;
            } catch (java.util.concurrent.ExecutionException e) {
                return false; // nobody has joined yet
            }
        });
        for (int i = 10; i < 110; i++) {
            p.send(new ProducerRecord<>(topic, "k" + i, "v" + i)).get();
        }
        for (Thread t : threads) {
            t.join(60_000);
        }
        say.saw("shared", List.of(seen.size(), failed.toString()));
    }
}
