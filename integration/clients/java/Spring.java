import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.env.MapPropertySource;
import org.springframework.core.env.Environment;
import org.springframework.kafka.annotation.BackOff;
import org.springframework.kafka.annotation.DltHandler;
import org.springframework.kafka.annotation.EnableKafka;
import org.springframework.kafka.annotation.EnableKafkaRetryTopic;
import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.kafka.annotation.RetryableTopic;
import org.springframework.kafka.config.ConcurrentKafkaListenerContainerFactory;
import org.springframework.kafka.config.TopicBuilder;
import org.springframework.kafka.core.ConsumerFactory;
import org.springframework.kafka.core.DefaultKafkaConsumerFactory;
import org.springframework.kafka.core.DefaultKafkaProducerFactory;
import org.springframework.kafka.core.KafkaAdmin;
import org.springframework.kafka.core.KafkaTemplate;
import org.springframework.kafka.core.ProducerFactory;
import org.springframework.kafka.support.KafkaHeaders;
import org.springframework.kafka.transaction.KafkaTransactionManager;
import org.springframework.messaging.handler.annotation.Header;
import org.springframework.scheduling.TaskScheduler;
import org.springframework.scheduling.concurrent.ThreadPoolTaskScheduler;

/** Spring Kafka: a listener whose failures go through retry topics to a dead-letter topic, and one in transactions. */
final class Spring {
    private Spring() {}

    @Configuration
    static class Common {
        @Bean
        KafkaAdmin kafkaAdmin(Environment env) {
            return new KafkaAdmin(Map.of("bootstrap.servers", env.getRequiredProperty("brokers")));
        }

        @Bean
        ConsumerFactory<String, String> consumers(Environment env) {
            return new DefaultKafkaConsumerFactory<>(Map.of("bootstrap.servers", env.getRequiredProperty("brokers"), "auto.offset.reset", "earliest", "isolation.level", "read_committed"),
                new StringDeserializer(), new StringDeserializer());
        }

        @Bean
        ProducerFactory<String, String> producers(Environment env) {
            var f = new DefaultKafkaProducerFactory<>(Cluster.settings(env.getRequiredProperty("brokers")), new StringSerializer(), new StringSerializer());
            if (env.getProperty("transactions") != null) {
                f.setTransactionIdPrefix("spring-tx-");
            }
            return f;
        }

        @Bean
        KafkaTemplate<String, String> kafkaTemplate(ProducerFactory<String, String> f) {
            return new KafkaTemplate<>(f);
        }

        @Bean
        ConcurrentKafkaListenerContainerFactory<String, String> kafkaListenerContainerFactory(ConsumerFactory<String, String> consumers, ProducerFactory<String, String> producers) {
            var f = new ConcurrentKafkaListenerContainerFactory<String, String>();
            f.setConsumerFactory(consumers);
            if (producers.transactionCapable()) {
                f.getContainerProperties().setKafkaAwareTransactionManager(new KafkaTransactionManager<>(producers));
            }
            return f;
        }

        @Bean
        TaskScheduler taskScheduler() {
            return new ThreadPoolTaskScheduler();
        }
    }

    /** What the listener was called with. */
    static final Set<String> SEEN = ConcurrentHashMap.newKeySet();
    static final ConcurrentLinkedQueue<List<String>> DEAD = new ConcurrentLinkedQueue<>();

    @Configuration
    @EnableKafka
    @EnableKafkaRetryTopic
    static class Retrying {
        @Bean
        NewTopic orders() {
            return TopicBuilder.name("spring-orders").partitions(1).build();
        }

        @RetryableTopic(attempts = "3", backOff = @BackOff(delay = 200, multiplier = 2), numPartitions = "1", replicationFactor = "-1", exclude = IllegalArgumentException.class)
        @KafkaListener(id = "spring-orders", topics = "spring-orders")
        void listen(String value, @Header(KafkaHeaders.RECEIVED_TOPIC) String topic) {
            SEEN.add(value + " " + topic);
            if (value.equals("fatal")) {
                throw new IllegalArgumentException(value);
            }
            if (value.equals("fails always") || value.equals("fails once") && topic.equals("spring-orders")) {
                throw new IllegalStateException(value);
            }
        }

        @DltHandler
        void dead(ConsumerRecord<String, String> r) {
            List<String> told = new ArrayList<>(List.of(r.topic(), r.value()));
            for (String h : List.of(KafkaHeaders.ORIGINAL_TOPIC, KafkaHeaders.EXCEPTION_CAUSE_FQCN)) {
                var header = r.headers().lastHeader(h);
                told.add(header == null ? "none" : new String(header.value()));
            }
            DEAD.add(told);
        }
    }

    @Configuration
    @EnableKafka
    static class Moving {
        private final KafkaTemplate<String, String> template;
        private final Set<String> failed = ConcurrentHashMap.newKeySet();

        Moving(KafkaTemplate<String, String> template) {
            this.template = template;
        }

        @KafkaListener(id = "spring-mover", topics = "spring-in")
        void move(ConsumerRecord<String, String> r) {
            template.send("spring-out", r.key(), "moved " + r.value());
            if (r.key().equals("k3") && failed.add("k3")) {
                throw new IllegalStateException("once"); // its output is aborted with its offset
            }
            MOVED.countDown();
        }
    }

    static void retryableTopic(String brokers, Main.Say say) throws Exception {
        try (var context = context(brokers, false, Retrying.class)) {
            KafkaTemplate<String, String> template = template(context);
            for (String v : List.of("fine", "fails once", "fails always", "fatal")) {
                template.send("spring-orders", 0, v, v).get(30, TimeUnit.SECONDS);
            }
            Main.until("dead letters", () -> DEAD.size() == 2 && SEEN.contains("fine spring-orders") && SEEN.contains("fails once spring-orders-retry-200"));
            say.saw("attempts", SEEN.stream().sorted().toList());
            say.saw("dead letters", DEAD.stream().map(d -> String.join(" | ", d)).sorted().toList());
        }
        try (var a = Cluster.admin(brokers)) {
            say.saw("topics", a.listTopics().names().get().stream().filter(t -> t.startsWith("spring-orders")).sorted().toList());
        }
        say.saw("on the dead-letter topic", Cluster.read(brokers, "spring-orders-dlt").stream().map(r -> r.key()).sorted().toList());
    }

    static final CountDownLatch MOVED = new CountDownLatch(5);

    static void transactions(String brokers, Main.Say say) throws Exception {
        Cluster.create(brokers, "spring-in", 1);
        Cluster.create(brokers, "spring-out", 1);
        try (var context = context(brokers, true, Moving.class)) {
            KafkaTemplate<String, String> template = template(context);
            template.executeInTransaction(t -> {
                for (int i = 0; i < 5; i++) {
                    t.send("spring-in", "k" + i, "v" + i);
                }
                return null;
            });
            say.outcome("one that throws", () -> template.executeInTransaction(t -> {
                t.send("spring-in", "k", "never").join();
                throw new IllegalStateException("on purpose");
            }));
            Main.until("moved", () -> MOVED.getCount() == 0 && Cluster.committed(brokers, "spring-mover", "spring-in", 1).get(0) >= 5);
        }
        say.saw("moved", Cluster.read(brokers, "spring-out", "isolation.level", "read_committed").stream().map(r -> r.key() + "=" + r.value()).toList());
    }

    @SuppressWarnings("unchecked")
    private static KafkaTemplate<String, String> template(AnnotationConfigApplicationContext context) {
        return context.getBean(KafkaTemplate.class);
    }

    private static AnnotationConfigApplicationContext context(String brokers, boolean transactions, Class<?>... classes) {
        var context = new AnnotationConfigApplicationContext();
        context.getEnvironment().getPropertySources().addFirst(new MapPropertySource("script", transactions ? Map.of("brokers", brokers, "transactions", "yes") : Map.of("brokers", brokers)));
        context.register(Common.class);
        context.register(classes);
        context.refresh();
        return context;
    }
}
