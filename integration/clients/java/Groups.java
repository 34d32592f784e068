import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.GroupState;

/** Groups whose members come and go while records flow, under both protocols. */
final class Groups {
    private Groups() {}

    /** Writes records, one after another, until it is closed. */
    static final class Flow implements AutoCloseable {
        final AtomicInteger sent = new AtomicInteger();
        final Set<String> acked = ConcurrentHashMap.newKeySet();
        final Set<String> failed = ConcurrentHashMap.newKeySet();
        private final KafkaProducer<String, String> producer;
        private final Thread thread;
        private volatile boolean stop;

        Flow(String brokers, String topic, int partitions) {
            producer = Cluster.producer(brokers, "linger.ms", "1");
            thread = new Thread(() -> {
                while (!stop) {
                    int n = sent.getAndIncrement();
                    String value = Integer.toString(n);
                    producer.send(new ProducerRecord<>(topic, n % partitions, null, value), (m, e) -> {
                        if (e == null) {
                            acked.add(value);
                        } else {
                            failed.add(e.getClass().getSimpleName());
                        }
                    });
                    try {
                        Thread.sleep(5);
                    } catch (InterruptedException e) {
                        return;
                    }
                }
            });
            thread.start();
        }

        @Override
        public void close() throws InterruptedException {
            stop = true;
            thread.join();
            producer.close();
        }
    }

    /** Reads as a member of a group, and commits what it has read, until it is closed. */
    static final class Member implements AutoCloseable {
        volatile int owns;
        volatile Throwable failed;
        private volatile boolean stop;
        private final Thread thread;

        Member(String brokers, String group, String topic, Set<String> seen, Object... settings) {
            KafkaConsumer<String, String> c = Cluster.consumer(brokers, settings(group, settings));
            thread = new Thread(() -> {
                try (c) {
                    c.subscribe(List.of(topic));
                    while (!stop) {
                        for (ConsumerRecord<String, String> r : c.poll(Duration.ofMillis(50))) {
                            seen.add(r.value());
                        }
                        owns = c.assignment().size();
                        c.commitAsync();
                    }
                    c.commitSync();
                } catch (Throwable e) {
                    failed = e;
                }
            });
            thread.start();
        }

        private static Object[] settings(String group, Object... more) {
            Object[] all = new Object[more.length + 2];
            all[0] = "group.id";
            all[1] = group;
            System.arraycopy(more, 0, all, 2, more.length);
            return all;
        }

        @Override
        public void close() throws Exception {
            stop = true;
            thread.join();
            if (failed != null) {
                throw new IllegalStateException(failed);
            }
        }
    }

    static void classic(String brokers, Main.Say say) throws Exception {
        for (String assignor : List.of("Range", "RoundRobin", "CooperativeSticky")) {
            String name = "org.apache.kafka.clients.consumer." + assignor + "Assignor";
            rebalance(brokers, say, assignor, "java-groups-" + assignor.toLowerCase(), "partition.assignment.strategy", name, "group.protocol", "classic", "heartbeat.interval.ms", "300");
        }
        staticMember(brokers, say);
    }

    static void consumerProtocol(String brokers, Main.Say say) throws Exception {
        rebalance(brokers, say, "uniform", "java-consumer-protocol", "group.protocol", "consumer");
        rebalance(brokers, say, "range", "java-consumer-protocol-range", "group.protocol", "consumer", "group.remote.assignor", "range");
        pattern(brokers, say);
    }

    private static void rebalance(String brokers, Main.Say say, String what, String topic, Object... settings) throws Exception {
        Cluster.create(brokers, topic, 4);
        Set<String> seen = ConcurrentHashMap.newKeySet();
        try (Admin admin = Cluster.admin(brokers); Member first = new Member(brokers, topic, topic, seen, settings)) {
            Flow flow = new Flow(brokers, topic, 4);
            try (flow) {
                Main.until("one member", () -> first.owns == 4 && seen.size() > 20);
                say.saw(what + ": one member", first.owns);
                try (Member second = new Member(brokers, topic, topic, seen, settings)) {
                    Main.until("two members", () -> first.owns == 2 && second.owns == 2);
                    say.saw(what + ": two members", List.of(first.owns, second.owns));
                    int before = seen.size();
                    Main.until("two members read", () -> seen.size() > before + 20);
                    Main.until("a stable group", () -> { // members tell the coordinator a heartbeat later what they have taken
                        var d = admin.describeConsumerGroups(List.of(topic)).all().get().get(topic);
                        return d.groupState() == GroupState.STABLE && d.members().stream().map(m -> m.assignment().topicPartitions().size()).toList().equals(List.of(2, 2));
                    });
                    var d = admin.describeConsumerGroups(List.of(topic)).all().get().get(topic);
                    say.saw(what + ": described", List.of(d.groupState().toString(), d.type().toString(), d.partitionAssignor(), d.isSimpleConsumerGroup(),
                        d.members().stream().map(m -> m.assignment().topicPartitions().size()).sorted().toList(),
                        d.members().stream().map(m -> m.host()).distinct().toList()));
                }
                Main.until("one left", () -> first.owns == 4);
                say.saw(what + ": one left", first.owns);
            }
            say.saw(what + ": failed", flow.failed);
            Main.until("all read", () -> seen.containsAll(flow.acked));
            say.saw(what + ": all read", seen.size() == flow.sent.get());
            // While it reads: what was read before the last rebalance and not committed is read once more.
            Main.until("committed all", () -> Cluster.committed(brokers, topic, topic, 4).stream().mapToLong(Long::longValue).sum() == flow.sent.get());
            say.saw(what + ": committed all", true);
            first.stop = true;
            first.thread.join();
            Main.until("left", () -> admin.describeConsumerGroups(List.of(topic)).all().get().get(topic).groupState() == GroupState.EMPTY);
            say.saw(what + ": left", GroupState.EMPTY.toString());
        }
    }

    /** A static member keeps what it had over its own restart. */
    private static void staticMember(String brokers, Main.Say say) throws Exception {
        String topic = "java-groups-static";
        Cluster.create(brokers, topic, 2);
        Set<String> seen = Collections.newSetFromMap(new ConcurrentHashMap<>());
        Object[] settings = {"group.instance.id", "one", "group.protocol", "classic", "session.timeout.ms", "10000", "heartbeat.interval.ms", "300"};
        try (Admin admin = Cluster.admin(brokers)) {
            String before;
            try (Member m = new Member(brokers, topic, topic, seen, settings)) {
                Main.until("a member", () -> m.owns == 2);
                var d = admin.describeConsumerGroups(List.of(topic)).all().get().get(topic);
                say.saw("static: instance", d.members().stream().map(x -> x.groupInstanceId().orElse("none")).toList());
                before = d.members().iterator().next().consumerId();
            }
            say.saw("static: gone", admin.describeConsumerGroups(List.of(topic)).all().get().get(topic).members().size());
            try (Member m = new Member(brokers, topic, topic, seen, settings)) {
                Main.until("a member", () -> m.owns == 2);
                var d = admin.describeConsumerGroups(List.of(topic)).all().get().get(topic);
                say.saw("static: back with another id", !before.equals(d.members().iterator().next().consumerId()));
            }
            var removed = admin.removeMembersFromConsumerGroup(topic, new org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions(
                Set.of(new org.apache.kafka.clients.admin.MemberToRemove("one"))));
            say.outcome("static: removed", () -> removed.all().get());
            Main.until("empty", () -> admin.describeConsumerGroups(List.of(topic)).all().get().get(topic).groupState() == GroupState.EMPTY);
            say.saw("static: after", GroupState.EMPTY.toString());
        }
    }

    /** Under KIP-848 the broker matches regular expressions of RE2/J. */
    private static void pattern(String brokers, Main.Say say) throws Exception {
        for (String t : List.of("java-pattern-a", "java-pattern-b")) {
            Cluster.create(brokers, t, 1);
        }
        try (KafkaConsumer<String, String> c = Cluster.consumer(brokers, "group.id", "java-pattern", "group.protocol", "consumer", "metadata.max.age.ms", "1000")) {
            c.subscribe(new org.apache.kafka.clients.consumer.SubscriptionPattern("java-pattern-.*"));
            Main.until("both topics", () -> {
                c.poll(Duration.ofMillis(50));
                return c.assignment().size() == 2;
            });
            say.saw("pattern", new TreeSet<>(c.assignment().stream().map(Object::toString).toList()));
            c.subscribe(new org.apache.kafka.clients.consumer.SubscriptionPattern("java-pattern-("));
            say.outcome("bad pattern", () -> {
                for (int i = 0; i < 100; i++) {
                    c.poll(Duration.ofMillis(100));
                }
                return null;
            });
            c.unsubscribe();
        }
        try (KafkaConsumer<String, String> c = Cluster.consumer(brokers, "group.id", "java-pattern", "group.protocol", "consumer", "group.remote.assignor", "none-such")) {
            c.subscribe(List.of("java-pattern-a"));
            say.outcome("unknown assignor", () -> {
                for (int i = 0; i < 100; i++) {
                    c.poll(Duration.ofMillis(100));
                }
                return null;
            });
            c.unsubscribe();
        }
    }
}
