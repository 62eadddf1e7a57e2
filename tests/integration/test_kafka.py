# SPDX-License-Identifier: Apache-2.0
"""The Kafka sink against an Apache Kafka 4 broker: what the messages are, and that each change is
there once, in the order of its key, whoever dies."""

import itertools
import os
import shutil
import signal
import threading
import time

import pytest

from support.agent import Agent
from support.kafka_server import Kafka
from support.process import wait_for

_numbers = itertools.count(1)


class Feed:
    """A database of a source and an agent that sends it to topics of its own."""

    def __init__(self, source, kafka, name, folder):
        self.source, self.kafka, self.name, self.folder = source, kafka, name, folder
        self.agent = None
        source.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")

    def execute(self, *statements):
        self.source.execute(*statements, database=self.name)

    def start(self, sink=None, pipeline=None, environment=None, wait=True, source=None):
        self.agent = Agent(
            os.path.join(self.folder, "agent"),
            self.source.source_options(tables=rf"{self.name}.\.*", **(source or {})),
            self.kafka.sink_options(**{"sink.buffer-flush.interval": "50ms", **(sink or {})}),
            pipeline={"name": self.name, **(pipeline or {})}, environment=environment)
        return self.agent.start(wait)

    def messages(self, table, committed=True):
        return self.kafka.messages(f"{self.name}.{table}", committed)

    def wait_messages(self, table, count, timeout=60):
        """The messages of a table once there are `count` of them; more are a failure."""
        def enough():
            self.agent.check_alive()
            if f"{self.name}.{table}" not in self.kafka.topics():
                return None
            found = self.messages(table)
            return found if len(found) >= count else None

        try:
            found = wait_for(enough, timeout, f"{count} messages", interval=0.3)
        except TimeoutError as error:
            raise AssertionError(f"{error}\nthe agent's log ends:\n{self.agent.log(25)}") from None
        assert len(found) == count, found
        return found

    def end(self):
        if self.agent:
            self.agent.stop()
        self.source.execute(f"DROP DATABASE IF EXISTS {self.name}")


@pytest.fixture
def own_kafka(lab_folder):
    """A broker for this test alone, which may kill it."""
    server = Kafka(os.path.join(lab_folder, f"own-kafka-{next(_numbers)}")).start()
    yield server
    server.remove()


@pytest.fixture
def feed_for(kafka, tmp_path):
    made = []

    def make(source, broker=None):
        name = f"feed{next(_numbers)}"
        made.append(Feed(source, broker or kafka, name, os.path.join(tmp_path, name)))
        return made[-1]

    yield make
    for feed in made:
        feed.end()


@pytest.fixture
def feed(feed_for, source):
    return feed_for(source)


@pytest.fixture
def maria_feed(feed_for, servers):
    return feed_for(servers.get("mariadb"))


def murmur2(data):
    """As Kafka's Java client computes it."""
    mask, mix = 0xFFFFFFFF, 0x5BD1E995
    value = 0x9747B28C ^ len(data)
    whole = len(data) // 4 * 4
    for at in range(0, whole, 4):
        word = int.from_bytes(data[at:at + 4], "little") * mix & mask
        word ^= word >> 24
        value = (value * mix & mask) ^ (word * mix & mask)
    rest = data[whole:]
    if rest:
        value = (value ^ int.from_bytes(rest, "little")) * mix & mask
    value ^= value >> 13
    value = value * mix & mask
    return value ^ value >> 15


ORDERS = ("CREATE TABLE orders (id BIGINT PRIMARY KEY, note VARCHAR(20) NULL, "
          "price DECIMAL(10,2) NOT NULL, d DATE NULL, at DATETIME(3) NULL)")
ORDER = "INSERT INTO orders VALUES (1001, 'hi', 12.50, '2026-11-20', '2026-11-20 08:30:00.000')"


def test_debezium_messages(feed):
    feed.execute(ORDERS, ORDER)
    feed.start()
    read = feed.wait_messages("orders", 1)[0]
    assert read.key == '{"id":1001}'
    assert read.partition == (murmur2(read.key.encode()) & 0x7FFFFFFF) % 4
    image = {"id": 1001, "note": "hi", "price": "BOI=", "d": 20777, "at": 1795163400000}
    assert read.json["before"] is None and read.json["after"] == image
    assert list(read.json) == ["before", "after", "source", "transaction", "op", "ts_ms", "ts_us",
                               "ts_ns"]
    assert (read.json["op"], read.json["source"]["snapshot"]) == ("r", "true")
    feed.execute("UPDATE orders SET note = 'yo', price = 13.99", "DELETE FROM orders")
    _, update, delete, tombstone = feed.wait_messages("orders", 4)
    changed = {**image, "note": "yo", "price": "BXc="}
    assert (update.json["op"], update.json["before"], update.json["after"]) == ("u", image, changed)
    assert (delete.json["op"], delete.json["before"], delete.json["after"]) == ("d", changed, None)
    assert (tombstone.key, tombstone.value) == ('{"id":1001}', None)
    origin = update.json["source"]
    assert list(origin) == ["version", "connector", "name", "ts_ms", "snapshot", "db", "sequence",
                            "ts_us", "ts_ns", "table", "server_id", "gtid", "file", "pos", "row",
                            "thread", "query"]
    assert (origin["connector"], origin["name"]) == (feed.source.source_type, "millrace")
    assert (origin["snapshot"], origin["db"], origin["table"]) == ("false", feed.name, "orders")
    assert origin["server_id"] == feed.source.server_id
    files = [row[0] for row in feed.source.query("SHOW BINARY LOGS")]
    assert origin["file"] in files and origin["row"] == 0 and origin["pos"] > 4
    events = feed.source.query(f"SHOW BINLOG EVENTS IN '{origin['file']}' FROM {origin['pos']} "
                               "LIMIT 1")
    assert "update_rows" in events[0][2].lower(), events
    assert abs(origin["ts_ms"] - time.time() * 1000) < 120000
    assert origin["gtid"], origin


def test_a_key_that_changes(maria_feed):
    feed = maria_feed
    feed.execute("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 5)")
    feed.start()
    feed.wait_messages("t", 1)
    feed.execute("UPDATE t SET id = 2")
    found = [m for m in feed.wait_messages("t", 4) if m.value is None or m.json["op"] != "r"]
    old = [m for m in found if m.key == '{"id":1}']
    new = [m for m in found if m.key == '{"id":2}']
    assert old[0].json["op"] == "d" and old[0].headers == {"__debezium.newkey": '{"id":2}'}
    assert old[1].value is None
    assert new[0].json["op"] == "c" and new[0].headers == {"__debezium.oldkey": '{"id":1}'}
    assert new[0].json["before"] is None and new[0].json["after"] == {"id": 2, "v": 5}


def test_a_table_without_a_key(maria_feed):
    feed = maria_feed
    feed.execute("CREATE TABLE t (v INT)", "INSERT INTO t VALUES (1), (1), (2)")
    feed.start(sink={"topic.creation.partitions": 5})
    feed.wait_messages("t", 3)
    feed.execute("UPDATE t SET v = 3 WHERE v = 2", "DELETE FROM t WHERE v = 3")
    found = feed.wait_messages("t", 5)
    assert {m.key for m in found} == {None}
    assert len({m.partition for m in found}) == 1, "a table without a key keeps its order"
    assert [m.json["op"] for m in found] == ["r", "r", "r", "u", "d"]


class Counters(threading.Thread):
    """Counts up rows of two tables, several rows a transaction, until it is told to end."""

    KEYS = 12

    def __init__(self, feed):
        super().__init__(daemon=True)
        self.feed, self.ended, self.rounds = feed, threading.Event(), 0

    def prepare(self):
        for table in ("a", "b"):
            rows = ", ".join(f"({key}, 0)" for key in range(self.KEYS))
            self.feed.execute(f"CREATE TABLE {table} (id INT PRIMARY KEY, v INT NOT NULL)",
                              f"INSERT INTO {table} VALUES {rows}")

    def run(self):
        with self.feed.source.connect(database=self.feed.name) as connection:
            with connection.cursor() as cursor:
                while not self.ended.is_set():
                    low = self.rounds % self.KEYS
                    cursor.execute("BEGIN")
                    cursor.execute(f"UPDATE a SET v = v + 1 WHERE id >= {low}")
                    cursor.execute(f"UPDATE b SET v = v + 1 WHERE id <= {low}")
                    cursor.execute("COMMIT")
                    self.rounds += 1
                    time.sleep(0.002)

    def end(self):
        self.ended.set()
        self.join(60)


def check_counted_once(feed, timeout=120):
    """Each key's messages count up by one, without a gap or a repetition, to the source's value."""
    for table in ("a", "b"):
        wanted = dict(feed.source.query(f"SELECT id, v FROM {table}", database=feed.name))
        counted = {}

        def arrived():
            feed.agent.check_alive()
            counted.clear()
            places = {}
            for message in feed.messages(table):
                key = message.json["after"]["id"]
                assert places.setdefault(key, message.partition) == message.partition
                counted.setdefault(key, []).append(message.json["after"]["v"])
            return {key: values[-1] for key, values in counted.items()} == wanted

        try:
            wait_for(arrived, timeout, f"table {table} to arrive", interval=0.5)
        except TimeoutError as error:
            last = {key: values[-1] for key, values in counted.items()}
            raise AssertionError(f"{error}: {last} is not {wanted}\n{feed.agent.log(25)}") from None
        for key, values in counted.items():
            assert values == list(range(values[0], values[-1] + 1)), (table, key, values)


POINTS = ("delivery.before_write", "delivery.before_commit", "kafka.before_commit",
          "kafka.after_commit", "delivery.after_write", "delivery.before_done",
          "delivery.after_done", "delivery.before_resolve")


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_each_step_of_a_transaction(maria_feed, point):
    feed = maria_feed
    counters = Counters(feed)
    counters.prepare()
    feed.start()
    counters.start()
    wait_for(lambda: counters.rounds > 30, 60, "some rounds")
    feed.agent.kill()
    # Met by a run that first decides what the one before it left.
    feed.agent.environment["MILLRACE_FAULT"] = f"kill@{point}:{1 if 'resolve' in point else 3}"
    feed.agent.start(wait=False)
    if point == "delivery.before_resolve":  # met only when a transaction was left undecided
        time.sleep(5)
        feed.agent.kill()
    else:
        wait_for(lambda: not feed.agent.process.alive(), 60, "the agent to die")
        assert feed.agent.process.child.returncode == -signal.SIGKILL, feed.agent.log(10)
    del feed.agent.environment["MILLRACE_FAULT"]
    feed.agent.start()
    seen = counters.rounds
    wait_for(lambda: counters.rounds > seen + 30, 60, "more rounds")
    counters.end()
    check_counted_once(feed)


def test_the_agent_is_killed_at_any_time(feed, full):
    counters = Counters(feed)
    counters.prepare()
    feed.start()
    counters.start()
    for round in range(20 if full else 5):
        time.sleep(0.3 + 0.37 * (round % 4))
        feed.agent.kill()
        feed.agent.start()
    counters.end()
    check_counted_once(feed)


def test_the_broker_is_killed_at_any_time(feed_for, servers, own_kafka):
    feed = feed_for(servers.get("mariadb"), own_kafka)
    counters = Counters(feed)
    counters.prepare()
    feed.start()
    counters.start()
    for _ in range(2):
        time.sleep(1.5)
        own_kafka.kill()
        time.sleep(0.5)
        own_kafka.start()
        seen = counters.rounds
        wait_for(lambda: counters.rounds > seen + 50, 60, "more rounds")
    counters.end()
    check_counted_once(feed, timeout=180)


def test_a_second_agent_takes_over(feed_for, servers, tmp_path):
    """A copy of the checkpoint is started elsewhere: the first agent stops, nothing is doubled."""
    feed = feed_for(servers.get("mariadb"))
    counters = Counters(feed)
    counters.prepare()
    feed.start()
    counters.start()
    wait_for(lambda: counters.rounds > 30, 60, "some rounds")
    first = feed.agent
    os.kill(first.process.pid, signal.SIGSTOP)  # as a machine that is paused
    copy = os.path.join(tmp_path, "moved")
    shutil.copytree(os.path.join(first.folder, "checkpoint"), copy)
    os.makedirs(os.path.join(feed.folder, "moved"), exist_ok=True)
    feed.folder = os.path.join(feed.folder, "moved")
    feed.start(pipeline={"checkpoint.directory": copy})
    seen = counters.rounds
    wait_for(lambda: counters.rounds > seen + 30, 60, "more rounds")
    os.kill(first.process.pid, signal.SIGCONT)
    assert first.process.child.wait(60) == 2, first.log(10)
    assert "another agent took over" in first.log(), first.log(10)
    counters.end()
    check_counted_once(feed)


def test_at_least_once_says_so(maria_feed):
    feed = maria_feed
    feed.execute(ORDERS, ORDER)
    feed.start(sink={"sink.delivery-guarantee": "at-least-once"})
    feed.wait_messages("orders", 1)
    feed.execute("DELETE FROM orders")
    feed.wait_messages("orders", 3)
    status, text = feed.agent.command("check")
    assert status == 0 and "may repeat rows" in text, text
