"""kcat: its command lines, as a program that ../doc.go describes."""
import asyncio
import json
import os
import re
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python"))
import contract  # noqa: E402

CLIENT = "kcat"


def kcat(brokers, *args, stdin="", limit=60):
    done = subprocess.run(["kcat", "-b", brokers, *args], input=stdin, capture_output=True, text=True, timeout=limit)
    return done.returncode, done.stdout, re.sub(r"^%\d\|[\d.]+\||(?<=\(broker )\d", "", done.stderr, flags=re.M)


def create(brokers, topic, partitions=3, configs=(), login=()):
    """kcat creates no topics; Kafka's own tool does, which the suite's JVM is for. An admin client of librdkafka does it here."""
    from confluent_kafka.admin import AdminClient, NewTopic
    settings = {"bootstrap.servers": brokers, **dict(s.split("=", 1) for s in login if s != "-X")}
    a = AdminClient(settings)
    for future in a.create_topics([NewTopic(topic, partitions, config=dict(configs))]).values():
        future.result(30)
    deadline = time.monotonic() + 30
    while not all(sum("partition " in line and "leader -1" not in line for line in kcat(b, "-L", "-t", topic, *login)[1].splitlines()) == partitions
                  for b in brokers.split(",") * 2):  # kcat asks any broker, whatever the bootstrap address
        if time.monotonic() > deadline:
            raise RuntimeError(f"{topic} does not come")
    return a


FORMAT = ["-f", "%p|%o|%k|%s|%h|%S\\n"]


def produce(brokers, say):
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
        topic = f"{CLIENT}-produce-{codec}"
        create(brokers, topic)
        lines = "".join(f"key-{i}:{'value-' * 20}{i}\n" for i in range(10))
        say(codec, kcat(brokers, "-P", "-t", topic, "-K:", "-z", codec, "-H", "h=1", "-X", "topic.partitioner=murmur2_random", stdin=lines)[::2])
        say(codec + ", null", kcat(brokers, "-P", "-t", topic, "-K:", "-Z", "-p", "1", stdin="key-1:\n")[::2])
        code, out, _ = kcat(brokers, "-C", "-t", topic, "-o", "beginning", "-e", "-q", *FORMAT)
        say(codec + ", read", [code, sorted(out.splitlines())])
        code, out, _ = kcat(brokers, "-C", "-t", topic, "-p", "1", "-o", "-1", "-e", "-q", "-J")
        last = json.loads(out)
        say(codec + ", last", [code, {k: last[k] for k in ("topic", "partition", "offset", "tstype", "key", "payload")}])
        say(codec + ", offset", kcat(brokers, "-Q", "-t", f"{topic}:1:-1")[1])


def groups(brokers, say):
    topic = f"{CLIENT}-groups"
    create(brokers, topic, 4)
    args = ["-G", topic, "-X", "auto.offset.reset=earliest", "-X", "session.timeout.ms=6000", "-q", "-u", "-f", "%s\\n", topic]
    seen, owned = set(), {}

    def member(name):
        p = subprocess.Popen(["kcat", "-b", brokers, "-X", "topic.metadata.refresh.interval.ms=500", *[a for a in args if a != "-q"]], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

        def values():
            for line in p.stdout:
                seen.add(line.strip())

        def events():
            for line in p.stderr:
                if "assigned:" in line:
                    owned[name] = line.count("[")
                elif "revoked:" in line:
                    owned[name] = 0

        for reading in (values, events):
            threading.Thread(target=reading, daemon=True).start()
        return p

    sent, stop = [0], threading.Event()

    def flow():
        p = subprocess.Popen(["kcat", "-b", brokers, "-P", "-t", topic, "-X", "linger.ms=1", "-X", "topic.partitioner=random"], stdin=subprocess.PIPE, text=True)
        while not stop.is_set():
            p.stdin.write(f"{sent[0]}\n")
            p.stdin.flush()
            sent[0] += 1
            stop.wait(0.01)
        p.stdin.close()
        p.wait(30)

    flowing = threading.Thread(target=flow, daemon=True)
    flowing.start()

    def until(what, condition):
        deadline = time.monotonic() + 60
        while not condition():
            if time.monotonic() > deadline:
                raise RuntimeError(f"{what}: {owned} {len(seen)}")
            time.sleep(0.02)

    first = member("first")
    until("one member", lambda: owned.get("first") == 4 and len(seen) > 10)
    second = member("second")
    until("two members", lambda: owned.get("first", 0) == 2 and owned.get("second") == 2)
    say("two members", sorted(owned.values()))
    second.terminate()
    second.wait(30)
    until("one left", lambda: owned["first"] == 4)
    stop.set()
    flowing.join()
    until("all read", lambda: len(seen) >= sent[0])
    say("missing", sorted(set(range(sent[0])) - {int(s) for s in seen}))
    first.terminate()
    say("ended", [first.wait(30), second.returncode])


def transactions(brokers, say):
    topic = f"{CLIENT}-transactions"
    create(brokers, topic, 1)
    say("commit", kcat(brokers, "-P", "-t", topic, "-X", "transactional.id=kcat-tx", stdin="one\ntwo\n")[0])
    for isolation in ["read_committed", "read_uncommitted"]:  # two records by number: the marker follows what EndTxn answers
        say(isolation, kcat(brokers, "-C", "-t", topic, "-o", "beginning", "-c", "2", "-q", "-X", f"isolation.level={isolation}", "-f", "%o %s\\n")[1])


def metadata(brokers, say):
    topic = f"{CLIENT}-metadata"
    create(brokers, topic, 2)
    listed = json.loads(kcat(brokers, "-L", "-J", "-t", topic)[1])
    say("brokers", len(listed["brokers"]))
    say("topic", [[p["partition"], len(p["replicas"]), len(p["isrs"])] for p in listed["topics"][0]["partitions"]])
    kcat(brokers, "-P", "-t", topic, "-p", "0", stdin="a\nb\nc\n")
    say("by time", kcat(brokers, "-Q", "-t", f"{topic}:0:1")[1])
    say("from the middle", kcat(brokers, "-C", "-t", topic, "-p", "0", "-o", "1", "-c", "2", "-q", "-f", "%o %s %T\\n")[1].count("\n"))


def errors(brokers, say):
    topic = f"{CLIENT}-errors"
    create(brokers, topic, 1, {"max.message.bytes": "1000"})
    say("too large", kcat(brokers, "-P", "-t", topic, "-X", "message.max.bytes=5000000", stdin="x" * 2000 + "\n")[::2])
    say("unknown topic", kcat(brokers, "-C", "-t", topic + "-unknown", "-e", "-q")[::2])
    code, _, said = kcat(brokers, "-P", "-t", topic + "-unknown", "-X", "topic.metadata.propagation.max.ms=1000", stdin="x\n")
    say("produce to it", [code, said])
    say("metadata of it", json.loads(kcat(brokers, "-L", "-J", "-t", topic + "-unknown")[1])["topics"])
    say("offset out of range", kcat(brokers, "-C", "-t", topic, "-p", "0", "-o", "99", "-e", "-q", "-X", "topic.auto.offset.reset=error", "-X", "auto.offset.reset=error")[::2])


def restart(brokers, say):
    topic = f"{CLIENT}-restart"
    create(brokers, topic)
    # -E, as kcat ends by itself where it finds all brokers down at once: the reference broker's restart within milliseconds.
    reading = subprocess.Popen(["kcat", "-b", brokers, "-C", "-t", topic, "-o", "beginning", "-q", "-u", "-E", "-f", "%s\\n"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    writing = subprocess.Popen(["kcat", "-b", brokers, "-P", "-E", "-t", topic, "-X", "enable.idempotence=true", "-X", "linger.ms=1"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    seen, sent, stop = [], [0], threading.Event()

    def read():
        for line in reading.stdout:
            seen.append(line.strip())

    def flow():
        while not stop.is_set():
            writing.stdin.write(f"{sent[0]}\n")
            writing.stdin.flush()
            sent[0] += 1
            stop.wait(0.01)
        writing.stdin.close()

    threading.Thread(target=read, daemon=True).start()
    flowing = threading.Thread(target=flow, daemon=True)
    flowing.start()

    def until(what, condition):
        deadline = time.monotonic() + 90
        while not condition():
            if time.monotonic() > deadline:
                raise RuntimeError(f"{what}: {len(seen)} of {sent[0]}")
            time.sleep(0.02)

    until("before", lambda: len(seen) > 50)
    contract.restart(f"{CLIENT}/restart")
    before = len(seen)
    until("after", lambda: len(seen) > before + 100)
    stop.set()
    flowing.join()
    say("written", writing.wait(60))
    until("all read", lambda: len(set(seen)) == sent[0])
    say("once each", len(seen) == len(set(seen)))
    reading.terminate()
    reading.wait(30)


def login(user, password=None, mechanism="PLAIN"):
    out = []
    for s in ["security.protocol=SASL_PLAINTEXT", f"sasl.mechanism={mechanism}", f"sasl.username={user}", f"sasl.password={password or user + '-secret'}"]:
        out += ["-X", s]
    return out


def rights(brokers, say):
    topic = f"{CLIENT}-rights"
    create(brokers, topic, 1, login=login("admin"))
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]:
        for password in ["alice-secret", "wrong"]:  # SCRAM of librdkafka before 2.6.1 repeats its nonce, which Kafka refuses since 4.0
            code, out, said = kcat(brokers, "-L", "-m", "3", *login("alice", password, mechanism))
            say(f"{mechanism} {password}", [code, out.count("broker 1"), sorted(set(re.findall(r"Authentication failed[^()\n]*", said)))])
    say("metadata", json.loads(kcat(brokers, "-L", "-J", "-t", topic, *login("alice"))[1])["topics"])
    code, _, said = kcat(brokers, "-P", "-t", topic, "-X", "message.timeout.ms=3000", *login("alice"), stdin="x\n")
    say("produce", [code, "authorization failed" in said])
    code, _, said = kcat(brokers, "-C", "-t", topic, "-e", "-q", *login("alice"))
    say("consume", [code, "authorization failed" in said])


asyncio.run(contract.play(CLIENT, {
    "produce": produce, "groups": groups, "transactions": transactions, "metadata": metadata, "errors": errors, "restart": restart, "rights": rights,
}))
