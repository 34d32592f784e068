import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.AbortTransactionSpec;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/** Transactions that commit and abort, with offsets of groups of both protocols, fenced producers, and what the admin client says of them. */
final class Transactions {
    private Transactions() {}

    static void run(String brokers, Main.Say say) throws Exception {
        String topic = "java-transactions";
        Cluster.create(brokers, topic, 3);
        KafkaProducer<String, String> p = Cluster.producer(brokers, "transactional.id", topic);
        p.initTransactions();
        for (int i = 0; i < 4; i++) {
            p.beginTransaction();
            String end = i % 2 == 0 ? "commit" : "abort";
            for (int n = 0; n < 6; n++) {
                p.send(new ProducerRecord<>(topic, n % 3, end + n, Integer.toString(i)));
            }
            p.flush();
            if (i % 2 == 0) {
                p.commitTransaction();
            } else {
                p.abortTransaction();
            }
        }
        for (String isolation : List.of("read_committed", "read_uncommitted")) {
            List<Object> all = new ArrayList<>();
            for (var r : Cluster.read(brokers, topic, "isolation.level", isolation)) {
                all.add(List.of(r.partition(), r.offset(), r.key(), r.value()));
            }
            say.saw(isolation, all);
        }
        for (String protocol : List.of("classic", "consumer")) {
            transform(brokers, say, topic, protocol, p);
        }
        try (Admin admin = Cluster.admin(brokers)) {
            p.beginTransaction();
            p.send(new ProducerRecord<>(topic, 0, "open", "open")).get();
            var d = admin.describeTransactions(List.of(topic)).description(topic).get();
            say.saw("described", List.of(d.state().toString(), d.topicPartitions().toString(), d.transactionTimeoutMs()));
            say.saw("listed", admin.listTransactions().all().get().stream().filter(t -> t.transactionalId().startsWith("java-")).map(t -> t.transactionalId() + " " + t.state()).sorted().toList());
            TopicPartition tp = new TopicPartition(topic, 0);
            var active = admin.describeProducers(List.of(tp)).partitionResult(tp).get().activeProducers();
            say.saw("producers", active.stream().map(a -> List.of(a.lastSequence(), a.currentTransactionStartOffset().isPresent())).toList());
            try (KafkaConsumer<String, String> c = Cluster.consumer(brokers, "isolation.level", "read_committed")) {
                say.saw("stable before end", c.endOffsets(List.of(tp)).get(tp) < endOf(brokers, tp));
            }
            var one = active.stream().filter(a -> a.currentTransactionStartOffset().isPresent()).findFirst().orElseThrow();
            say.outcome("abort by an operator", () -> admin.abortTransaction(
                new AbortTransactionSpec(tp, one.producerId(), (short) one.producerEpoch(), one.coordinatorEpoch().orElse(0))).all().get());
            say.outcome("commit what was aborted", () -> { p.commitTransaction(); return null; });
        }
        // A newer producer of the id fences the older one.
        KafkaProducer<String, String> older = Cluster.producer(brokers, "transactional.id", topic + "-fenced");
        older.initTransactions();
        older.beginTransaction();
        older.send(new ProducerRecord<>(topic, 1, "older", "older")).get();
        KafkaProducer<String, String> newer = Cluster.producer(brokers, "transactional.id", topic + "-fenced");
        newer.initTransactions();
        say.outcome("fenced", () -> { older.commitTransaction(); return null; });
        try (Admin admin = Cluster.admin(brokers)) {
            say.outcome("fence producers", () -> admin.fenceProducers(List.of(topic + "-fenced")).all().get());
        }
        say.outcome("fenced by an operator", () -> {
            newer.beginTransaction();
            newer.send(new ProducerRecord<>(topic, 1, "newer", "newer"));
            newer.commitTransaction();
            return null;
        });
        say.saw("of the fenced ones", Cluster.read(brokers, topic, "isolation.level", "read_committed").stream().filter(r -> r.key().equals("older") || r.key().equals("newer")).count());
        // A transaction that outlives its time is aborted by the coordinator.
        KafkaProducer<String, String> slow = Cluster.producer(brokers, "transactional.id", topic + "-slow", "transaction.timeout.ms", "1000");
        slow.initTransactions();
        slow.beginTransaction();
        slow.send(new ProducerRecord<>(topic, 2, "slow", "slow")).get();
        try (Admin admin = Cluster.admin(brokers)) {
            Main.until("the abort", () -> admin.describeTransactions(List.of(topic + "-slow")).description(topic + "-slow").get().state().toString().equals("CompleteAbort"));
        }
        say.outcome("too late", () -> { slow.commitTransaction(); return null; });
        say.outcome("too long", () -> {
            try (KafkaProducer<String, String> hour = Cluster.producer(brokers, "transactional.id", topic + "-hour", "transaction.timeout.ms", "3600000")) {
                hour.initTransactions();
            }
            return null;
        });
        for (KafkaProducer<String, String> each : List.of(p, older, newer, slow)) {
            each.close(Duration.ofSeconds(1));
        }
    }

    private static long endOf(String brokers, TopicPartition tp) {
        try (KafkaConsumer<String, String> c = Cluster.consumer(brokers)) {
            return c.endOffsets(List.of(tp)).get(tp);
        }
    }

    /** Reads, transforms, writes: outputs and offsets together. */
    private static void transform(String brokers, Main.Say say, String topic, String protocol, KafkaProducer<String, String> p) throws Exception {
        String out = topic + "-out-" + protocol;
        String group = topic + "-" + protocol;
        Cluster.create(brokers, out, 1);
        try (KafkaConsumer<String, String> c = Cluster.consumer(brokers, "group.id", group, "group.protocol", protocol, "isolation.level", "read_committed")) {
            c.subscribe(List.of(topic));
            for (String end : List.of("abort", "commit")) {
                List<ConsumerRecord<String, String>> batch = new ArrayList<>();
                Main.until("twelve records", () -> {
                    c.poll(Duration.ofMillis(100)).forEach(batch::add);
                    return batch.size() >= 12;
                });
                p.beginTransaction();
                for (var r : batch) {
                    p.send(new ProducerRecord<>(out, r.key(), end + " " + r.value()));
                }
                Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
                for (TopicPartition tp : c.assignment()) {
                    offsets.put(tp, new OffsetAndMetadata(c.position(tp), "by a transaction"));
                }
                p.sendOffsetsToTransaction(offsets, c.groupMetadata());
                if (end.equals("abort")) {
                    p.abortTransaction();
                    c.seekToBeginning(c.assignment());
                } else {
                    p.commitTransaction();
                }
                if (end.equals("commit")) { // markers follow what EndTxn answers
                    Main.until("the offsets", () -> Cluster.committed(brokers, group, topic, 3).stream().allMatch(o -> o > 0));
                }
                say.saw(protocol + ": offsets after " + end, Cluster.committed(brokers, group, topic, 3).stream().map(o -> o > 0).toList());
            }
        }
        say.saw(protocol + ": written", Cluster.read(brokers, out, "isolation.level", "read_committed").stream().map(r -> r.key() + " " + r.value()).sorted().toList());
    }
}
