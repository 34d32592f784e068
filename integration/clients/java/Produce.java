import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;

/** Records with and without keys, headers and values, with each codec and each acks. */
final class Produce {
    private Produce() {}

    static void run(String brokers, Main.Say say) throws Exception {
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            String topic = "java-produce-" + codec;
            Cluster.create(brokers, topic, 3);
            try (KafkaProducer<String, String> p = Cluster.producer(brokers, "compression.type", codec)) {
                List<Object> sent = new ArrayList<>();
                for (int i = 0; i < 10; i++) {
                    var r = new ProducerRecord<>(topic, "key-" + i, ("value-" + i + " ").repeat(20));
                    r.headers().add("n", Integer.toString(i).getBytes()).add("null", null);
                    sent.add(told(p.send(r)));
                }
                sent.add(told(p.send(new ProducerRecord<>(topic, 1, null, "no key"))));
                sent.add(told(p.send(new ProducerRecord<>(topic, "key-1", null))));
                sent.add(told(p.send(new ProducerRecord<>(topic, 2, 1_700_000_000_000L, "old", "timestamp"))));
                say.saw(codec, sent);
                List<Future<RecordMetadata>> batch = new ArrayList<>();
                for (int i = 0; i < 1000; i++) {
                    batch.add(p.send(new ProducerRecord<>(topic, i % 3, "batch", String.valueOf(i).repeat(100))));
                }
                long last = 0;
                for (Future<RecordMetadata> f : batch) {
                    last = Math.max(last, f.get().offset());
                }
                say.saw(codec + ", batch", last);
            }
            List<Object> read = new ArrayList<>();
            int batch = 0;
            for (var r : Cluster.read(brokers, topic)) {
                if ("batch".equals(r.key())) {
                    batch += r.value().length();
                    continue;
                }
                read.add(Arrays.asList(r.partition(), r.offset(), r.key(), r.value(), r.timestampType().name, r.key() != null && r.key().equals("old") ? r.timestamp() : 0,
                    Arrays.stream(r.headers().toArray()).map(h -> h.key() + "=" + (h.value() == null ? null : new String(h.value()))).toList()));
            }
            say.saw(codec + ", read", read);
            say.saw(codec + ", read batch", batch);
        }
        String topic = "java-produce-acks";
        Cluster.create(brokers, topic, 1, Map.of("message.timestamp.type", "LogAppendTime", "compression.type", "zstd"));
        for (String acks : List.of("0", "1", "all")) {
            try (KafkaProducer<String, String> p = Cluster.producer(brokers, "acks", acks, "enable.idempotence", "false", "compression.type", "lz4")) {
                say.saw("acks=" + acks, p.send(new ProducerRecord<>(topic, acks, acks)).get().hasOffset());
            }
        }
        Main.until("three records", () -> Cluster.read(brokers, topic).size() == 3);
        for (var r : Cluster.read(brokers, topic)) {
            say.saw("acks, read", List.of(r.offset(), r.key(), r.timestampType().name));
        }
    }

    private static List<Object> told(Future<RecordMetadata> f) throws Exception {
        RecordMetadata m = f.get();
        return List.of(m.partition(), m.offset(), m.serializedValueSize());
    }
}
