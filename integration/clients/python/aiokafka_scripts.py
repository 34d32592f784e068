"""aiokafka: a program as ../doc.go describes it."""
import asyncio
import logging

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata

import contract

CLIENT = "aiokafka"
logging.disable(logging.CRITICAL)


async def outcome(awaitable):
    try:
        await awaitable
        return "done"
    except KafkaError as e:
        return f"{type(e).__name__}: {e}"


def codes(response):
    """The error codes and texts of an admin response, by what they are about."""
    return sorted([str(part) for part in entry] for entry in response.to_object().get("topic_errors", response.to_object().get("topic_error_codes", [])) for entry in [entry.values()])


async def until(what, condition, limit=60):
    async with asyncio.timeout(limit):
        while True:
            is_so = condition()
            if asyncio.iscoroutine(is_so):
                is_so = await is_so
            if is_so:
                return
            await asyncio.sleep(0.02)


async def admin(brokers, **more):
    a = AIOKafkaAdminClient(bootstrap_servers=brokers, **more)
    await a.start()
    return a


async def create(brokers, topic, partitions=3, configs=None, **more):
    a = await admin(brokers, **more)
    made = await a.create_topics([NewTopic(topic, partitions, 1 if more else 3, topic_configs=configs or {})])
    if any(e[1] for e in made.topic_errors):
        raise RuntimeError(str(made))

    async def led():
        described = (await a.describe_topics([topic]))[0]
        return described["error_code"] == 0 and len(described["partitions"]) == partitions and all(p["leader"] >= 0 for p in described["partitions"])

    for _ in range(30):  # whichever broker it asks
        await until(topic, led)
    return a


async def producer(brokers, **more):
    p = AIOKafkaProducer(bootstrap_servers=brokers, linger_ms=0, **{"acks": "all", **more})
    await p.start()
    return p


async def read(brokers, topic, partitions=3, **more):
    """Everything that a topic holds, by partition and offset."""
    c = AIOKafkaConsumer(bootstrap_servers=brokers, enable_auto_commit=False, auto_offset_reset="earliest", **more)
    await c.start()
    parts = [TopicPartition(topic, p) for p in range(partitions)]
    c.assign(parts)
    ends = await c.end_offsets(parts)
    records = []
    async with asyncio.timeout(60):
        for tp in parts:
            while await c.position(tp) < ends[tp]:
                for batch in (await c.getmany(timeout_ms=200)).values():
                    records += batch
    await c.stop()
    return sorted(records, key=lambda r: (r.partition, r.offset))


def text(b):
    return None if b is None else b.decode()


async def produce(brokers, say):
    for codec in [None, "gzip", "snappy", "lz4", "zstd"]:
        topic = f"{CLIENT}-produce-{codec}"
        await (await create(brokers, topic)).close()
        p = await producer(brokers, compression_type=codec, enable_idempotence=True)
        for i in range(10):
            m = await p.send_and_wait(topic, key=f"key-{i}".encode(), value=(f"value-{i} " * 20).encode(), headers=[("n", str(i).encode())])
            say(str(codec), [m.partition, m.offset, m.timestamp_type])
        m = await p.send_and_wait(topic, value=b"no key", partition=1)
        say(f"{codec}, no key", [m.partition, m.offset])
        m = await p.send_and_wait(topic, key=b"key-1", value=None)
        say(f"{codec}, tombstone", [m.partition, m.offset])
        futures = [await p.send(topic, key=f"batch-{i}".encode(), value=str(i).encode() * 50) for i in range(300)]
        say(f"{codec}, batch", len(await asyncio.gather(*futures)))
        await p.stop()
        records = await read(brokers, topic)
        say(f"{codec}, read", [[r.partition, r.offset, text(r.key), text(r.value), [[k, text(v)] for k, v in r.headers]] for r in records
                               if not (text(r.key) or "").startswith("batch")])
        say(f"{codec}, read all", len(records))


class Member:
    """A group's member that reads until it is closed, and commits what it read."""

    def __init__(self, brokers, group, topic, seen, **more):
        self.consumer = AIOKafkaConsumer(topic, bootstrap_servers=brokers, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False,
                                         session_timeout_ms=10000, heartbeat_interval_ms=300, metadata_max_age_ms=2000, **more)
        self.seen, self.stopping = seen, False
        self.task = asyncio.create_task(self.run())

    @property
    def owns(self):
        return len(self.consumer.assignment())

    async def run(self):
        await self.consumer.start()
        try:
            while not self.stopping:
                batches = await self.consumer.getmany(timeout_ms=100)
                self.seen.update(text(r.value) for batch in batches.values() for r in batch)
                if batches:
                    try:
                        await self.consumer.commit({tp: batch[-1].offset + 1 for tp, batch in batches.items()})
                    except KafkaError:
                        pass  # a rebalance: whoever owns it now reads it again
        finally:
            await self.consumer.stop()

    async def close(self):
        self.stopping = True
        await self.task


class Flow:
    """Writes numbers until it is closed."""

    def __init__(self, p, topic):
        self.p, self.topic, self.sent, self.acked, self.failed, self.stopping = p, topic, 0, set(), set(), False
        self.task = asyncio.create_task(self.run())

    async def run(self):
        while not self.stopping:
            value = str(self.sent)
            self.sent += 1
            try:
                await self.p.send_and_wait(self.topic, key=value.encode(), value=value.encode())
                self.acked.add(value)
            except KafkaError as e:
                self.failed.add(type(e).__name__)
            await asyncio.sleep(0.005)

    async def close(self):
        self.stopping = True
        await self.task


async def groups(brokers, say):
    for assignor in [RangePartitionAssignor, RoundRobinPartitionAssignor, StickyPartitionAssignor]:
        topic = f"{CLIENT}-groups-{assignor.name}"
        a = await create(brokers, topic, 4)
        p = await producer(brokers, enable_idempotence=True)
        flow, seen = Flow(p, topic), set()
        more = {"partition_assignment_strategy": [assignor]}
        first = Member(brokers, topic, topic, seen, **more)
        await until("one member", lambda: first.owns == 4 and len(seen) > 20)
        second = Member(brokers, topic, topic, seen, **more)
        await until("two members", lambda: first.owns == 2 and second.owns == 2)
        say(assignor.name + ": two members", [first.owns, second.owns])
        before = len(seen)
        await until("two members read", lambda: len(seen) > before + 20)

        async def group():
            return (await a.describe_consumer_groups([topic]))[0].to_object()["groups"][0]

        await until("a stable group", lambda: _stable(group, 2))
        described = await group()
        say(assignor.name + ": described", [described["error_code"], described["state"], described["protocol_type"], described["protocol"], len(described["members"])])
        await second.close()
        await until("one left", lambda: first.owns == 4)
        await flow.close()
        say(assignor.name + ": failed", sorted(flow.failed))
        await until("all read", lambda: flow.acked <= seen)

        async def committed():
            return sum(o.offset for o in (await a.list_consumer_group_offsets(topic)).values())

        await until("committed all", lambda: _is(committed, flow.sent))
        say(assignor.name + ": committed all", True)
        await first.close()
        await p.stop()
        await a.close()


async def transactions(brokers, say):
    topic = f"{CLIENT}-transactions"
    a = await create(brokers, topic, 1)
    p = await producer(brokers, transactional_id=topic)
    for i in range(4):
        await p.begin_transaction()
        for n in range(2):
            await p.send_and_wait(topic, key=b"abort" if i % 2 else b"commit", value=f"{i} {n}".encode())
        await (p.abort_transaction() if i % 2 else p.commit_transaction())
    for isolation in ["read_committed", "read_uncommitted"]:
        say(isolation, [[r.offset, text(r.key), text(r.value)] for r in await read(brokers, topic, 1, isolation_level=isolation)])
    tp = TopicPartition(topic, 0)
    for end in ["abort", "commit"]:
        await p.begin_transaction()
        await p.send_offsets_to_transaction({tp: OffsetAndMetadata(4, "by a transaction")}, topic)
        await (p.abort_transaction() if end == "abort" else p.commit_transaction())

        async def offsets():
            return {t.partition: [o.offset, o.metadata] for t, o in (await a.list_consumer_group_offsets(topic)).items()}

        if end == "commit":
            await until("the offsets", lambda: _has(offsets, 4))
        say("offsets after " + end, await offsets())
    newer = await producer(brokers, transactional_id=topic)

    async def late():
        await p.begin_transaction()
        await p.send_and_wait(topic, value=b"late")
        await p.commit_transaction()

    say("fenced", await outcome(late()))
    await newer.begin_transaction()
    await newer.send_and_wait(topic, value=b"newer")
    await newer.commit_transaction()

    async def written():
        return [text(r.value) for r in await read(brokers, topic, 1, isolation_level="read_committed")]

    await until("the newer one's record", lambda: _contains(written, "newer"))
    say("after it", (await written())[-1])
    await newer.stop()
    await a.close()


async def _is(value, wanted):
    return await value() == wanted


async def _stable(group, members):
    described = await group()
    return described["state"] == "Stable" and len(described["members"]) == members


async def _has(offsets, offset):
    return (await offsets()).get(0, [None])[0] == offset


async def administration(brokers, say):
    topic = f"{CLIENT}-admin"
    a = await create(brokers, topic, 3, {"retention.ms": "3600000"})
    cluster = await a.describe_cluster()
    say("cluster", [len(cluster["brokers"]), cluster["controller_id"] > 0])
    say("topics", topic in await a.list_topics())
    described = (await a.describe_topics([topic]))[0]
    say("topic", sorted([p["partition"], len(p["replicas"]), len(p["isr"]), p["leader"] == p["replicas"][0]] for p in described["partitions"]))
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    say("configs", sorted([str(v) for v in e] for r in await a.describe_configs([resource]) for res in r.resources for e in res[4]))
    await a.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs={"segment.ms": "600000"})])

    async def altered():
        return sorted([e[0], e[1]] for r in await a.describe_configs([resource]) for res in r.resources for e in res[4] if e[0] in ("segment.ms", "retention.ms"))

    for _ in range(30):  # whichever broker it asks
        await until("altered", lambda: _contains(altered, "600000"))
    say("altered", await altered())
    say("more partitions", await outcome(a.create_partitions({topic: NewPartitions(5)})))
    say("fewer partitions", await outcome(a.create_partitions({topic: NewPartitions(2)})))
    p = await producer(brokers)
    for i in range(20):
        await p.send_and_wait(topic, value=str(i).encode(), partition=0, timestamp_ms=1_700_000_000_000 + i)
    await p.stop()
    tp = TopicPartition(topic, 0)
    say("delete records", {str(k): v for k, v in (await a.delete_records({tp: RecordsToDelete(before_offset=7)})).items()})
    c = AIOKafkaConsumer(bootstrap_servers=brokers, group_id=topic, enable_auto_commit=False)
    await c.start()
    c.assign([tp])
    say("offsets", [(await c.beginning_offsets([tp]))[tp], (await c.end_offsets([tp]))[tp], list((await c.offsets_for_times({tp: 1_700_000_000_009}))[tp])])
    await c.commit({tp: OffsetAndMetadata(9, "metadata")})
    say("committed", await c.committed(tp))
    await c.stop()
    say("groups", [list(g) for g in await a.list_consumer_groups() if g[0] == topic])
    say("group's offsets", {str(k): list(v) for k, v in (await a.list_consumer_group_offsets(topic)).items()})
    say("delete topic", codes(await a.delete_topics([topic])))
    say("delete an unknown topic", codes(await a.delete_topics([topic + "-none"])))
    await a.close()


async def _contains(values, what):
    return what in str(await values())


async def errors(brokers, say):
    topic = f"{CLIENT}-errors"
    a = await create(brokers, topic, 1, {"max.message.bytes": "1000"})
    await (await create(brokers, topic + "-compact", 1, {"cleanup.policy": "compact"})).close()
    p = await producer(brokers, max_request_size=5_000_000)
    say("too large", await outcome(p.send_and_wait(topic, value=b"x" * 2000)))
    say("no key on a compacted topic", await outcome(p.send_and_wait(topic + "-compact", value=b"x")))
    await p.stop()
    p = await producer(brokers, request_timeout_ms=3000)
    say("unknown topic", await outcome(p.send_and_wait(topic + "-unknown", value=b"x")))
    await p.stop()
    for what, new in {
        "exists": NewTopic(topic, 1, 1), "bad name": NewTopic("no/slash", 1, 1), "replication 7": NewTopic(topic + "-7", 1, 7),
        "illegal config": NewTopic(topic + "-c", 1, 1, topic_configs={"retention.ms": "soon"}), "unknown config": NewTopic(topic + "-c", 1, 1, topic_configs={"no.such": "1"}),
    }.items():
        say("create: " + what, codes(await a.create_topics([new])))
    altered = await a.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs={"retention.ms": "soon"})])
    say("alter", [[str(v) for v in r] for x in altered for r in x.resources])
    say("describe an unknown topic", (await a.describe_topics([topic + "-unknown"]))[0]["error_code"])
    c = AIOKafkaConsumer(bootstrap_servers=brokers, auto_offset_reset="none")
    await c.start()
    tp = TopicPartition(topic, 0)
    c.assign([tp])
    c.seek(tp, 999)
    say("offset out of range", await outcome(asyncio.wait_for(c.getone(), 30)))
    await c.stop()
    await a.close()


async def restart(brokers, say):
    topic = f"{CLIENT}-restart"
    await (await create(brokers, topic, 3)).close()
    p = await producer(brokers, enable_idempotence=True, metadata_max_age_ms=2000)
    flow, seen = Flow(p, topic), set()
    members = [Member(brokers, topic, topic, seen) for _ in range(2)]
    await until("before", lambda: len(seen) > 50)
    await asyncio.to_thread(contract.restart, f"{CLIENT}/restart")
    before = len(flow.acked)
    await until("after", lambda: len(flow.acked) > before + 100, 90)
    await flow.close()
    say("failed", sorted(flow.failed))
    await until("all read", lambda: flow.acked <= seen, 90)
    say("lost", sorted(flow.acked - seen))
    for m in members:
        await m.close()
    await p.stop()
    records = await read(brokers, topic)
    say("written once", len(records) == len({r.value for r in records}))


def login(user, password=None, mechanism="PLAIN"):
    return {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": mechanism, "sasl_plain_username": user, "sasl_plain_password": password or user + "-secret"}


async def rights(brokers, say):
    topic = f"{CLIENT}-rights"
    root = await create(brokers, topic, 1, **login("admin"))
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]:
        for password in ["alice-secret", "wrong"]:
            a = AIOKafkaAdminClient(bootstrap_servers=brokers, **login("alice", password, mechanism))
            say(f"{mechanism} {password}", await outcome(a.start()))
            await a.close()
    a = await admin(brokers, **login("alice"))
    say("sees topics", topic in await a.list_topics())
    say("create a topic", codes(await a.create_topics([NewTopic(topic + "-hers", 1, 1)])))
    say("delete a topic", codes(await a.delete_topics([topic])))
    p = await producer(brokers, request_timeout_ms=3000, **login("alice"))
    say("produce", await outcome(p.send_and_wait(topic, value=b"x")))
    await p.stop()
    c = AIOKafkaConsumer(topic, bootstrap_servers=brokers, group_id=topic, auto_offset_reset="earliest", **login("alice"))
    say("consume", await outcome(_first(c)))
    await a.close()
    await root.close()


async def _first(c):
    await c.start()
    try:
        await asyncio.wait_for(c.getone(), 30)
    finally:
        await c.stop()


asyncio.run(contract.play(CLIENT, {
    "produce": produce, "groups": groups, "transactions": transactions, "admin": administration, "errors": errors, "restart": restart, "rights": rights,
}))
