import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.connect.cli.ConnectDistributed;
import org.apache.kafka.connect.runtime.Connect;

/** A distributed worker of Kafka Connect, steered over its REST interface: a sink with a dead-letter queue, and a source. */
final class Connecting {
    private Connecting() {}

    private static final ObjectMapper JSON = new ObjectMapper();

    /** A worker that runs until it is closed. */
    static final class Worker implements AutoCloseable {
        private final Connect<?> connect;
        private final String url;
        private final HttpClient http = HttpClient.newHttpClient();

        Worker(String brokers, String group) throws Exception {
            try (ServerSocket free = new ServerSocket(0)) {
                url = "http://127.0.0.1:" + free.getLocalPort();
            }
            Map<String, String> s = new HashMap<>();
            s.put("bootstrap.servers", brokers);
            s.put("group.id", group);
            s.put("key.converter", "org.apache.kafka.connect.storage.StringConverter");
            s.put("value.converter", "org.apache.kafka.connect.json.JsonConverter");
            s.put("value.converter.schemas.enable", "false");
            for (String kind : List.of("config", "offset", "status")) {
                s.put(kind + ".storage.topic", group + "-" + kind);
                s.put(kind + ".storage.replication.factor", "-1");
            }
            s.put("offset.storage.partitions", "2");
            s.put("status.storage.partitions", "2");
            s.put("exactly.once.source.support", "enabled");
            s.put("listeners", url);
            s.put("plugin.discovery", "service_load");
            s.put("offset.flush.interval.ms", "500");
            s.put("scheduled.rebalance.max.delay.ms", "0");
            connect = new ConnectDistributed().startConnect(s);
        }

        JsonNode ask(String method, String path, Object body) throws Exception {
            HttpRequest.Builder b = HttpRequest.newBuilder(URI.create(url + path)).header("Content-Type", "application/json");
            b.method(method, body == null ? HttpRequest.BodyPublishers.noBody() : HttpRequest.BodyPublishers.ofString(JSON.writeValueAsString(body)));
            HttpResponse<String> r = http.send(b.build(), HttpResponse.BodyHandlers.ofString());
            if (r.statusCode() == 409) { // a rebalance is under way
                Thread.sleep(200);
                return ask(method, path, body);
            }
            if (r.statusCode() >= 300) {
                throw new IllegalStateException(method + " " + path + ": " + r.statusCode() + " " + r.body());
            }
            return r.body().isEmpty() ? JSON.nullNode() : JSON.readTree(r.body());
        }

        void start(String name, Map<String, String> settings) throws Exception {
            Main.until("the worker takes " + name, () -> {
                try {
                    ask("PUT", "/connectors/" + name + "/config", settings);
                    return true;
                } catch (IllegalStateException e) {
                    if (e.getMessage().contains(": 400 ")) {
                        throw e;
                    }
                    return false; // it is not in its group yet
                }
            });
            Main.until(name + " runs", () -> {
                JsonNode status;
                try {
                    status = ask("GET", "/connectors/" + name + "/status", null);
                } catch (IllegalStateException e) {
                    return false;
                }
                if (status.at("/tasks/0/state").asText().equals("FAILED")) {
                    throw new IllegalStateException(status.toString());
                }
                return status.at("/tasks/0/state").asText().equals("RUNNING");
            });
        }

        @Override
        public void close() {
            connect.stop();
            connect.awaitStop();
        }
    }

    static void deadLetters(String brokers, Main.Say say) throws Exception {
        Cluster.create(brokers, "connect-in", 2);
        Cluster.create(brokers, "connect-source", 1);
        Path sunk = Files.createTempFile("sordini-sink-", ".txt");
        Path source = Files.createTempFile("sordini-source-", ".txt");
        try (Worker w = new Worker(brokers, "connect-cluster"); KafkaProducer<String, String> p = Cluster.producer(brokers)) {
            w.start("sink", Map.of("connector.class", "org.apache.kafka.connect.file.FileStreamSinkConnector", "topics", "connect-in", "file", sunk.toString(), "tasks.max", "1",
                "errors.tolerance", "all", "errors.deadletterqueue.topic.name", "connect-dlq", "errors.deadletterqueue.topic.replication.factor", "3",
                "errors.deadletterqueue.context.headers.enable", "true"));
            for (int i = 0; i < 10; i++) {
                p.send(new ProducerRecord<>("connect-in", i % 2, "k" + i, i % 5 == 3 ? "{not json " + i : "{\"n\": " + i + "}")).get();
            }
            Main.until("sunk", () -> Files.readAllLines(sunk).size() == 8);
            say.saw("sunk", Files.readAllLines(sunk).stream().sorted().toList());
            Main.until("dead letters", () -> Cluster.read(brokers, "connect-dlq").size() == 2);
            say.saw("dead letters", Cluster.read(brokers, "connect-dlq").stream().map(r -> List.of(r.key(), r.value(),
                Arrays.stream(r.headers().toArray()).filter(h -> !h.key().contains("exception.stacktrace")).map(h -> h.key() + "=" + new String(h.value())).toList())).sorted(java.util.Comparator.comparing(Object::toString)).toList());
            Main.until("committed", () -> Cluster.committed(brokers, "connect-sink", "connect-in", 2).equals(List.of(5L, 5L)));
            say.saw("committed", Cluster.committed(brokers, "connect-sink", "connect-in", 2));

            Files.writeString(source, "one\ntwo\n");
            w.start("source", Map.of("connector.class", "org.apache.kafka.connect.file.FileStreamSourceConnector", "topic", "connect-source", "file", source.toString(), "tasks.max", "1",
                "exactly.once.support", "required", "value.converter", "org.apache.kafka.connect.storage.StringConverter"));
            Main.until("two lines", () -> Cluster.read(brokers, "connect-source", "isolation.level", "read_committed").size() == 2);
            w.ask("PUT", "/connectors/source/pause", null);
            w.ask("PUT", "/connectors/source/resume", null);
            w.ask("POST", "/connectors/source/restart?includeTasks=true", null);
            Files.writeString(source, "three\n", StandardOpenOption.APPEND);
            Main.until("three lines", () -> Cluster.read(brokers, "connect-source", "isolation.level", "read_committed").size() >= 3);
            say.saw("sourced, once each", Cluster.read(brokers, "connect-source", "isolation.level", "read_committed").stream().map(r -> r.value()).toList());
            say.saw("connectors", w.ask("GET", "/connectors", null).size());
            w.ask("DELETE", "/connectors/source", null);
            w.ask("DELETE", "/connectors/sink", null);
            Main.until("deleted", () -> w.ask("GET", "/connectors", null).isEmpty());
            say.saw("left", w.ask("GET", "/connectors", null).size());
        } finally {
            Files.delete(sunk);
            Files.delete(source);
        }
    }
}
