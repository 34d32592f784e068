import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.clients.admin.FeatureUpdate;
import org.apache.kafka.clients.admin.ListGroupsOptions;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.UpdateFeaturesOptions;
import org.apache.kafka.clients.admin.UserScramCredentialDeletion;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionReplica;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.quota.ClientQuotaFilter;
import org.apache.kafka.common.quota.ClientQuotaFilterComponent;

/** Every call of the admin client that a user without rights of their own makes. */
final class Administration {
    private Administration() {}

    static void run(String brokers, Main.Say say) throws Exception {
        String topic = "java-admin";
        Cluster.create(brokers, topic, 3, Map.of("retention.ms", "3600000", "cleanup.policy", "compact,delete"));
        try (Admin a = Cluster.admin(brokers)) {
            topics(a, say, topic);
            configs(a, say, topic);
            records(brokers, a, say, topic);
            groups(brokers, a, say, topic);
            replicas(a, say, topic);
            users(a, say);
            cluster(a, say);
            say.outcome("delete topic", () -> a.deleteTopics(List.of(topic)).all().get());
            say.outcome("delete it again", () -> {
                Main.settled("gone", () -> !a.listTopics().names().get().contains(topic));
                return a.deleteTopics(List.of(topic)).all().get();
            });
        }
    }

    private static void topics(Admin a, Main.Say say, String topic) throws Exception {
        var d = a.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
        say.saw("topic", List.of(d.isInternal(), d.partitions().stream().map(p -> List.of(p.partition(), p.replicas().size(), p.isr().size(), p.replicas().get(0).equals(p.leader()),
            p.elr() == null ? -1 : p.elr().size(), p.lastKnownElr() == null ? -1 : p.lastKnownElr().size())).toList()));
        say.saw("by id", a.describeTopics(org.apache.kafka.common.TopicCollection.ofTopicIds(List.of(d.topicId()))).allTopicIds().get().get(d.topicId()).name());
        say.saw("listed", a.listTopics().names().get().contains(topic));
        say.outcome("more partitions", () -> a.createPartitions(Map.of(topic, NewPartitions.increaseTo(5, List.of(List.of(1, 2, 3), List.of(3, 2, 1))))).all().get());
        Main.settled("five partitions", () -> a.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size() == 5);
        var added = a.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions();
        say.saw("where asked", List.of(added.get(3).replicas().stream().map(n -> n.id()).toList(), added.get(4).replicas().stream().map(n -> n.id()).toList()));
        say.outcome("fewer partitions", () -> a.createPartitions(Map.of(topic, NewPartitions.increaseTo(2))).all().get());
        var only = a.createTopics(List.of(new NewTopic(topic + "-never", Optional.of(2), Optional.empty()).configs(Map.of("retention.ms", "1"))),
            new org.apache.kafka.clients.admin.CreateTopicsOptions().validateOnly(true));
        only.all().get();
        say.saw("validate only", List.of(only.numPartitions(topic + "-never").get(), only.replicationFactor(topic + "-never").get(),
            only.config(topic + "-never").get().get("retention.ms").value()));
    }

    private static Map<String, Object> shown(Config c, boolean all) {
        Map<String, Object> m = new TreeMap<>();
        for (ConfigEntry e : c.entries()) {
            if (all || e.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG) {
                m.put(e.name(), List.of(String.valueOf(e.value()), e.source().toString(), e.type().toString(), e.isReadOnly(), e.isSensitive(),
                    e.synonyms().stream().map(s -> s.name() + "=" + s.value() + " " + s.source()).toList()));
            }
        }
        return m;
    }

    private static void configs(Admin a, Main.Say say, String topic) throws Exception {
        ConfigResource r = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        var options = new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true);
        Callable<Object> now = () -> shown(a.describeConfigs(List.of(r), options).all().get().get(r), false);
        say.saw("configs", now.call());
        shown(a.describeConfigs(List.of(r), options).all().get().get(r), true).forEach((name, value) -> {
            try {
                say.saw("config " + name, value);
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        });
        say.saw("documented", a.describeConfigs(List.of(r), options).all().get().get(r).entries().stream().filter(e -> e.documentation() == null || e.documentation().isEmpty()).map(ConfigEntry::name).sorted().toList());
        say.outcome("alter", () -> a.incrementalAlterConfigs(Map.of(r, List.of(
            new AlterConfigOp(new ConfigEntry("retention.ms", "7200000"), AlterConfigOp.OpType.SET),
            new AlterConfigOp(new ConfigEntry("cleanup.policy", "compact"), AlterConfigOp.OpType.SUBTRACT),
            new AlterConfigOp(new ConfigEntry("max.message.bytes", "2000000"), AlterConfigOp.OpType.SET)))).all().get());
        Main.settled("altered", () -> now.call().toString().contains("7200000"));
        say.saw("altered", now.call());
        say.outcome("delete and append", () -> a.incrementalAlterConfigs(Map.of(r, List.of(
            new AlterConfigOp(new ConfigEntry("retention.ms", ""), AlterConfigOp.OpType.DELETE),
            new AlterConfigOp(new ConfigEntry("cleanup.policy", "compact"), AlterConfigOp.OpType.APPEND)))).all().get());
        Main.settled("deleted", () -> !now.call().toString().contains("7200000"));
        say.saw("deleted and appended", now.call());
        ConfigResource broker = new ConfigResource(ConfigResource.Type.BROKER, "2");
        say.outcome("alter a broker", () -> a.incrementalAlterConfigs(Map.of(broker, List.of(new AlterConfigOp(new ConfigEntry("log.cleaner.backoff.ms", "20000"), AlterConfigOp.OpType.SET)))).all().get());
        Main.settled("altered", () -> "20000".equals(a.describeConfigs(List.of(broker)).all().get().get(broker).get("log.cleaner.backoff.ms").value()));
        ConfigEntry backoff = a.describeConfigs(List.of(broker), options).all().get().get(broker).get("log.cleaner.backoff.ms");
        say.saw("a broker's", List.of(backoff.value(), backoff.source().toString(), backoff.isReadOnly(), backoff.synonyms().stream().map(s -> s.value() + " " + s.source()).toList()));
        ConfigResource group = new ConfigResource(ConfigResource.Type.GROUP, "java-admin-group");
        say.outcome("alter a group", () -> a.incrementalAlterConfigs(Map.of(group, List.of(new AlterConfigOp(new ConfigEntry("consumer.session.timeout.ms", "50000"), AlterConfigOp.OpType.SET)))).all().get());
        Main.settled("altered", () -> "50000".equals(a.describeConfigs(List.of(group)).all().get().get(group).get("consumer.session.timeout.ms").value()));
        Map<String, Object> ofGroup = new TreeMap<>();
        a.describeConfigs(List.of(group)).all().get().get(group).entries().forEach(e -> ofGroup.put(e.name(), List.of(String.valueOf(e.value()), e.source().toString())));
        say.saw("a group's", ofGroup);
        say.outcome("and back", () -> a.incrementalAlterConfigs(Map.of(group, List.of(new AlterConfigOp(new ConfigEntry("consumer.session.timeout.ms", ""), AlterConfigOp.OpType.DELETE)),
            broker, List.of(new AlterConfigOp(new ConfigEntry("log.cleaner.backoff.ms", ""), AlterConfigOp.OpType.DELETE)))).all().get());
        say.saw("config resources", a.listConfigResources(Set.of(ConfigResource.Type.TOPIC), new org.apache.kafka.clients.admin.ListConfigResourcesOptions()).all().get()
            .stream().map(ConfigResource::name).filter(topic::equals).toList());
    }

    private static void records(String brokers, Admin a, Main.Say say, String topic) throws Exception {
        try (KafkaProducer<String, String> p = Cluster.producer(brokers)) {
            for (int i = 0; i < 20; i++) {
                p.send(new ProducerRecord<>(topic, 0, 1_700_000_000_000L + i, "k", "v" + i)).get();
            }
        }
        TopicPartition tp = new TopicPartition(topic, 0);
        for (var spec : List.of(Map.entry("earliest", OffsetSpec.earliest()), Map.entry("latest", OffsetSpec.latest()), Map.entry("max timestamp", OffsetSpec.maxTimestamp()),
            Map.entry("timestamp", OffsetSpec.forTimestamp(1_700_000_000_005L)), Map.entry("future", OffsetSpec.forTimestamp(1_900_000_000_000L)),
            Map.entry("earliest local", OffsetSpec.earliestLocal()), Map.entry("latest tiered", OffsetSpec.latestTiered()))) {
            try {
                var o = a.listOffsets(Map.of(tp, spec.getValue())).partitionResult(tp).get();
                say.saw("offset: " + spec.getKey(), List.of(o.offset(), o.timestamp()));
            } catch (java.util.concurrent.ExecutionException e) {
                say.saw("offset: " + spec.getKey(), e.getCause().toString());
            }
        }
        say.saw("delete records", a.deleteRecords(Map.of(tp, RecordsToDelete.beforeOffset(7))).lowWatermarks().get(tp).get().lowWatermark());
        say.outcome("delete too many records", () -> a.deleteRecords(Map.of(tp, RecordsToDelete.beforeOffset(70))).all().get());
        say.saw("after", a.listOffsets(Map.of(tp, OffsetSpec.earliest())).partitionResult(tp).get().offset());
    }

    private static void groups(String brokers, Admin a, Main.Say say, String topic) throws Exception {
        String group = "java-admin-group";
        TopicPartition tp = new TopicPartition(topic, 0);
        try (KafkaConsumer<String, String> c = Cluster.consumer(brokers, "group.id", group)) {
            c.assign(List.of(tp));
            c.commitSync(Map.of(tp, new OffsetAndMetadata(9, Optional.of(0), "metadata"), new TopicPartition(topic, 1), new OffsetAndMetadata(0)));
            say.saw("committed", c.committed(Set.of(tp)).get(tp).toString());
        }
        say.saw("group listed", a.listGroups(new ListGroupsOptions()).all().get().stream().filter(g -> g.groupId().equals(group)).map(g -> List.of(g.type().get().toString(), g.protocol(), g.groupState().get().toString(), g.isSimpleConsumerGroup())).toList());
        say.saw("described as classic", a.describeClassicGroups(List.of(group)).all().get().get(group).state().toString());
        say.outcome("alter offsets", () -> a.alterConsumerGroupOffsets(group, Map.of(tp, new OffsetAndMetadata(3, "moved"))).all().get());
        say.saw("altered", a.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(tp).toString());
        say.outcome("delete an offset", () -> a.deleteConsumerGroupOffsets(group, Set.of(tp)).all().get());
        say.saw("left", a.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().size());
        say.outcome("delete group", () -> a.deleteConsumerGroups(List.of(group)).all().get());
        say.outcome("delete it again", () -> a.deleteConsumerGroups(List.of(group)).all().get());
        say.outcome("describe it", () -> a.describeConsumerGroups(List.of(group)).all().get());
        say.outcome("describe it as a share group", () -> a.describeShareGroups(List.of(group)).all().get());
        say.saw("no offsets", a.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().size());
    }

    private static void replicas(Admin a, Main.Say say, String topic) throws Exception {
        TopicPartition tp = new TopicPartition(topic, 1);
        say.outcome("reassign", () -> a.alterPartitionReassignments(Map.of(tp, Optional.of(new NewPartitionReassignment(List.of(3, 1))))).all().get());
        Main.settled("reassigned", () -> a.listPartitionReassignments(Set.of(tp)).reassignments().get().isEmpty()
            && a.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().get(1).replicas().size() == 2);
        say.saw("reassigned", a.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().get(1).replicas().stream().map(n -> n.id()).toList());
        say.outcome("cancel what is over", () -> a.alterPartitionReassignments(Map.of(tp, Optional.empty())).all().get());
        say.outcome("to a broker that is not there", () -> a.alterPartitionReassignments(Map.of(tp, Optional.of(new NewPartitionReassignment(List.of(3, 9))))).all().get());
        say.outcome("to one twice", () -> a.alterPartitionReassignments(Map.of(tp, Optional.of(new NewPartitionReassignment(List.of(3, 3))))).all().get());
        Main.settled("its leader", () -> a.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().get(1).leader().id() == 3 || elected(a, tp));
        say.saw("elect a leader that leads", a.electLeaders(ElectionType.PREFERRED, Set.of(tp)).partitions().get().get(tp).map(Throwable::getMessage).orElse("elected"));
        say.saw("unclean where there is a leader", a.electLeaders(ElectionType.UNCLEAN, Set.of(tp)).partitions().get().get(tp).map(Throwable::getMessage).orElse("elected"));
        say.saw("elect of an unknown topic", a.electLeaders(ElectionType.PREFERRED, Set.of(new TopicPartition("java-none", 0))).partitions().get().values().iterator().next().map(Throwable::getMessage).orElse("elected"));
        var dirs = a.describeLogDirs(List.of(1)).allDescriptions().get().get(1);
        say.saw("log directories", dirs.values().stream().map(d -> List.of(d.error() == null, d.replicaInfos().keySet().stream().filter(p -> p.topic().equals(topic)).map(Object::toString).sorted().toList())).toList());
        say.saw("a replica's", a.describeReplicaLogDirs(List.of(new TopicPartitionReplica(topic, 0, 1))).all().get().values().stream().map(i -> i.getCurrentReplicaLogDir() != null).toList());
    }

    private static boolean elected(Admin a, TopicPartition tp) throws Exception {
        a.electLeaders(ElectionType.PREFERRED, Set.of(tp)).partitions().get();
        return false;
    }

    private static void users(Admin a, Main.Say say) throws Exception {
        var entity = new ClientQuotaEntity(Map.of(ClientQuotaEntity.USER, "java-user", ClientQuotaEntity.CLIENT_ID, "java-client"));
        say.outcome("quota", () -> a.alterClientQuotas(List.of(new ClientQuotaAlteration(entity, List.of(new ClientQuotaAlteration.Op("producer_byte_rate", 1e6), new ClientQuotaAlteration.Op("request_percentage", 50.0))))).all().get());
        var filter = ClientQuotaFilter.containsOnly(List.of(ClientQuotaFilterComponent.ofEntity("user", "java-user"), ClientQuotaFilterComponent.ofEntity("client-id", "java-client")));
        Main.settled("the quota", () -> !a.describeClientQuotas(filter).entities().get().isEmpty());
        say.saw("described", Cluster.sorted(a.describeClientQuotas(filter).entities().get().values().iterator().next()));
        say.outcome("bad quota", () -> a.alterClientQuotas(List.of(new ClientQuotaAlteration(entity, List.of(new ClientQuotaAlteration.Op("bytes", 1.0))))).all().get());
        say.outcome("no quota", () -> a.alterClientQuotas(List.of(new ClientQuotaAlteration(entity, List.of(new ClientQuotaAlteration.Op("producer_byte_rate", null), new ClientQuotaAlteration.Op("request_percentage", null))))).all().get());
        say.outcome("SCRAM user", () -> a.alterUserScramCredentials(List.of(new UserScramCredentialUpsertion("java-user", new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 5000), "secret"))).all().get());
        Main.settled("the user", () -> a.describeUserScramCredentials().users().get().contains("java-user"));
        say.saw("its mechanisms", a.describeUserScramCredentials(List.of("java-user")).description("java-user").get().credentialInfos().toString());
        say.outcome("too few iterations", () -> a.alterUserScramCredentials(List.of(new UserScramCredentialUpsertion("java-user", new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 50), "secret"))).all().get());
        say.outcome("delete it", () -> a.alterUserScramCredentials(List.of(new UserScramCredentialDeletion("java-user", ScramMechanism.SCRAM_SHA_512))).all().get());
        say.outcome("delete it again", () -> {
            Main.settled("gone", () -> !a.describeUserScramCredentials().users().get().contains("java-user"));
            return a.alterUserScramCredentials(List.of(new UserScramCredentialDeletion("java-user", ScramMechanism.SCRAM_SHA_512))).all().get();
        });
        say.outcome("ACLs without an authorizer", () -> a.describeAcls(AclBindingFilter.ANY).values().get());
        say.outcome("a delegation token without authentication", () -> a.createDelegationToken().delegationToken().get());
        say.outcome("tokens", () -> a.describeDelegationToken().delegationTokens().get());
    }

    private static void cluster(Admin a, Main.Say say) throws Exception {
        var c = a.describeCluster();
        say.saw("nodes", c.nodes().get().stream().map(n -> n.id() + " " + n.host() + " " + n.rack() + " " + n.isFenced()).sorted().toList());
        say.saw("authorized operations", String.valueOf(a.describeCluster(new org.apache.kafka.clients.admin.DescribeClusterOptions().includeAuthorizedOperations(true)).authorizedOperations().get().stream().map(Enum::name).sorted().toList()));
        var f = a.describeFeatures().featureMetadata().get();
        Map<String, Object> features = new TreeMap<>();
        f.supportedFeatures().forEach((k, v) -> features.put(k, v.minVersion() + " to " + v.maxVersion()));
        say.saw("supported features", features);
        Map<String, Object> finalized = new TreeMap<>();
        f.finalizedFeatures().forEach((k, v) -> finalized.put(k, v.maxVersionLevel()));
        say.saw("finalized features", finalized);
        say.saw("unknown feature", Main.outcomeOf(() -> a.updateFeatures(Map.of("no.such.feature", new FeatureUpdate((short) 1, FeatureUpdate.UpgradeType.UPGRADE)), new UpdateFeaturesOptions()).all().get())
            .replaceAll("controller \\d", "controller"));
        var q = a.describeMetadataQuorum().quorumInfo().get();
        say.saw("quorum", List.of(q.voters().stream().map(v -> v.replicaId()).sorted().toList(), q.observers().size(), q.highWatermark() > 0));
        say.outcome("unregister a broker that is not there", () -> a.unregisterBroker(9).all().get());
        List<Object> metrics = new ArrayList<>();
        say.outcome("client instance", () -> {
            metrics.add(a.clientInstanceId(java.time.Duration.ofSeconds(5)));
            return null;
        });
    }
}
