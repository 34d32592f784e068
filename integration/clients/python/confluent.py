"""confluent-kafka, which is librdkafka: a program as ../doc.go describes it."""
import asyncio
import threading
import time

from confluent_kafka import (
    TIMESTAMP_CREATE_TIME, Consumer, ConsumerGroupTopicPartitions, IsolationLevel, KafkaError, KafkaException, Producer, TopicCollection, TopicPartition,
)
from confluent_kafka.admin import (
    AclBinding, AclBindingFilter, AclOperation, AclPermissionType, AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic,
    OffsetSpec, ResourcePatternType, ResourceType, ScramCredentialInfo, ScramMechanism, UserScramCredentialDeletion, UserScramCredentialUpsertion,
)

import contract

CLIENT = "confluent-kafka"
QUIET = {"log_level": 0, "reconnect.backoff.max.ms": 500}


def code(err):
    """The name of what went wrong, whoever tells it."""
    if isinstance(err, KafkaException):
        err = err.args[0]
    return err.name() if isinstance(err, KafkaError) else repr(err)


def outcome(future):
    try:
        future.result(60)
        return "done"
    except KafkaException as e:
        return f"{code(e)}: {e.args[0].str()}"


CLIENTS = []


def admin(brokers, **more):
    CLIENTS.append(AdminClient({"bootstrap.servers": brokers, **QUIET, **more}))  # one that is collected answers nothing any more
    return CLIENTS[-1]


def create(brokers, topic, partitions=3, config=None, **more):
    a = admin(brokers, **more)
    for future in a.create_topics([NewTopic(topic, partitions, config=config or {})]).values():
        future.result(60)
    deadline = time.monotonic() + 30
    for broker in brokers.split(","):  # until each of them knows its leaders
        while True:
            described = admin(broker, **more).list_topics(timeout=10).topics.get(topic)
            if described and not described.error and len(described.partitions) == partitions and all(p.leader >= 0 for p in described.partitions.values()):
                break
            if time.monotonic() > deadline:
                raise RuntimeError(f"{topic} does not come")
            time.sleep(0.05)
    return a


def send(producer, topic, **record):
    """Produces one record and returns what the delivery report says."""
    reports = []
    producer.produce(topic, on_delivery=lambda err, m: reports.append((err, m)), **record)
    while not reports:
        producer.poll(0.2)
    err, m = reports[0]
    return code(err) if err else {"partition": m.partition(), "offset": m.offset()}


def read(brokers, topic, partitions=3, **config):
    """Everything of a topic from its beginning to its end, by partition."""
    c = Consumer({"bootstrap.servers": brokers, "group.id": topic + "-reader", "enable.auto.commit": False, "enable.partition.eof": True, **QUIET, **config})
    c.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
    records, ended = [], set()
    while len(ended) < partitions:
        m = c.poll(30)
        if m is None:
            raise RuntimeError(f"nothing more of {topic}: {len(records)} records, ended {ended}")
        if m.error() and m.error().code() == KafkaError._PARTITION_EOF:
            ended.add(m.partition())
        elif m.error():
            raise KafkaException(m.error())
        else:
            records.append(m)
    c.close()
    return sorted(records, key=lambda m: (m.partition(), m.offset()))


def text(b):
    return None if b is None else b.decode()


def produce(brokers, say):
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
        topic = f"{CLIENT}-produce-{codec}"
        create(brokers, topic)
        p = Producer({"bootstrap.servers": brokers, "compression.type": codec, "enable.idempotence": True, "partitioner": "murmur2_random", **QUIET})
        for i in range(10):
            say(codec, send(p, topic, key=f"key-{i}", value=f"value-{i} " * 20, headers={"n": str(i), "codec": codec}))
        say(codec + ", no key", send(p, topic, value="no key", partition=1))
        say(codec + ", tombstone", send(p, topic, key="key-1", value=None))
        reports = []
        for i in range(500):
            p.produce(topic, key=f"batch-{i}", value=f"{i}" * 50, partition=i % 3, on_delivery=lambda err, m: reports.append((str(err), m.partition())))
        p.flush(30)
        say(codec + ", batch", {"reports": len(reports), "errors": sorted({e for e, _ in reports})})
        records = read(brokers, topic)
        say(codec + ", read", [[m.partition(), m.offset(), text(m.key()), text(m.value()), [[k, text(v)] for k, v in m.headers() or []],
                                m.timestamp()[0] == TIMESTAMP_CREATE_TIME] for m in records if not (text(m.key()) or "").startswith("batch")])
        say(codec + ", read batch", [[m.offset(), text(m.key()), len(m.value())] for m in records if (text(m.key()) or "").startswith("batch")][::50])


class Member(threading.Thread):
    """A group's member that reads until it is told to leave, and commits what it read."""

    def __init__(self, brokers, group, topic, seen, **config):
        super().__init__(daemon=True)
        self.consumer = Consumer({"bootstrap.servers": brokers, "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False, **QUIET, **config})
        self.seen, self.leaving, self.failed, self.owns, self.commits = seen, False, None, 0, 0
        self.consumer.subscribe([topic])
        self.start()

    def run(self):
        try:
            while not self.leaving:
                if time.monotonic() > self.commits:  # one for each record is more than a busy broker answers, and closing waits for all of them
                    self.commit(asynchronous=True)
                    self.commits = time.monotonic() + 0.1
                m = self.consumer.poll(0.1)
                self.owns = len(self.consumer.assignment())
                if m is None:
                    continue
                if m.error():
                    if m.error().retriable() or m.error().code() in (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError.UNKNOWN_TOPIC_OR_PART):
                        continue
                    raise KafkaException(m.error())
                self.seen.append((m.partition(), m.offset(), text(m.value())))
            self.commit(asynchronous=False)
            self.consumer.close()
        except Exception as e:  # told to whoever waits
            self.failed = e

    def commit(self, asynchronous):
        try:
            self.consumer.commit(asynchronous=asynchronous)
        except KafkaException:
            pass  # there is nothing to commit, or a rebalance: whoever owns it now reads it again

    def leave(self):
        self.leaving = True
        self.join(60)
        if self.failed or self.is_alive():
            raise self.failed or RuntimeError("the member does not leave")


def until(members, condition, what, limit=60, times=1):
    """Waits until something is so, so many times in a row: brokers learn of a change one after the other."""
    deadline, in_row = time.monotonic() + limit, 0
    while in_row < times:
        in_row = in_row + 1 if condition() else 0
        if in_row:
            continue
        for m in members:
            if m.failed:
                raise m.failed
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what}: {[(m.owns, len(m.seen)) for m in members]}")
        time.sleep(0.02)


def committed(brokers, group, topic, partitions, **config):
    c = Consumer({"bootstrap.servers": brokers, "group.id": group, **QUIET, **config})
    offsets = c.committed([TopicPartition(topic, p) for p in range(partitions)], timeout=30)
    c.close()
    return [o.offset for o in offsets]


def group_script(brokers, say, name, **config):
    topic = group = f"{CLIENT}-{name}"
    create(brokers, topic, 4)
    p = Producer({"bootstrap.servers": brokers, "enable.idempotence": True, "linger.ms": 1, **QUIET})
    sent, stop = [0], threading.Event()

    def flow():
        while not stop.is_set():
            p.produce(topic, value=str(sent[0]), partition=sent[0] % 4)
            sent[0] += 1
            stop.wait(0.005)
            p.poll(0)

    flowing = threading.Thread(target=flow, daemon=True)
    flowing.start()
    seen = []
    first = Member(brokers, group, topic, seen, **config)
    until([first], lambda: first.owns == 4 and len(seen) > 20, "one member")
    say("one member", first.owns)
    second = Member(brokers, group, topic, seen, **config)
    until([first, second], lambda: first.owns == 2 and second.owns == 2, "two members")
    say("two members", [first.owns, second.owns])
    before = len(seen)
    until([first, second], lambda: len(seen) > before + 20, "two members read")
    a = admin(brokers)
    described = None

    def stable():
        nonlocal described
        described = a.describe_consumer_groups([group])[group].result(60)
        return described.state.name == "STABLE" and [len(m.assignment.topic_partitions) for m in described.members] == [2, 2]

    until([first, second], stable, "a stable group")
    say("described", [described.state.name, described.partition_assignor, described.type.name, sorted(len(m.assignment.topic_partitions) for m in described.members)])
    second.leave()
    until([first], lambda: first.owns == 4, "one left")
    say("one left", first.owns)
    stop.set()
    flowing.join()
    p.flush(30)
    until([first], lambda: len({s[:2] for s in seen}) == sent[0], "all read")
    say("missing", sorted(set(range(sent[0])) - {int(s[2]) for s in seen}))
    until([first], lambda: sum(committed(brokers, group, topic, 4)) == sent[0], "committed all")
    say("committed all", True)
    first.leave()
    until([], lambda: a.describe_consumer_groups([group])[group].result(60).state.name == "EMPTY", "empty")
    say("empty", True)


def groups(brokers, say):
    for strategy in ["range", "roundrobin", "cooperative-sticky"]:
        group_script(brokers, lambda step, what, s=strategy: say(f"{s}: {step}", what), "groups-" + strategy, **{
            "partition.assignment.strategy": strategy, "session.timeout.ms": 10000, "heartbeat.interval.ms": 300})


def consumer_protocol(brokers, say):
    group_script(brokers, say, "consumer-protocol", **{"group.protocol": "consumer"})
    group_script(brokers, say, "consumer-protocol-range", **{"group.protocol": "consumer", "group.remote.assignor": "range"})


def transactions(brokers, say):
    topic, out = f"{CLIENT}-transactions", f"{CLIENT}-transactions-out"
    create(brokers, topic)
    create(brokers, out)
    settings = {"bootstrap.servers": brokers, "transactional.id": topic, **QUIET}
    p = Producer(settings)
    p.init_transactions(30)
    for i, end in enumerate(["commit", "abort", "commit", "abort"]):
        p.begin_transaction()
        for n in range(6):
            p.produce(topic, key=f"{end}-{n}", value=f"{i}", partition=n % 3)
        p.flush(30)
        p.commit_transaction(30) if end == "commit" else p.abort_transaction(30)
        say(end, "done")
    for isolation in ["read_committed", "read_uncommitted"]:
        records = read(brokers, topic, **{"isolation.level": isolation})
        say(isolation, [[m.partition(), m.offset(), text(m.key()), text(m.value())] for m in records])

    # Read, transform, write: outputs and offsets together.
    group = topic + "-group"
    c = Consumer({"bootstrap.servers": brokers, "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False, "isolation.level": "read_committed", **QUIET})
    c.subscribe([topic])
    for end in ["abort", "commit"]:
        batch = []
        while len(batch) < 12:
            m = c.poll(30)
            if m is None:
                raise RuntimeError(f"{len(batch)} of 12 records")
            if m.error():
                raise KafkaException(m.error())
            batch.append(m)
        p.begin_transaction()
        for m in batch:
            p.produce(out, key=m.key(), value=b"out-" + m.value())
        p.send_offsets_to_transaction(c.position(c.assignment()), c.consumer_group_metadata(), 30)
        if end == "abort":
            p.abort_transaction(30)
            say("offsets of an abort", committed(brokers, group, topic, 3))
            for tp in c.assignment():
                c.seek(TopicPartition(topic, tp.partition, 0))
        else:
            p.commit_transaction(30)
            say("offsets of a commit", [o >= 8 for o in committed(brokers, group, topic, 3)])  # with or without the last marker
    c.close()
    say("written", sorted(text(m.key()) + text(m.value()) for m in read(brokers, out, **{"isolation.level": "read_committed"})))

    # A newer producer of the id fences the older one.
    newer = Producer(settings)
    newer.init_transactions(30)
    try:
        p.begin_transaction()
        p.produce(topic, value="late")
        p.commit_transaction(30)
        say("fenced", "committed")
    except KafkaException as e:
        say("fenced", [code(e), e.args[0].fatal()])
    # One that leaves its transaction open is ended when it comes back.
    newer.begin_transaction()
    newer.produce(topic, value="open", partition=0)
    newer.flush(30)
    again = Producer(settings)
    again.init_transactions(30)
    say("after an open one", [text(m.value()) for m in read(brokers, topic, **{"isolation.level": "read_committed"})].count("open"))


def administration(brokers, say):
    topic = f"{CLIENT}-admin"
    a = create(brokers, topic, 3, {"retention.ms": "3600000", "cleanup.policy": "compact,delete"})
    cluster = a.describe_cluster().result(60)
    say("cluster", [sorted([n.id, n.host, n.rack] for n in cluster.nodes), cluster.controller is not None])
    described = a.describe_topics(TopicCollection([topic]))[topic].result(60)
    say("topic", [[p.id, len(p.replicas), len(p.isr), p.leader.id == p.replicas[0].id] for p in described.partitions])
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    set_here = lambda: sorted([e.name, e.value, e.source] for e in a.describe_configs([resource])[resource].result(60).values() if e.source == 1)  # noqa: E731
    say("configs", set_here())
    entries = a.describe_configs([resource])[resource].result(60)
    say("all configs", sorted([e.name, e.value, e.is_read_only, e.is_default, e.is_sensitive, sorted(e.synonyms or {})] for e in entries.values()))
    broker = ConfigResource(ConfigResource.Type.BROKER, "1")
    say("broker config names", sorted(n for n in a.describe_configs([broker])[broker].result(60) if "listener" not in n))
    alter = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[
        ConfigEntry("retention.ms", "7200000", incremental_operation=AlterConfigOpType.SET),
        ConfigEntry("cleanup.policy", "compact", incremental_operation=AlterConfigOpType.SUBTRACT),
        ConfigEntry("max.message.bytes", "2000000", incremental_operation=AlterConfigOpType.SET)])
    say("alter", outcome(a.incremental_alter_configs([alter])[alter]))
    until([], lambda: "7200000" in str(set_here()), "altered", times=20)
    say("altered", set_here())
    alter = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[ConfigEntry("retention.ms", None, incremental_operation=AlterConfigOpType.DELETE)])
    say("delete config", outcome(a.incremental_alter_configs([alter])[alter]))
    until([], lambda: "7200000" not in str(set_here()), "deleted", times=20)
    say("deleted", set_here())
    old = ConfigResource(ConfigResource.Type.TOPIC, topic, set_config={"segment.ms": "600000"})
    say("alter all", outcome(a.alter_configs([old])[old]))
    until([], lambda: "600000" in str(set_here()), "altered all", times=20)
    say("altered all", set_here())
    say("more partitions", outcome(a.create_partitions([NewPartitions(topic, 5)])[topic]))
    until([], lambda: len(a.describe_topics(TopicCollection([topic]))[topic].result(60).partitions) == 5, "five partitions")
    say("fewer partitions", outcome(a.create_partitions([NewPartitions(topic, 2)])[topic]))
    say("validate only", outcome(a.create_topics([NewTopic(topic + "-never", 1)], validate_only=True)[topic + "-never"]))

    p = Producer({"bootstrap.servers": brokers, **QUIET})
    for i in range(20):
        p.produce(topic, value=str(i), partition=0, timestamp=1_700_000_000_000 + i)
    p.flush(30)
    tp = TopicPartition(topic, 0)
    for name, spec in {"earliest": OffsetSpec.earliest(), "latest": OffsetSpec.latest(), "max timestamp": OffsetSpec.max_timestamp(),
                       "timestamp": OffsetSpec.for_timestamp(1_700_000_000_005)}.items():
        found = a.list_offsets({tp: spec}, isolation_level=IsolationLevel.READ_COMMITTED)[tp].result(60)
        say("offset: " + name, [found.offset, found.timestamp])
    say("delete records", [d.low_watermark for d in [f.result(60) for f in a.delete_records([TopicPartition(topic, 0, 7)]).values()]])
    say("delete too many records", [outcome(f) for f in a.delete_records([TopicPartition(topic, 0, 70)]).values()])
    say("after delete", a.list_offsets({tp: OffsetSpec.earliest()})[tp].result(60).offset)

    group = topic + "-group"
    c = Consumer({"bootstrap.servers": brokers, "group.id": group, **QUIET})
    c.commit(offsets=[TopicPartition(topic, 0, 9, "some metadata"), TopicPartition(topic, 1, 0)], asynchronous=False)
    c.close()
    listed = a.list_consumer_groups().result(60)
    say("listed", [[g.group_id, g.is_simple_consumer_group, g.state.name] for g in listed.valid if g.group_id == group])
    offsets = a.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group].result(60)
    say("offsets", sorted([o.topic, o.partition, o.offset, o.metadata] for o in offsets.topic_partitions))
    altered = a.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 3)])])[group].result(60)
    say("alter offsets", [[o.partition, o.offset, str(o.error)] for o in altered.topic_partitions])
    say("delete group", outcome(a.delete_consumer_groups([group])[group]))
    say("delete it again", outcome(a.delete_consumer_groups([group])[group]))
    say("describe it", a.describe_consumer_groups([group])[group].result(60).state.name)
    say("elect", outcome(a.elect_leaders(__import__("confluent_kafka").ElectionType.PREFERRED, [TopicPartition(topic, 0)])))

    user = topic + "-user"
    say("no SCRAM user", outcome(a.describe_user_scram_credentials([user])[user]))
    say("SCRAM user", outcome(a.alter_user_scram_credentials([UserScramCredentialUpsertion(user, ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 8192), b"secret")])[user]))
    until([], lambda: outcome(a.describe_user_scram_credentials([user])[user]) == "done", "the user", times=20)
    say("its mechanisms", [[i.mechanism.name, i.iterations] for i in a.describe_user_scram_credentials([user])[user].result(60).scram_credential_infos])
    say("delete SCRAM user", outcome(a.alter_user_scram_credentials([UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_256)])[user]))
    acl = AclBinding(ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, "User:eve", "*", AclOperation.READ, AclPermissionType.ALLOW)
    say("ACLs without an authorizer", outcome(a.create_acls([acl])[acl]))
    say("delete topic", outcome(a.delete_topics([topic])[topic]))
    say("delete it twice", outcome(a.delete_topics([topic + "-never"])[topic + "-never"]))


def errors(brokers, say):
    topic = f"{CLIENT}-errors"
    a = create(brokers, topic, 1, {"max.message.bytes": "1000"})
    p = Producer({"bootstrap.servers": brokers, "message.max.bytes": 5_000_000, "topic.metadata.propagation.max.ms": 1000, **QUIET})
    say("too large", send(p, topic, value="x" * 2000))
    say("unknown topic", send(p, topic + "-unknown", value="x"))
    try:
        say("unknown partition", send(p, topic, value="x", partition=9))
    except KafkaException as e:
        say("unknown partition", code(e))
    create(brokers, topic + "-compact", 1, {"cleanup.policy": "compact"})
    say("no key on a compacted topic", send(p, topic + "-compact", value="x"))
    create(brokers, topic + "-isr", 1, {"min.insync.replicas": "4"})
    say("min.insync.replicas 4 of 3", send(p, topic + "-isr", value="x"))
    for what, new in {
        "exists": NewTopic(topic, 1), "bad name": NewTopic("no/slash", 1), "no partitions": NewTopic(topic + "-0", 0), "replication 7": NewTopic(topic + "-7", 1, 7),
        "unknown config": NewTopic(topic + "-c", 1, config={"no.such.config": "1"}), "illegal config": NewTopic(topic + "-c", 1, config={"retention.ms": "soon"}),
        "illegal policy": NewTopic(topic + "-c", 1, config={"cleanup.policy": "shred"}), "unknown broker": NewTopic(topic + "-b", replica_assignment=[[99]]),
    }.items():
        try:
            say(what, outcome(list(a.create_topics([new]).values())[0]))
        except Exception as e:
            say(what, str(e))
    for what, entry in {"set": ConfigEntry("retention.ms", "soon", incremental_operation=AlterConfigOpType.SET),
                        "unknown": ConfigEntry("no.such.config", "1", incremental_operation=AlterConfigOpType.SET),
                        "append to no list": ConfigEntry("retention.ms", "1", incremental_operation=AlterConfigOpType.APPEND)}.items():
        r = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
        say("alter: " + what, outcome(a.incremental_alter_configs([r])[r]))
    r = ConfigResource(ConfigResource.Type.TOPIC, topic + "-unknown")
    say("configs of an unknown topic", outcome(a.describe_configs([r])[r]))
    say("more partitions of an unknown topic", outcome(a.create_partitions([NewPartitions(topic + "-unknown", 5)])[topic + "-unknown"]))
    c = Consumer({"bootstrap.servers": brokers, "group.id": topic, "auto.offset.reset": "error", **QUIET})
    c.assign([TopicPartition(topic, 0, 999)])
    m = c.poll(30)
    say("offset out of range", code(m.error()) if m else None)
    c.unassign()
    c.subscribe([topic + "-unknown"])
    m = c.poll(30)
    say("subscribe to an unknown topic", code(m.error()) if m else None)
    c.close()
    seen = []
    member = Member(brokers, topic + "-group", topic, seen)
    until([member], lambda: member.owns == 1, "a member")
    say("delete a group that has a member", outcome(a.delete_consumer_groups([topic + "-group"])[topic + "-group"]))
    altered = a.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(topic + "-group", [TopicPartition(topic, 0, 0)])])[topic + "-group"]
    say("alter its offsets", outcome(altered))
    member.leave()


def restart(brokers, say):
    topic = f"{CLIENT}-restart"
    create(brokers, topic)
    p = Producer({"bootstrap.servers": brokers, "enable.idempotence": True, "linger.ms": 1, **QUIET})
    acked, failed, n, stop = [], [], [0], threading.Event()

    def report(err, m):
        (failed if err else acked).append(code(err) if err else text(m.value()))

    def flow():
        while not stop.is_set():
            p.produce(topic, value=str(n[0]), partition=n[0] % 3, on_delivery=report)
            n[0] += 1
            stop.wait(0.01)
            p.poll(0)

    flowing = threading.Thread(target=flow, daemon=True)
    flowing.start()
    seen = []
    members = [Member(brokers, topic, topic, seen, **{"session.timeout.ms": 10000}) for _ in range(2)]
    until(members, lambda: len(seen) > 50 and members[0].owns + members[1].owns == 3, "before")
    contract.restart(f"{CLIENT}/restart")
    before = len(acked)
    until(members, lambda: len(acked) > before + 100, "after", 90)
    stop.set()
    flowing.join()
    p.flush(60)
    say("failed", sorted(set(failed)))
    until(members, lambda: set(acked) <= {s[2] for s in seen}, "all read", 90)
    say("lost", sorted(set(acked) - {s[2] for s in seen}))
    records = [text(m.value()) for m in read(brokers, topic)]
    say("written once and in order", [len(records) == len(set(records)) == n[0], all(
        [int(v) for v in records if int(v) % 3 == q] == sorted(int(v) for v in records if int(v) % 3 == q) for q in range(3))])
    for m in members:
        m.leave()


def login(user, password=None, mechanism="PLAIN"):
    return {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": mechanism, "sasl.username": user, "sasl.password": password or user + "-secret"}


def rights(brokers, say):
    topic = f"{CLIENT}-rights"
    root = login("admin")
    a = create(brokers, topic, 1, **root)
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]:
        say(mechanism, len(admin(brokers, **login("alice", mechanism=mechanism)).list_topics(timeout=20).brokers))
        errs = []
        wrong = Producer({"bootstrap.servers": brokers, "error_cb": lambda e, errs=errs: errs.append(e), **QUIET, **login("alice", "wrong", mechanism)})
        until([], lambda: wrong.poll(0.1) is not None and any(e.code() == KafkaError._AUTHENTICATION for e in errs), "refused")
        say(mechanism + ", wrong password", "_AUTHENTICATION")
    alice = {"bootstrap.servers": brokers, "message.timeout.ms": 5000, **QUIET, **login("alice")}
    say("sees topics", topic in admin(brokers, **login("alice")).list_topics(timeout=20).topics)
    p = Producer(alice)
    say("produce", send(p, topic, value="x"))
    say("create a topic", outcome(admin(brokers, **login("alice")).create_topics([NewTopic(topic + "-hers", 1)])[topic + "-hers"]))
    say("delete a topic", outcome(admin(brokers, **login("alice")).delete_topics([topic])[topic]))
    acl = lambda kind, name, op: AclBinding(kind, name, ResourcePatternType.LITERAL, "User:alice", "*", op, AclPermissionType.ALLOW)  # noqa: E731
    grants = [acl(ResourceType.TOPIC, topic, AclOperation.WRITE), acl(ResourceType.TOPIC, topic, AclOperation.READ)]
    say("grant", [outcome(f) for f in a.create_acls(grants).values()])
    p = Producer(alice)
    got = []
    until([], lambda: got.append(send(p, topic, value="x")) or isinstance(got[-1], dict), "granted")
    say("granted", got[-1])
    c = Consumer({**alice, "group.id": topic + "-group", "auto.offset.reset": "earliest"})
    c.subscribe([topic])
    m = c.poll(30)
    say("group", code(m.error()) if m and m.error() else None)
    c.close()
    say("grant the group", [outcome(f) for f in a.create_acls([acl(ResourceType.GROUP, topic + "-group", AclOperation.READ)]).values()])
    until([], lambda: readable(alice, topic, topic + "-group"), "group granted")
    say("group granted", "read")
    everything = AclBindingFilter(ResourceType.ANY, None, ResourcePatternType.ANY, "User:alice", None, AclOperation.ANY, AclPermissionType.ANY)
    mine = lambda acls: sorted([b.restype.name, b.name, b.operation.name, b.permission_type.name, b.host] for b in acls if b.name.startswith(topic))  # noqa: E731
    say("described", mine(a.describe_acls(everything).result(60)))
    say("described by alice", outcome(admin(brokers, **login("alice")).describe_acls(everything)))
    of = AclBindingFilter(ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, "User:alice", None, AclOperation.ANY, AclPermissionType.ANY)
    say("revoked", mine(a.delete_acls([of])[of].result(60)))


def readable(alice, topic, group):
    c = Consumer({**alice, "group.id": group, "auto.offset.reset": "earliest"})
    c.subscribe([topic])
    m = c.poll(10)
    c.close()
    return bool(m and not m.error())


asyncio.run(contract.play(CLIENT, {
    "produce": produce, "groups": groups, "consumer-protocol": consumer_protocol, "transactions": transactions, "admin": administration, "errors": errors,
    "restart": restart, "rights": rights,
}))
