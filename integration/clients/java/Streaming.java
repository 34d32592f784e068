import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.state.QueryableStoreTypes;

/** Kafka Streams: counting with exactly_once_v2 through a repartition topic and a changelog, restored after its disk is gone; joins, windows, a global table. */
final class Streaming {
    private Streaming() {}

    private static KafkaStreams start(String brokers, String id, Path state, Topology topology) throws Exception {
        Properties p = new Properties();
        p.put(StreamsConfig.APPLICATION_ID_CONFIG, id);
        p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, brokers);
        p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        p.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.String().getClass());
        p.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.String().getClass());
        p.put(StreamsConfig.STATE_DIR_CONFIG, state.toString());
        p.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, -1);
        p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
        p.put("auto.offset.reset", "earliest");
        p.put("session.timeout.ms", "10000"); // a client that closes does not leave its group: the next one waits for this
        p.put("heartbeat.interval.ms", "300");
        KafkaStreams s = new KafkaStreams(topology, p);
        s.setUncaughtExceptionHandler(e -> {
            e.printStackTrace();
            return org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        s.start();
        Main.until("streams run", () -> {
            if (s.state() == KafkaStreams.State.ERROR) {
                throw new IllegalStateException("streams failed");
            }
            return s.state() == KafkaStreams.State.RUNNING;
        });
        return s;
    }

    private static void delete(Path dir) throws Exception {
        try (Stream<Path> all = Files.walk(dir)) {
            all.sorted(Comparator.reverseOrder()).forEach(f -> f.toFile().delete());
        }
    }

    private static void write(String brokers, String topic, List<String[]> records) throws Exception {
        try (KafkaProducer<String, String> p = Cluster.producer(brokers)) {
            long time = 1_700_000_000_000L;
            for (String[] r : records) {
                p.send(new ProducerRecord<>(topic, null, time += 10, r[0], r[1])).get();
            }
        }
    }

    /** The last value of each key that a committed reader sees. */
    private static Map<String, String> last(String brokers, String topic) {
        Map<String, String> m = new TreeMap<>();
        Cluster.read(brokers, topic, "isolation.level", "read_committed").forEach(r -> m.put(r.key(), r.value()));
        return m;
    }

    static void exactlyOnce(String brokers, Main.Say say) throws Exception {
        String in = "streams-words", out = "streams-counts";
        Cluster.create(brokers, in, 3);
        Cluster.create(brokers, out, 3, Map.of("cleanup.policy", "compact"));
        StreamsBuilder b = new StreamsBuilder();
        b.stream(in, Consumed.with(Serdes.String(), Serdes.String()))
            .flatMapValues(v -> List.of(v.toLowerCase(Locale.ROOT).split("\\W+")))
            .groupBy((k, word) -> word, Grouped.as("by-word"))
            .count(Materialized.as("counts"))
            .toStream().mapValues(String::valueOf)
            .to(out, Produced.with(Serdes.String(), Serdes.String()));
        Topology topology = b.build();
        Path state = Files.createTempDirectory("sordini-streams-");
        try {
            KafkaStreams s = start(brokers, "streams-app", state, topology);
            write(brokers, in, List.of(new String[] {"1", "all streams lead to kafka"}, new String[] {"2", "hello kafka streams"}, new String[] {"3", "join kafka summit"}));
            Main.until("counted", () -> last(brokers, out).getOrDefault("kafka", "").equals("3") && last(brokers, out).size() == 8);
            say.saw("counts", last(brokers, out));
            var store = s.store(StoreQueryParameters.fromNameAndType("counts", QueryableStoreTypes.<String, Long>keyValueStore()));
            say.saw("queried", List.of(store.get("kafka"), store.get("streams")));
            try (var a = Cluster.admin(brokers)) {
                for (String t : List.of("streams-app-by-word-repartition", "streams-app-counts-changelog")) {
                    var r = new org.apache.kafka.common.config.ConfigResource(org.apache.kafka.common.config.ConfigResource.Type.TOPIC, t);
                    var c = a.describeConfigs(List.of(r)).all().get().get(r);
                    say.saw(t, List.of(a.describeTopics(List.of(t)).allTopicNames().get().get(t).partitions().size(), c.get("cleanup.policy").value()));
                }
            }
            s.close(Duration.ofSeconds(30));
            delete(state);
            s = start(brokers, "streams-app", state, topology); // restores its counts from the changelog
            write(brokers, in, List.of(new String[][] {{"4", "kafka again"}}));
            Main.until("counted on", () -> last(brokers, out).getOrDefault("kafka", "").equals("4") && last(brokers, out).containsKey("again"));
            say.saw("after its disk was gone", last(brokers, out));
            List<String> counts = Cluster.read(brokers, out, "isolation.level", "read_committed").stream().filter(r -> r.key().equals("kafka")).map(r -> r.value()).toList();
            say.saw("no count twice", counts.stream().distinct().sorted().toList().equals(counts)); // how many there are is a matter of commits
            s.close(Duration.ofSeconds(30));
            say.saw("committed", Cluster.committed(brokers, "streams-app", in, 3).stream().filter(o -> o > 0).mapToLong(Long::longValue).sum() >= 4);
        } finally {
            delete(state);
        }
    }

    static void joins(String brokers, Main.Say say) throws Exception {
        for (String t : List.of("streams-orders", "streams-payments", "streams-customers", "streams-paid", "streams-named", "streams-perwindow")) {
            Cluster.create(brokers, t, 2);
        }
        Cluster.create(brokers, "streams-countries", 1, Map.of("cleanup.policy", "compact"));
        StreamsBuilder b = new StreamsBuilder();
        KStream<String, String> orders = b.stream("streams-orders");
        orders.join(b.<String, String>stream("streams-payments"), (o, p) -> o + "+" + p, JoinWindows.ofTimeDifferenceWithNoGrace(Duration.ofHours(1)),
            StreamJoined.<String, String, String>as("paid")).to("streams-paid");
        orders.leftJoin(b.<String, String>table("streams-customers"), (o, c) -> o + " for " + c)
            .join(b.<String, String>globalTable("streams-countries"), (k, v) -> "country", (v, c) -> v + " in " + c).to("streams-named");
        orders.groupByKey().windowedBy(TimeWindows.ofSizeWithNoGrace(Duration.ofHours(1))).count(Materialized.as("window"))
            .toStream().map((w, n) -> org.apache.kafka.streams.KeyValue.pair(w.key() + "@" + w.window().start() / 1000, String.valueOf(n))).to("streams-perwindow");
        Path state = Files.createTempDirectory("sordini-streams-");
        write(brokers, "streams-countries", List.of(new String[][] {{"country", "Norway"}}));
        write(brokers, "streams-customers", List.of(new String[] {"a", "Ann"}, new String[] {"b", "Bob"}));
        try {
            KafkaStreams s = start(brokers, "streams-joins", state, b.build());
            Main.until("the customers are known", () -> Cluster.committed(brokers, "streams-joins", "streams-customers", 2).stream().filter(o -> o > 0).mapToLong(Long::longValue).sum() == 2);
            write(brokers, "streams-orders", List.of(new String[] {"a", "order1"}, new String[] {"b", "order2"}, new String[] {"c", "order3"}, new String[] {"a", "order4"}));
            write(brokers, "streams-payments", List.of(new String[] {"a", "pay1"}, new String[] {"c", "pay3"}));
            for (var wanted : Map.of("streams-paid", 3, "streams-named", 4, "streams-perwindow", 3).entrySet()) {
                Main.until(wanted.getKey(), () -> Cluster.read(brokers, wanted.getKey(), "isolation.level", "read_committed").stream().map(r -> r.key() + r.value()).distinct().count() >= wanted.getValue());
            }
            s.close(Duration.ofSeconds(30));
            say.saw("joined", Cluster.read(brokers, "streams-paid", "isolation.level", "read_committed").stream().map(r -> r.key() + "=" + r.value()).sorted().toList());
            say.saw("enriched", Cluster.read(brokers, "streams-named", "isolation.level", "read_committed").stream().map(r -> r.key() + "=" + r.value()).sorted().toList());
            say.saw("windows", last(brokers, "streams-perwindow"));
        } finally {
            delete(state);
        }
    }
}
