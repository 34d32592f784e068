import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.*;

/** What a user of KafkaShareConsumer does, and of Admin with share groups. Prints what it saw, one fact a line. Arguments: brokers, settings file. */
public class Shares {
    static Properties clients = new Properties();

    static Map<String, Object> props(Object... more) {
        Map<String, Object> m = new HashMap<>();
        clients.forEach((k, v) -> m.put((String) k, v));
        m.put("key.deserializer", StringDeserializer.class);
        m.put("value.deserializer", StringDeserializer.class);
        m.put("key.serializer", StringSerializer.class);
        m.put("value.serializer", StringSerializer.class);
        for (int i = 0; i < more.length; i += 2) {
            m.put((String) more[i], more[i + 1]);
        }
        return m;
    }

    static KafkaShareConsumer<String, String> consumer(String group, String mode, Object... more) {
        Map<String, Object> m = props(more);
        m.put("group.id", group);
        m.put("share.acknowledgement.mode", mode);
        return new KafkaShareConsumer<>(m);
    }

    static void set(Admin admin, String group, String... kv) throws Exception {
        List<AlterConfigOp> ops = new ArrayList<>();
        for (int i = 0; i < kv.length; i += 2) {
            ops.add(new AlterConfigOp(new ConfigEntry(kv[i], kv[i + 1]), AlterConfigOp.OpType.SET));
        }
        admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.GROUP, group), ops)).all().get();
    }

    static List<ConsumerRecord<String, String>> take(KafkaShareConsumer<String, String> c, int n) {
        List<ConsumerRecord<String, String>> got = new ArrayList<>();
        long end = System.nanoTime() + 40_000_000_000L;
        while (got.size() < n && System.nanoTime() < end) {
            c.poll(Duration.ofMillis(500)).forEach(got::add);
        }
        return got;
    }

    static String values(List<ConsumerRecord<String, String>> rs) {
        StringBuilder b = new StringBuilder();
        for (ConsumerRecord<String, String> r : rs) {
            b.append(' ').append(r.value()).append('x').append(r.deliveryCount().orElse((short) 0));
        }
        return b.toString().trim();
    }

    static String commit(KafkaShareConsumer<String, String> c) {
        StringBuilder b = new StringBuilder();
        c.commitSync(Duration.ofSeconds(20)).forEach((tp, e) -> b.append(tp.topicPartition()).append('=').append(e.map(x -> x.getClass().getSimpleName()).orElse("ok")).append(' '));
        return b.toString().trim();
    }

    public static void main(String[] args) throws Exception {
        try (InputStream in = Files.newInputStream(Path.of(args[1]))) {
            clients.load(in);
        }
        clients.setProperty("bootstrap.servers", args[0]);
        try (Admin admin = Admin.create(props()); KafkaProducer<String, String> p = new KafkaProducer<>(props("enable.idempotence", true, "linger.ms", 0))) {
            admin.createTopics(List.of(new NewTopic("share", 1, (short) 3), new NewTopic("wide", 4, (short) 3))).all().get();
            set(admin, "g", "share.auto.offset.reset", "earliest");
            for (int i = 0; i < 6; i++) {
                p.send(new ProducerRecord<>("share", "k" + i, "v" + i)).get();
            }
            try (KafkaShareConsumer<String, String> c = consumer("g", "explicit")) {
                c.subscribe(List.of("share"));
                List<ConsumerRecord<String, String>> got = take(c, 1);
                while (got.size() < 6) {
                    for (ConsumerRecord<String, String> r : got) { // each must be acknowledged before the next poll
                        c.acknowledge(r, AcknowledgeType.RELEASE);
                    }
                    got = take(c, 1);
                }
                System.out.println("first: " + values(got).replaceAll("x\\d", ""));
                AcknowledgeType[] types = {AcknowledgeType.ACCEPT, AcknowledgeType.RELEASE, AcknowledgeType.REJECT, AcknowledgeType.ACCEPT, AcknowledgeType.RELEASE, AcknowledgeType.ACCEPT};
                for (int i = 0; i < 6; i++) c.acknowledge(got.get(i), types[i]);
                System.out.println("commit: " + commit(c));
                got = take(c, 2);
                System.out.println("again: " + values(got).replaceAll("x\\d", "") + " lock " + c.acquisitionLockTimeoutMs().orElse(-1));
                c.acknowledge(got.get(0), AcknowledgeType.RENEW);
                c.acknowledge(got.get(1), AcknowledgeType.ACCEPT);
                System.out.println("renew: " + commit(c));
                got = take(c, 1);
                System.out.println("renewed: " + values(got).replaceAll("x\\d", ""));
                for (ConsumerRecord<String, String> r : got) c.acknowledge(r, AcknowledgeType.ACCEPT);
                System.out.println("commit: " + commit(c));
                try {
                    c.acknowledge(got.get(0), AcknowledgeType.ACCEPT);
                } catch (IllegalStateException e) {
                    System.out.println("twice: " + e.getClass().getSimpleName());
                }
                c.poll(Duration.ofMillis(300)).forEach(r -> System.out.println("unexpected " + r.value()));
                var d = admin.describeShareGroups(List.of("g")).all().get().get("g");
                System.out.println("describe: " + d.groupState() + " members " + d.members().size() + " " + d.members().iterator().next().assignment().topicPartitions());
            }
            System.out.println("offsets: " + offsets(admin, "g"));
            System.out.println("list: " + admin.listGroups(ListGroupsOptions.forShareGroups()).all().get().stream().filter(g -> g.groupId().equals("g")).map(g -> g.groupId() + " " + g.type().get() + " " + g.protocol() + " " + g.groupState().get()).toList());
            // delivery limit: a record that is always released dies
            set(admin, "limit", "share.auto.offset.reset", "earliest", "share.delivery.count.limit", "2");
            try (KafkaShareConsumer<String, String> c = consumer("limit", "explicit")) {
                c.subscribe(List.of("share"));
                int deliveries = 0, most = 0;
                long quiet = System.nanoTime();
                while (System.nanoTime() - quiet < 3_000_000_000L) {
                    for (ConsumerRecord<String, String> r : c.poll(Duration.ofMillis(500))) {
                        deliveries++;
                        most = Math.max(most, r.deliveryCount().get());
                        c.acknowledge(r, AcknowledgeType.RELEASE);
                        quiet = System.nanoTime();
                    }
                }
                System.out.println("limit: " + deliveries + " deliveries, at most " + most);
            }
            // two members of a group share four partitions, with implicit acknowledgement
            set(admin, "many", "share.auto.offset.reset", "earliest");
            for (int i = 0; i < 400; i++) {
                p.send(new ProducerRecord<>("wide", i % 4, null, "w" + i));
            }
            p.flush();
            Set<String> seen = ConcurrentHashMap.newKeySet();
            Set<Integer> members = ConcurrentHashMap.newKeySet();
            ExecutorService pool = Executors.newFixedThreadPool(2);
            List<Future<?>> running = new ArrayList<>();
            for (int n = 0; n < 2; n++) {
                int id = n;
                running.add(pool.submit(() -> {
                    try (KafkaShareConsumer<String, String> c = consumer("many", "implicit", "max.poll.records", 20)) {
                        c.subscribe(List.of("wide"));
                        long end = System.nanoTime() + 40_000_000_000L;
                        while (seen.size() < 400 && System.nanoTime() < end) {
                            for (ConsumerRecord<String, String> r : c.poll(Duration.ofMillis(300))) {
                                seen.add(r.value());
                                members.add(id);
                            }
                        }
                    }
                }));
            }
            for (Future<?> f : running) f.get();
            pool.shutdown();
            System.out.println("shared: " + seen.size() + " records");
            // read committed
            set(admin, "rc", "share.auto.offset.reset", "earliest", "share.isolation.level", "read_committed");
            admin.createTopics(List.of(new NewTopic("txn", 1, (short) 3))).all().get();
            try (KafkaProducer<String, String> t = new KafkaProducer<>(props("transactional.id", "t"))) {
                t.initTransactions();
                t.beginTransaction();
                t.send(new ProducerRecord<>("txn", "aborted")).get();
                t.abortTransaction();
                t.beginTransaction();
                t.send(new ProducerRecord<>("txn", "committed")).get();
                t.commitTransaction();
            }
            try (KafkaShareConsumer<String, String> c = consumer("rc", "implicit")) {
                c.subscribe(List.of("txn"));
                System.out.println("committed: " + values(take(c, 1)));
            }
            // offsets
            var alter = admin.alterShareGroupOffsets("g", Map.of(new TopicPartition("share", 0), 4L, new TopicPartition("share", 9), 0L));
            System.out.println("alter: " + outcome(alter.partitionResult(new TopicPartition("share", 0))) + " " + outcome(alter.partitionResult(new TopicPartition("share", 9))));
            System.out.println("offsets: " + offsets(admin, "g"));
            try (KafkaShareConsumer<String, String> c = consumer("g", "implicit")) {
                c.subscribe(List.of("share"));
                System.out.println("from 4: " + values(take(c, 2)));
                c.commitSync();
                System.out.println("alter: " + outcome(admin.alterShareGroupOffsets("g", Map.of(new TopicPartition("share", 0), 0L)).all()));
                System.out.println("delete: " + outcome(admin.deleteShareGroups(List.of("g")).all()));
            }
            var del = admin.deleteShareGroupOffsets("g", Set.of("share", "nothing"));
            System.out.println("delete offsets: " + outcome(del.topicResult("share")) + " " + outcome(del.topicResult("nothing")));
            System.out.println("offsets: " + offsets(admin, "g"));
            System.out.println("delete: " + outcome(admin.deleteShareGroups(List.of("g", "many")).all()));
            System.out.println("delete: " + outcome(admin.deleteShareGroups(List.of("g")).all()));
            System.out.println("describe: " + outcome(admin.describeShareGroups(List.of("g")).all()));
            try (KafkaConsumer<String, String> c = new KafkaConsumer<>(props("group.id", "limit", "group.protocol", "classic"))) {
                c.subscribe(List.of("share"));
                System.out.println("classic: " + thrown(() -> c.poll(Duration.ofSeconds(10))));
            }
            try (KafkaConsumer<String, String> c = new KafkaConsumer<>(props("group.id", "limit", "group.protocol", "consumer"))) {
                c.subscribe(List.of("share"));
                System.out.println("consumer: " + thrown(() -> c.poll(Duration.ofSeconds(10))));
            }
        }
    }

    interface Act { Object run() throws Exception; }

    static String thrown(Act a) {
        try {
            a.run();
            return "ok";
        } catch (Exception e) {
            return e.getClass().getSimpleName();
        }
    }

    static String outcome(KafkaFuture<?> f) {
        try {
            f.get(30, TimeUnit.SECONDS);
            return "ok";
        } catch (ExecutionException e) {
            return e.getCause().getClass().getSimpleName();
        } catch (Exception e) {
            return e.toString();
        }
    }

    static String offsets(Admin admin, String group) throws Exception {
        var m = admin.listShareGroupOffsets(Map.of(group, new ListShareGroupOffsetsSpec())).partitionsToOffsetInfo(group).get();
        TreeMap<String, String> t = new TreeMap<>();
        m.forEach((tp, o) -> t.put(tp.toString(), o == null ? "null" : o.startOffset() + " lag " + o.lag().map(String::valueOf).orElse("-")));
        return t.toString();
    }
}
