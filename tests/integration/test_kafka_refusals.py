# SPDX-License-Identifier: Apache-2.0
"""What brokers and a registry refuse, and when they are away or full: one clear line, nothing lost,
and on it goes when that is cured."""

import os
import resource

import pytest

from support import kafka_rows
from support.kafka_server import Kafka
from support.process import wait_for
from test_kafka import Counters, check_counted_once, secured
from test_kafka_formats import avro_options


def as_clerk(kafka):
    return secured(kafka, "sasl", **{
        "security.protocol": "sasl_plaintext", "sasl.mechanisms": "PLAIN",
        "sasl.username": "clerk", "sasl.password": "some-rights"})


def rights_of(feed):
    """All that a sync needs, by what it is."""
    return {"write": f"WRITE topic {feed.name}.", "create": f"CREATE topic {feed.name}.",
            "place": "READ topic =millrace-transactions",
            "id": "WRITE transactional_id millrace-",
            "group": "READ group millrace-"}


@pytest.fixture
def clerk_feed(maria_feed):
    maria_feed.execute("CREATE TABLE t (id INT PRIMARY KEY, v INT)",
                       "INSERT INTO t VALUES (1, 1), (2, 2)")
    if "millrace-transactions" not in maria_feed.kafka.topics():
        maria_feed.kafka.make_topic("millrace-transactions", 1)
    yield maria_feed
    maria_feed.kafka.forget_rights()


def check_cured(feed):
    """Each row is there once, and what comes afterwards too. An agent that waits goes on by itself,
    one that parked the table, or ended, is started again."""
    if feed.agent.alive() and " is parked" in feed.agent.log():
        feed.agent.stop()
    if not feed.agent.alive():
        feed.agent.start()
    feed.execute("INSERT INTO t VALUES (3, 3)")
    found = feed.wait_messages("t", 3)
    assert sorted(message.json["after"]["id"] for message in found) == [1, 2, 3]


def test_a_user_with_all_rights(clerk_feed):
    feed = clerk_feed
    feed.kafka.allow(*rights_of(feed).values())
    feed.start(sink=as_clerk(feed.kafka))
    check_cured(feed)
    status, text = feed.agent.command("check")
    assert status == 0, text


MISSING = {
    "create": "making topic '{topic}': .*authorization failed.*grant CREATE",
    "write": "topic '{topic}': .*authorization failed.*grant .*WRITE",
    "place": "topic 'millrace-transactions': .*authorization failed.*grant .*READ",
    "id": "transactional id.* authorization failed.*grant WRITE and DESCRIBE on transactional ids",
    "group": "group.* authorization failed.*grant READ on groups"}


@pytest.mark.parametrize("missing", MISSING)
def test_a_right_that_is_missing(clerk_feed, missing):
    feed = clerk_feed
    rights = rights_of(feed)
    feed.kafka.allow(*[right for name, right in rights.items() if name != missing])
    feed.start(sink={**as_clerk(feed.kafka), "request.timeout": "5s"}, wait=False)
    words = MISSING[missing].format(topic=f"{feed.name}.t")
    feed.agent.wait_log(words)
    status, text = feed.agent.command("check")
    if missing == "create":
        assert status != 0 and "cannot be made; " in text and "grant CREATE" in text, text
    elif missing != "write":
        assert status != 0 and "these rights" in text, text
    feed.kafka.allow(rights[missing])
    check_cured(feed)


def test_a_topic_that_may_not_be_described(clerk_feed):
    feed = clerk_feed
    feed.kafka.make_topic(f"{feed.name}.t")
    feed.kafka.allow(*rights_of(feed).values())
    feed.kafka.allow(f"DESCRIBE topic {feed.name}.", deny=True)
    feed.start(sink=as_clerk(feed.kafka))
    feed.agent.wait_log(f"topic '{feed.name}.t': .*authorization failed.*grant .*DESCRIBE")
    feed.kafka.forget_rights()
    feed.kafka.allow(*rights_of(feed).values())
    check_cured(feed)


# ---- the broker ----

@pytest.fixture
def newest_kafka(lab_folder):
    server = Kafka(os.path.join(lab_folder, "newest-kafka")).start()
    yield server
    server.remove()


def test_a_broker_whose_disk_is_full(feed_for, servers, newest_kafka, full):
    """Kafka ends when it cannot write; the agent waits for it. With so many commits some runs meet
    KAFKA-20734: a coordinator that comes back before its partitions have leaders writes no markers.
    """
    if not full:
        pytest.skip("only with --full: it waits for half a minute")
    feed = feed_for(servers.get("mariadb"), newest_kafka)
    counters = Counters(feed)
    counters.prepare()
    feed.start(sink={"sink.buffer-flush.interval": "10ms"})
    counters.start()
    wait_for(lambda: feed.agent.sink_status()["rows"] > 300, 60, "some rounds")
    before = len(feed.agent.log())
    resource.prlimit(newest_kafka.process.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    feed.agent.wait_log(r"warn (sending loads|preparing a table): Kafka: .*trying again",
                        timeout=60, after=before)
    wait_for(lambda: not newest_kafka.process.alive(), 60, "the broker to end")
    newest_kafka.start()
    seen = counters.rounds
    wait_for(lambda: counters.rounds > seen + 30, 60, "more rounds")
    counters.end()
    check_counted_once(feed)


def test_a_topic_that_takes_smaller_messages_only(maria_feed):
    """The limit of the topic is the broker's to enforce: ours is larger."""
    feed = maria_feed
    feed.execute("CREATE TABLE t (id INT PRIMARY KEY, v TEXT)", "CREATE TABLE other LIKE t")
    feed.start(sink={"topic.creation.config.max.message.bytes": "20000"})
    feed.execute("INSERT INTO t VALUES (1, 'small'), (2, REPEAT('x', 50000))",
                 "INSERT INTO other VALUES (1, 'small')")
    feed.wait_messages("other", 1)
    topic = f"{feed.name}.t"
    feed.agent.wait_log(f"table '{topic}' is parked.*Message size too large.*"
                        "max.message.bytes of the topic")
    feed.kafka.configure_topic(topic, max_message_bytes="100000")
    feed.agent.stop()
    feed.agent.start()
    found = feed.wait_messages("t", 2)
    assert sorted(message.json["after"]["id"] for message in found) == [1, 2]


# ---- the registry ----

def test_a_registry_that_is_away(maria_feed, registry):
    feed = maria_feed
    feed.execute("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 1)")
    feed.start(sink=avro_options(registry))
    feed.wait_messages("t", 1)
    registry.process.stop()  # a kill may lose what it has stored last
    feed.execute("INSERT INTO t VALUES (2, 2)", "ALTER TABLE t ADD COLUMN w INT",
                 "INSERT INTO t VALUES (3, 3, 3)")
    line = feed.agent.wait_log(r".*schema registry: .*trying again.*").group()
    assert f"127.0.0.1:{registry.port}" in line or "connect" in line, line
    registry.start()
    found = feed.wait_messages("t", 3)
    reader = kafka_rows.AvroReader(registry)
    after = sorted((reader.read(m.raw_value)["after"] for m in found), key=lambda row: row["id"])
    assert after == [{"id": 1, "v": 1}, {"id": 2, "v": 2}, {"id": 3, "v": 3, "w": 3}]


def test_a_schema_that_is_refused(maria_feed, registry):
    feed = maria_feed
    feed.execute("CREATE TABLE t (id INT PRIMARY KEY, v INT NOT NULL)",
                 "INSERT INTO t VALUES (1, 1)", "CREATE TABLE other (id INT PRIMARY KEY)")
    feed.start(sink=avro_options(registry))
    feed.wait_messages("t", 1)
    registry.put(f"/config/{feed.name}.t-value", {"compatibility": "FULL"})
    feed.execute("ALTER TABLE t MODIFY v VARCHAR(10) NOT NULL", "INSERT INTO t VALUES (2, 'x')",
                 "INSERT INTO other VALUES (1)")
    feed.wait_messages("other", 1)
    feed.agent.wait_log(f"is parked.*subject '{feed.name}.t-value': status 409.*allow the change")
    registry.put(f"/config/{feed.name}.t-value", {"compatibility": "NONE"})
    feed.agent.stop()
    feed.agent.start()
    reader = kafka_rows.AvroReader(registry)

    def arrived():
        feed.agent.check_alive()
        values = [reader.read(message.raw_value)["after"] for message in feed.messages("t")]
        return {"id": 2, "v": "x"} in values and {"id": 1, "v": "1"} in values

    wait_for(arrived, 60, "the rows in their new shape", interval=0.5)
