import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.DynamicMessage;
import com.google.protobuf.Message;
import com.google.protobuf.util.JsonFormat;
import io.apicurio.registry.resolver.client.RegistryArtifactReference;
import io.apicurio.registry.resolver.client.RegistryClientFacade;
import io.apicurio.registry.resolver.client.RegistryVersionCoordinates;
import io.apicurio.registry.resolver.strategy.ArtifactReference;
import io.apicurio.registry.serde.avro.AvroKafkaDeserializer;
import io.apicurio.registry.serde.avro.AvroKafkaSerializer;
import io.apicurio.registry.serde.jsonschema.JsonSchemaKafkaDeserializer;
import io.apicurio.registry.serde.jsonschema.JsonSchemaKafkaSerializer;
import io.apicurio.registry.serde.protobuf.ProtobufKafkaDeserializer;
import io.apicurio.registry.serde.protobuf.ProtobufKafkaSerializer;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.apache.avro.Conversions;
import org.apache.avro.LogicalTypes;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericFixed;
import org.apache.avro.generic.IndexedRecord;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serializer;

/**
 * Apicurio's Java serializers, unmodified, beside those of Go: java Exchange.java confluent|apicurio URL. Each line on standard input is a record that Go
 * has encoded; the answer is a line with what Java reads in it, as JSON, and the record that Java makes of that value. The schemas are those of the
 * registry. The serializers' own client speaks Apicurio's API and no other; with "confluent" they are given one that speaks Confluent's.
 */
public class Exchange {
    static final ObjectMapper json = new ObjectMapper();

    public static void main(String[] args) throws Exception {
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        System.setOut(System.err);
        Map<String, Pair> pairs = new HashMap<>();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = in.readLine()) != null;) {
            ObjectNode answer = json.createObjectNode();
            try {
                JsonNode q = json.readTree(line);
                String format = q.get("format").asText();
                boolean key = q.get("key").asBoolean();
                Pair pair = pairs.get(format + key);
                if (pair == null) {
                    pairs.put(format + key, pair = Pair.of(format, key, args[0], args[1]));
                }
                if (format.equals("PROTOBUF")) {
                    Generated.descriptor = descriptor(q);
                }
                Object value = pair.deserializer.deserialize(q.get("topic").asText(), HexFormat.of().parseHex(q.get("raw").asText()));
                byte[] raw = pair.serializer.serialize(q.get("topic").asText(), value);
                answer.set("value", json.valueToTree(plain(value)));
                answer.put("raw", HexFormat.of().formatHex(raw));
                answer.putObject("headers");
            } catch (Exception | LinkageError e) { // the test says which record it was
                e.printStackTrace();
                answer.put("error", e.toString());
            }
            out.println(json.writeValueAsString(answer));
        }
        System.exit(0); // the client's threads are not daemons
    }

    /** The serializer and deserializer of a format. */
    record Pair(Serializer<Object> serializer, Deserializer<Object> deserializer) {
        @SuppressWarnings({"unchecked", "rawtypes"})
        static Pair of(String format, boolean key, String api, String url) {
            RegistryClientFacade client = api.equals("confluent") ? new Confluent(url) : null;
            Pair pair = switch (format) {
                case "AVRO" -> new Pair(new AvroKafkaSerializer(client), new AvroKafkaDeserializer(client));
                case "JSON" -> new Pair(new JsonSchemaKafkaSerializer(client), new JsonSchemaKafkaDeserializer(client));
                case "PROTOBUF" -> new Pair((Serializer) new ProtobufKafkaSerializer(client), (Deserializer) new ProtobufKafkaDeserializer(client));
                default -> throw new IllegalArgumentException(format);
            };
            Map<String, Object> config = new HashMap<>(Map.of(
                "apicurio.registry.url", url,
                "apicurio.registry.use-id", "contentId",
                "apicurio.registry.id-handler", "io.apicurio.registry.serde.Default4ByteIdHandler",
                "apicurio.registry.headers.enabled", false,
                "apicurio.registry.find-latest", true,
                "apicurio.registry.artifact.group-id", "default"));
            if (format.equals("JSON")) {
                config.put("apicurio.registry.deserializer.value.return-class", JsonNode.class.getName());
                config.put("apicurio.registry.deserializer.key.return-class", JsonNode.class.getName());
            }
            if (format.equals("PROTOBUF")) {
                // The deserializer reads the path to the message and forgets it: what the message is, it learns of the class that is generated for it.
                config.put("apicurio.registry.deserializer.value.return-class", Generated.class);
                config.put("apicurio.registry.deserializer.key.return-class", Generated.class);
                config.put("apicurio.registry.serde.validation-enabled", false); // it looks for the message among those that are not nested
                config.put("apicurio.registry.serde.send-type-ref", false);
                config.put("apicurio.registry.serde.read-type-ref", false);
                config.put("apicurio.registry.serde.send-indexes", true);
                config.put("apicurio.registry.serde.read-indexes", true);
            }
            pair.serializer.configure(config, key);
            pair.deserializer.configure(config, key);
            return pair;
        }
    }

    /** A registry that speaks Confluent's API. */
    record Confluent(String url) implements RegistryClientFacade {
        static final HttpClient http = HttpClient.newHttpClient();

        JsonNode ask(String path, Object body) {
            try {
                HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url + path)).header("Content-Type", "application/vnd.schemaregistry.v1+json");
                if (body != null) {
                    request.POST(HttpRequest.BodyPublishers.ofString(json.writeValueAsString(body)));
                }
                HttpResponse<String> response = http.send(request.build(), HttpResponse.BodyHandlers.ofString());
                if (response.statusCode() != 200) {
                    throw new IllegalStateException(path + ": " + response.statusCode() + " " + response.body());
                }
                return json.readTree(response.body());
            } catch (IOException | InterruptedException e) {
                throw new IllegalStateException(path, e);
            }
        }

        JsonNode version(String subject, String version) {
            boolean numbered = version != null && version.chars().allMatch(Character::isDigit);
            return ask(subject(subject) + "/versions/" + (numbered ? version : "latest"), null);
        }

        static String subject(String name) {
            return "/subjects/" + URLEncoder.encode(name, StandardCharsets.UTF_8).replace("+", "%20");
        }

        static List<RegistryArtifactReference> references(JsonNode schema) {
            List<RegistryArtifactReference> references = new ArrayList<>();
            for (JsonNode r : schema.path("references")) {
                references.add(RegistryArtifactReference.builder().name(r.get("name").asText()).groupId("default")
                    .artifactId(r.get("subject").asText()).version(r.get("version").asText()).build());
            }
            return references;
        }

        static RegistryVersionCoordinates coordinates(JsonNode v) {
            long id = v.get("id").asLong();
            return RegistryVersionCoordinates.create(id, id, "default", v.get("subject").asText(), v.get("version").asText());
        }

        @Override public String getSchemaByContentId(Long id) {
            return ask("/schemas/ids/" + id, null).get("schema").asText();
        }

        @Override public String getSchemaByGlobalId(long id, boolean dereferenced) {
            return getSchemaByContentId(id);
        }

        @Override public String getSchemaByGAV(String group, String subject, String version) {
            return version(subject, version).get("schema").asText();
        }

        @Override public List<RegistryArtifactReference> getReferencesByContentId(long id) {
            return references(ask("/schemas/ids/" + id, null));
        }

        @Override public List<RegistryArtifactReference> getReferencesByGlobalId(long id) {
            return getReferencesByContentId(id);
        }

        @Override public List<RegistryArtifactReference> getReferencesByGAV(String group, String subject, String version) {
            return references(version(subject, version));
        }

        @Override public RegistryVersionCoordinates getVersionCoordinatesByGAV(String group, String subject, String version) {
            return coordinates(version(subject, version));
        }

        @Override public List<RegistryVersionCoordinates> searchVersionsByContent(String schema, String type, ArtifactReference reference, boolean canonical) {
            return List.of(coordinates(ask(subject(reference.getArtifactId()), Map.of("schema", schema, "schemaType", type))));
        }

        @Override public String getSchemaByContentHash(String hash) {
            throw new UnsupportedOperationException("Confluent's API knows no hashes");
        }

        @Override public List<RegistryArtifactReference> getReferencesByContentHash(String hash) {
            throw new UnsupportedOperationException("Confluent's API knows no hashes");
        }

        @Override public RegistryVersionCoordinates createSchema(String type, String group, String subject, String version, String behaviour, boolean canonical,
                String schema, Set<RegistryArtifactReference> references) {
            throw new UnsupportedOperationException("the schemas are registered by Go");
        }

        @Override public Object getClient() {
            return this;
        }
    }

    /** What stands for the class that protoc generates for a message. */
    public static class Generated {
        static Descriptor descriptor;

        public static DynamicMessage parseFrom(InputStream in) throws IOException {
            return DynamicMessage.parseFrom(descriptor, in);
        }
    }

    /** The message of a question, in the files that come with it. */
    static Descriptor descriptor(JsonNode question) throws Exception {
        Map<String, FileDescriptor> made = new HashMap<>();
        FileDescriptor last = null;
        for (JsonNode file : question.get("files")) {
            FileDescriptorProto proto = FileDescriptorProto.parseFrom(HexFormat.of().parseHex(file.asText()));
            FileDescriptor[] imports = proto.getDependencyList().stream().map(made::get).toArray(FileDescriptor[]::new);
            made.put(proto.getName(), last = FileDescriptor.buildFrom(proto, imports));
        }
        String path = question.get("message").asText();
        if (!last.getPackage().isEmpty()) {
            path = path.substring(last.getPackage().length() + 1);
        }
        Descriptor message = null;
        for (String name : path.split("\\.")) {
            message = message == null ? last.findMessageTypeByName(name) : message.findNestedTypeByName(name);
        }
        return message;
    }

    /** A value as the JSON that Python makes of it. */
    static Object plain(Object value) throws Exception {
        if (value instanceof Message message) {
            return json.readTree(JsonFormat.printer().print(message));
        }
        if (value instanceof IndexedRecord record) {
            return plain(record.getSchema(), record);
        }
        return value;
    }

    static Object plain(Schema schema, Object value) {
        switch (schema.getType()) {
            case RECORD -> {
                Map<String, Object> out = new TreeMap<>();
                for (Schema.Field f : schema.getFields()) {
                    out.put(f.name(), plain(f.schema(), ((IndexedRecord) value).get(f.pos())));
                }
                return out;
            }
            case UNION -> {
                return value == null ? null : plain(schema.getTypes().stream().filter(s -> s.getType() != Schema.Type.NULL).findFirst().get(), value);
            }
            case ARRAY -> {
                List<Object> out = new ArrayList<>();
                ((List<?>) value).forEach(v -> out.add(plain(schema.getElementType(), v)));
                return out;
            }
            case MAP -> {
                Map<String, Object> out = new TreeMap<>();
                ((Map<?, ?>) value).forEach((k, v) -> out.put(k.toString(), plain(schema.getValueType(), v)));
                return out;
            }
            case STRING, ENUM -> {
                return value.toString();
            }
            case FIXED -> {
                return HexFormat.of().formatHex(((GenericFixed) value).bytes());
            }
            case BYTES -> {
                if (schema.getLogicalType() instanceof LogicalTypes.Decimal) {
                    return new Conversions.DecimalConversion().fromBytes(((ByteBuffer) value).duplicate(), schema, schema.getLogicalType()).toPlainString();
                }
                byte[] bytes = new byte[((ByteBuffer) value).remaining()];
                ((ByteBuffer) value).duplicate().get(bytes);
                return HexFormat.of().formatHex(bytes);
            }
            case LONG -> {
                if (schema.getLogicalType() instanceof LogicalTypes.TimestampMicros) {
                    return DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSSSSSxxx").withZone(ZoneOffset.UTC)
                        .format(Instant.EPOCH.plus((Long) value, ChronoUnit.MICROS));
                }
                return value;
            }
            default -> {
                return value;
            }
        }
    }
}
