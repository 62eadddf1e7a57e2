# SPDX-License-Identifier: Apache-2.0
"""The Kafka sink against an Apache Kafka 4 broker: what the messages are, and that each change is
there once, in the order of its key, whoever dies."""

import json
import os
import shutil
import signal
import struct
import threading
import time

import pytest

from support.downloads import KAFKA_WHOLE
from support.kafka_server import Kafka
from support.process import pause, wait_for


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
    assert old[1].value is None and old[1].headers == old[0].headers
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


def test_topics_of_single_tables_and_headers(maria_feed):
    feed = maria_feed
    topic = f"{feed.name}-orders"
    feed.execute(ORDERS, ORDER, "CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    feed.start(sink={"sink.tableId-to-topic.mapping": f"a.b:c;{feed.name}.orders:{topic}",
                     "sink.custom-header": "team:shop,stage:test"})
    read, = feed.wait_messages("t", 1)
    assert read.headers == {"team": "shop", "stage": "test"}
    wait_for(lambda: topic in feed.kafka.topics() and feed.kafka.messages(topic), 30, "the order")
    assert f"{feed.name}.orders" not in feed.kafka.topics()
    feed.execute("UPDATE t SET id = 2")
    deleted = feed.wait_messages("t", 4)
    assert {"team", "stage", "__debezium.oldkey"} in [set(m.headers) for m in deleted]
    assert all("team" in m.headers for m in deleted), "tombstones too"


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
                    self.more(cursor)
                    cursor.execute("COMMIT")
                    self.rounds += 1
                    time.sleep(0.002)

    def more(self, cursor):
        """What else a transaction does."""

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
    for round in range(100 if full else 5):
        time.sleep(0.3 + 0.37 * (round % 4))
        feed.agent.kill()
        feed.agent.start()
    counters.end()
    check_counted_once(feed)


def test_the_broker_is_killed_at_any_time(feed_for, servers, own_kafka, full):
    feed = feed_for(servers.get("mariadb"), own_kafka)
    counters = Counters(feed)
    counters.prepare()
    feed.start()
    counters.start()
    for _ in range(20 if full else 2):
        time.sleep(1.5)
        own_kafka.kill()
        time.sleep(0.5)
        own_kafka.start()
        seen = counters.rounds
        wait_for(lambda: counters.rounds > seen + 50, 60, "more rounds")
    counters.end()
    check_counted_once(feed, timeout=180)
    assert "KAFKA-20734" not in feed.agent.log()


def test_the_broker_is_killed_while_it_commits(feed_for, servers, lab_folder, proxy, full):
    """Some milliseconds after it was asked to: the commit may be made, or not, or half."""
    broker = Kafka(os.path.join(lab_folder, "own-kafka-commit"), KAFKA_WHOLE)
    door = proxy(broker.ports["plain"])
    broker.advertised = f"127.0.0.1:{door.port}"
    broker.start()
    feed = feed_for(servers.get("mariadb"), broker)
    counters = Counters(feed)
    counters.prepare()
    feed.start()
    counters.start()
    try:
        for delay in [0.0, 0.002, 0.005, 0.01, 0.02, 0.05] * 3 if full else [0.0, 0.01]:
            wait_for(lambda: counters.rounds > 30, 60, "some rounds")
            killed = threading.Event()

            def kill(data):
                if data[4:6] == b"\x00\x1a" and not killed.is_set():  # EndTxn
                    killed.set()
                    time.sleep(delay)
                    broker.kill()

            door.asked = kill
            wait_for(killed.is_set, 60, "a commit")
            wait_for(lambda: not broker.process.alive(), 10, "the broker to die")
            door.asked = None
            broker.start()
            seen = feed.agent.sink_status()["rows"]
            wait_for(lambda: feed.agent.sink_status()["rows"] > seen, 90, "rows to go on")
        counters.end()
        check_counted_once(feed, timeout=180)
        assert "KAFKA-20734" not in feed.agent.log()
    finally:
        feed.agent.kill()
        broker.remove()


def test_a_commit_that_is_acknowledged_and_forgotten(feed_for, servers, lab_folder, proxy):
    """The brokers say yes, and what was sent never becomes visible: it is sent again. What would be
    sent behind it does not arrive, and its end is an abort for both."""
    broker = Kafka(os.path.join(lab_folder, "own-kafka-forgets"))
    door = proxy(broker.ports["plain"])
    broker.advertised = f"127.0.0.1:{door.port}"
    broker.start()
    feed = feed_for(servers.get("mariadb"), broker)
    counters = Counters(feed)
    counters.prepare()
    feed.start()
    counters.start()
    forgotten, tried = threading.Event(), threading.Event()

    def acknowledge(data):
        """A commit's EndTxn is answered in the broker's place (EndTxnResponse, version 1:
        correlation id, no throttling, no error); the first Produce behind it cuts the network."""
        if forgotten.is_set() and data[4:6] == b"\x00\x00" and not tried.is_set():
            tried.set()
            door.cut()
        if data[4:6] != b"\x00\x1a" or data[-1] != 1 or forgotten.is_set():
            return None
        forgotten.set()
        return struct.pack(">i", 10) + data[8:12] + bytes(6)

    try:
        wait_for(lambda: feed.agent.sink_status()["rows"] > 300, 60, "some rounds")
        door.instead = acknowledge
        wait_for(forgotten.is_set, 30, "a commit")
        feed.agent.wait_log("warn sending loads: .*trying again", timeout=60)
        tried.set()
        door.heal()
        seen = feed.agent.sink_status()["rows"]
        wait_for(lambda: feed.agent.sink_status()["rows"] > seen, 90, "rows to go on")
        counters.end()
        check_counted_once(feed, timeout=180)
    finally:
        feed.agent.kill()
        broker.remove()


def test_a_second_agent_takes_over(feed_for, servers, tmp_path):
    """A copy of the checkpoint is started elsewhere: the first agent stops, nothing is doubled."""
    feed = feed_for(servers.get("mariadb"))
    counters = Counters(feed)
    counters.prepare()
    feed.start()
    counters.start()
    wait_for(lambda: feed.agent.sink_status()["rows"] > 100, 60, "changes to arrive")
    time.sleep(1)  # a position is stored: the copy goes on, it does not begin
    first = feed.agent
    pause(first.process.pid)  # as a machine that is paused
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


@pytest.mark.parametrize("way", ["savepoint", "copy"])
def test_an_older_checkpoint(maria_feed, tmp_path, way):
    """What the topics hold is known from their groups: nothing of it is sent again."""
    feed = maria_feed
    counters = Counters(feed)
    counters.prepare()
    feed.start(sink={"sink.parallelism": 2})
    feed.agent.wait_streaming()
    counters.start()
    wait_for(lambda: feed.agent.sink_status()["rows"] > 100, 60, "changes to arrive")
    time.sleep(1)  # a position is stored that lies behind the reading
    path, directory = os.path.join(tmp_path, "older"), os.path.join(feed.agent.folder, "checkpoint")
    if way == "savepoint":
        assert feed.agent.command("savepoint", path)[0] == 0
    else:
        pause(feed.agent.process.pid)  # its files are not those of one moment otherwise
        shutil.copytree(directory, path)
        os.kill(feed.agent.process.pid, signal.SIGCONT)
    seen = counters.rounds
    wait_for(lambda: counters.rounds > seen + 50, 60, "more rounds")
    feed.agent.stop()
    if way == "copy":
        shutil.rmtree(directory)
        shutil.copytree(path, directory)
    feed.agent.start(arguments=["--from-savepoint", path] if way == "savepoint" else [])
    seen = counters.rounds
    wait_for(lambda: counters.rounds > seen + 30, 60, "more rounds")
    counters.end()
    check_counted_once(feed)
    assert "what the sink holds of this worker's tables: changes that are there already are not" \
        in feed.agent.log()


@pytest.mark.parametrize("before, after", [(2, 1), (1, 3), (3, 2)])
def test_an_older_checkpoint_with_other_workers(maria_feed, tmp_path, before, after):
    """The groups of those who had the tables before tell what the topics hold."""
    feed = maria_feed
    others = [f"other{i}" for i in range(10)]  # for each worker has something to send
    tables = ["orders", *others]
    feed.execute("CREATE TABLE orders (id INT PRIMARY KEY)", "INSERT INTO orders VALUES (1)")
    for other in others:
        feed.execute(f"CREATE TABLE {other} LIKE orders", f"INSERT INTO {other} VALUES (1)")
    feed.start(sink={"sink.parallelism": before})
    for table in tables:
        feed.wait_messages(table, 1)
    feed.execute(*[f"INSERT INTO {table} VALUES (2)" for table in tables])
    for table in tables:
        feed.wait_messages(table, 2)
    time.sleep(1)  # a position is stored that lies behind the reading
    path = os.path.join(tmp_path, "older")
    assert feed.agent.command("savepoint", path)[0] == 0
    feed.execute(*[f"INSERT INTO {table} VALUES (3)" for table in tables])
    for table in tables:
        feed.wait_messages(table, 3)
    feed.agent.stop()
    feed.agent.configuration["sink"]["sink.parallelism"] = after
    feed.agent.start(arguments=["--from-savepoint", path])
    feed.execute(*[f"INSERT INTO {table} VALUES (4)" for table in tables])
    for table in tables:
        found = feed.wait_messages(table, 4)
        assert sorted(message.json["after"]["id"] for message in found) == [1, 2, 3, 4]
    assert "changes that are there already are not sent again" in feed.agent.log()
    assert "is sent again" not in feed.agent.log().replace("are not sent again", "")


def test_at_least_once_says_so(maria_feed):
    feed = maria_feed
    feed.execute(ORDERS, ORDER)
    feed.start(sink={"sink.delivery-guarantee": "at-least-once"})
    feed.wait_messages("orders", 1)
    feed.execute("DELETE FROM orders")
    feed.wait_messages("orders", 3)
    status, text = feed.agent.command("check")
    assert status == 0 and "may repeat rows" in text, text


# ---- connections ----

def secured(kafka, listener, **more):
    """Settings for another listener of the broker, in librdkafka's words."""
    settings = {"properties.bootstrap.servers": f"127.0.0.1:{kafka.ports[listener]}"}
    return {**settings, **{f"properties.{key}": value for key, value in more.items()}}


def test_sasl_plain(maria_feed):
    feed = maria_feed
    feed.execute(ORDERS, ORDER)
    feed.start(sink=secured(feed.kafka, "sasl", **{
        "security.protocol": "sasl_plaintext", "sasl.mechanisms": "PLAIN",
        "sasl.username": "cdc", "sasl.password": "mill-race"}))
    feed.wait_messages("orders", 1)


def test_tls_with_a_certificate_of_ours(maria_feed):
    feed = maria_feed
    feed.execute(ORDERS, ORDER)
    folder = os.path.join(feed.kafka.folder, "certificates")
    feed.start(sink=secured(feed.kafka, "tls", **{
        "security.protocol": "ssl", "ssl.ca.location": os.path.join(folder, "ca.pem"),
        "ssl.certificate.location": os.path.join(folder, "server.pem"),
        "ssl.key.location": os.path.join(folder, "server.key")}))
    feed.wait_messages("orders", 1)


def certificate(feed):
    """Our certificate, for a listener that asks for one."""
    folder = os.path.join(feed.kafka.folder, "certificates")
    return {"ssl.certificate.location": os.path.join(folder, "server.pem"),
            "ssl.key.location": os.path.join(folder, "server.key")}


def over_tls(feed, listener, **more):
    folder = os.path.join(feed.kafka.folder, "certificates")
    return secured(feed.kafka, listener, **{
        "security.protocol": "ssl", "ssl.ca.location": os.path.join(folder, "ca.pem"), **more})


def test_a_certificate_that_is_required(maria_feed):
    feed = maria_feed
    feed.execute(ORDERS, ORDER)
    feed.start(sink=over_tls(feed, "mutual", **certificate(feed)))
    feed.wait_messages("orders", 1)


def test_brokers_of_which_one_is_dead(maria_feed):
    feed = maria_feed
    feed.execute(ORDERS, ORDER)
    feed.start(sink={"properties.bootstrap.servers": f"127.0.0.1:1,{feed.kafka.address}"})
    feed.wait_messages("orders", 1)


# ---- schema changes ----

def changes_told(feed, form):
    """What the topic of schema changes holds after an ALTER, a TRUNCATE and a DROP."""
    feed.execute(ORDERS, ORDER)
    topic = f"{feed.name}-ddl"
    feed.start(sink={"value.format": form, "ddl.topic": topic})
    feed.wait_messages("orders", 1)
    feed.execute("ALTER TABLE orders ADD COLUMN tag INT UNSIGNED NULL",
                 "UPDATE orders SET tag = 5", "TRUNCATE TABLE orders", "DROP TABLE orders")

    def told():
        feed.agent.check_alive()
        found = feed.kafka.messages(topic) if topic in feed.kafka.topics() else []
        return found if len(found) >= 3 else None

    found = wait_for(told, 60, "three schema changes", interval=0.3)
    assert len(found) == 3, found
    return sorted(found, key=lambda message: message.json.get("ts_ms", 0))


def test_schema_changes_in_debezium_json(maria_feed):
    alter, truncate, drop = changes_told(maria_feed, "debezium-json")
    assert alter.json["ddl"] == "ALTER TABLE orders ADD COLUMN tag INT UNSIGNED NULL"
    assert list(alter.json) == ["source", "ts_ms", "databaseName", "schemaName", "ddl",
                                "tableChanges"]
    assert json.loads(alter.key) == {"databaseName": maria_feed.name}
    change, = alter.json["tableChanges"]
    assert (change["type"], change["id"]) == ("ALTER", f'"{maria_feed.name}"."orders"')
    assert change["table"]["primaryKeyColumnNames"] == ["id"]
    assert [column["name"] for column in change["table"]["columns"]] == [
        "id", "note", "price", "d", "at", "tag"]
    assert change["table"]["columns"][5] == {
        "name": "tag", "jdbcType": 4, "nativeType": None, "typeName": "INT UNSIGNED",
        "typeExpression": "INT UNSIGNED", "charsetName": None, "length": 10, "scale": None,
        "position": 6, "optional": True, "autoIncremented": False, "generated": False,
        "comment": None, "defaultValueExpression": None, "enumValues": None}
    assert alter.json["source"]["table"] == "orders" and alter.json["source"]["pos"] > 0
    assert truncate.json["tableChanges"] == [] and "TRUNCATE" in truncate.json["ddl"]
    assert drop.json["tableChanges"][0]["type"] == "DROP"


@pytest.mark.parametrize("form, member, words", [
    ("canal-json", "type", {"ALTER", "TRUNCATE", "ERASE"}),
    ("maxwell-json", "type", {"table-alter", "table-drop"}),
])
def test_schema_changes_in_other_formats(maria_feed, form, member, words):
    found = [message.json for message in changes_told(maria_feed, form)]
    assert {message[member] for message in found} == words
    alter = next(message for message in found if "ADD COLUMN" in message["sql"])
    assert (alter["database"], alter["table"]) == (maria_feed.name, "orders")
    if form == "canal-json":
        assert alter["isDdl"] is True and alter["data"] is None
    else:
        assert len(alter["def"]["columns"]) == len(alter["old"]["columns"]) + 1
        assert alter["def"]["columns"][5] == {"type": "int", "name": "tag", "signed": False}


@pytest.mark.parametrize("point", ["delivery.after_change", "kafka.after_commit",
                                   "delivery.before_change_done"])
def test_a_schema_change_is_told_once(maria_feed, point):
    feed = maria_feed
    topic = f"{feed.name}-ddl"
    feed.execute(ORDERS, ORDER)
    feed.start(sink={"ddl.topic": topic})
    feed.wait_messages("orders", 1)
    time.sleep(1)
    feed.agent.kill()
    feed.agent.environment["MILLRACE_FAULT"] = \
        f"kill@{point}:{2 if point == 'kafka.after_commit' else 1}"
    feed.agent.start(wait=False)
    feed.execute("ALTER TABLE orders ADD COLUMN tag INT NULL")
    wait_for(lambda: not feed.agent.process.alive(), 60, "the agent to die")
    del feed.agent.environment["MILLRACE_FAULT"]
    feed.agent.start()
    feed.execute("UPDATE orders SET tag = 1")
    feed.wait_messages("orders", 2)
    assert len(feed.kafka.messages(topic)) == 1


# ---- messages that are too large ----

def test_a_message_that_is_too_large_parks_its_table(maria_feed):
    feed = maria_feed
    feed.execute("CREATE TABLE t (id INT PRIMARY KEY, v LONGTEXT)", "CREATE TABLE other LIKE t")
    feed.start()
    feed.execute("INSERT INTO t VALUES (1, 'small'), (2, REPEAT('x', 1500000))",
                 "INSERT INTO other VALUES (1, 'small')")
    feed.wait_messages("other", 1)
    wait_for(lambda: "is parked" in feed.agent.log(), 30, "the table to be parked")
    assert "is larger than" in feed.agent.log() and "on-oversize" in feed.agent.log()
    assert [message.json["after"]["id"] for message in feed.messages("t")] in ([], [1])


def test_a_message_that_is_too_large_becomes_a_note(maria_feed):
    feed = maria_feed
    topic = f"{feed.name}-dead"
    feed.execute("CREATE TABLE t (id INT PRIMARY KEY, v LONGTEXT)")
    feed.start(sink={"on-oversize": "dead-letter", "dead-letter.topic": topic})
    feed.execute("INSERT INTO t VALUES (1, 'small'), (2, REPEAT('x', 1500000)), (3, 'small')")
    assert [message.key for message in sorted(feed.wait_messages("t", 2),
                                              key=lambda m: m.key)] == ['{"id":1}', '{"id":3}']
    note, = feed.kafka.messages(topic)
    assert note.key == '{"id":2}' and note.json["topic"] == f"{feed.name}.t"
    assert note.json["bytes"] > 1500000 and note.json["pos"] > 0
    assert feed.agent.sink_status()["dead_letters"] == 1


def test_larger_messages_where_they_are_allowed(maria_feed):
    feed = maria_feed
    feed.execute("CREATE TABLE t (id INT PRIMARY KEY, v LONGTEXT)")
    feed.start(sink={"properties.message.max.bytes": "2000000"})
    feed.execute("INSERT INTO t VALUES (1, REPEAT('x', 1500000))")
    assert len(feed.wait_messages("t", 1)[0].json["after"]["v"]) == 1500000



# ---- PostgreSQL ----

def test_messages_of_postgresql(pg_for, kafka):
    sync = pg_for()
    sync.clickhouse = kafka  # the sink of its agent
    sync.execute("CREATE TABLE orders (id BIGINT PRIMARY KEY, note TEXT, price NUMERIC(10,2))",
                 "INSERT INTO orders VALUES (1, 'hi', 12.50)",
                 "ALTER TABLE orders REPLICA IDENTITY FULL")
    agent = sync.agent().start()
    topic = f"{sync.schema}.orders"

    def messages(count):
        agent.check_alive()
        found = kafka.messages(topic) if topic in kafka.topics() else []
        return found if len(found) >= count else None

    read, = wait_for(lambda: messages(1), 60, "the row of the snapshot", interval=0.3)
    assert read.key == '{"id":1}' and read.json["op"] == "r"
    assert read.json["after"] == {"id": 1, "note": "hi", "price": "BOI="}
    sync.execute("UPDATE orders SET note = 'yo'")
    update = wait_for(lambda: messages(2), 60, "the update", interval=0.3)[1].json
    assert (update["op"], update["before"]["note"], update["after"]["note"]) == ("u", "hi", "yo")
    origin = update["source"]
    assert list(origin) == ["version", "connector", "name", "ts_ms", "snapshot", "db", "sequence",
                            "ts_us", "ts_ns", "schema", "table", "txId", "lsn", "xmin", "origin",
                            "origin_lsn"]
    assert (origin["connector"], origin["schema"], origin["table"]) == ("postgresql", sync.schema,
                                                                        "orders")
    assert origin["txId"] > 0 and origin["lsn"] > 0
    assert origin["sequence"] == f'[null,"{origin["lsn"]}"]'
