# SPDX-License-Identifier: Apache-2.0
"""Transactions as the messages tell them, beside what Debezium's own engine makes of the same ones:
the same numbers, the same BEGIN and END."""

import json
import os
import re
import time

import pytest

from support.debezium_engine import Debezium
from support.process import wait_for
from test_kafka import Counters, check_counted_once
from test_kafka_debezium import SETTINGS

# Debezium tells transactions of other tables too, which we pass over.
TRANSACTIONS = (
    ("INSERT INTO a VALUES (1, 1), (2, 2)", "INSERT INTO b VALUES (1, 1)",
     "UPDATE a SET v = 3 WHERE id = 1", "DELETE FROM a WHERE id = 2",
     "UPDATE b SET id = 9 WHERE id = 1", "INSERT INTO keyless VALUES (1), (2)"),
    ("INSERT INTO b VALUES (2, 2)",),
    ("INSERT INTO unheard VALUES (1)",),
    ("INSERT INTO a VALUES (3, 3)", "SAVEPOINT s", "INSERT INTO a VALUES (4, 4)",
     "ROLLBACK TO SAVEPOINT s", "INSERT INTO unheard VALUES (2)", "UPDATE keyless SET v = 7"),
    ("ALTER TABLE b ADD COLUMN w INT", "INSERT INTO b VALUES (3, 3, 3)", "DELETE FROM keyless"),
    ("INSERT INTO a VALUES (9, 9)",),
)
MADE = tuple(f"CREATE TABLE {name}" for name in (
    "a (id INT PRIMARY KEY, v INT)", "b (id INT PRIMARY KEY, v INT)", "keyless (v INT)",
    "unheard (v INT)"))
COUNTS = {"a": 7, "b": 7, "keyless": 6}  # of messages, tombstones too


class Binlog:
    """MariaDB or MySQL with a database of its own."""

    def __init__(self, feed):
        self.server, self.name, self.schema, self.feed = feed.source, feed.name, feed.name, feed
        self.tables = rf"{feed.name}.(a|b|keyless)"

    def make(self):
        self.execute(*MADE, *(f"INSERT INTO {name} VALUES (0, 0)" for name in ("a", "b")))

    def execute(self, *statements):
        self.feed.execute(*statements)

    def transaction(self, statements):
        self.feed.execute("BEGIN", *statements, "COMMIT")

    def debezium(self):
        return {"table.include.list": rf"{self.schema}\.(a|b|keyless)"}

    def agent(self, sink):
        self.feed.start(sink=sink, source={"tables": self.tables})
        return self.feed.agent


class Wal(Binlog):
    """PostgreSQL, in whose transactions DDL may stand."""

    def __init__(self, pg, kafka):
        self.server, self.name, self.schema, self.pg = pg.source, pg.schema, pg.schema, pg
        self.tables = rf"{pg.schema}.{pg.schema}.(a|b|keyless)"
        pg.clickhouse = kafka  # the sink of its agent

    def execute(self, *statements):
        self.pg.execute(*statements)

    def make(self):
        super().make()
        self.execute("ALTER TABLE keyless REPLICA IDENTITY FULL")

    def transaction(self, statements):
        connection = self.pg.source.connect(self.name, options=f"-c search_path={self.schema}")
        try:
            with connection.cursor() as cursor:
                cursor.execute(";".join(("BEGIN", *statements, "COMMIT")))
        finally:
            connection.close()

    def agent(self, sink):
        return self.pg.agent(source={"tables": self.tables}, sink=sink).start()


@pytest.fixture(params=["mariadb", "mysql", "postgres17"])
def origin(request, servers, feed_for, pg_for, kafka):
    if request.param.startswith("postgres"):
        return Wal(pg_for(request.param), kafka)
    return Binlog(feed_for(servers.get(request.param)))


def block(document):
    return document["payload"]["transaction"]


def told(kafka, topic):
    """What each message of a topic says, by key, in order."""
    found = {}
    for message in kafka.messages(topic):
        if message.raw_value is not None:
            document = message.json
            found.setdefault(message.key and json.dumps(json.loads(message.key)["payload"]), []
                             ).append((document["payload"]["op"], block(document)))
    return found


def short(text):
    """PostgreSQL: BEGIN and END have no LSN that a row has."""
    return re.sub(r'("id":"\d+):\d+"', r'\1"', text)


def ends(kafka, topic):
    """Of transactions that hold rows of ours."""
    if topic not in kafka.topics():
        return []
    found = [message.json["payload"] for message in kafka.messages(topic)]
    return [end for end in found if end["event_count"]]


def boundaries(kafka, topic):
    """BEGIN and END of what holds rows of ours, in the order of the log, and their schemas."""
    found, schemas = {}, set()
    for message in kafka.messages(topic):
        key, value = json.loads(short(message.key)), json.loads(short(message.value))
        payload = value["payload"]
        assert key["payload"]["id"] == payload["id"]
        payload["data_collections"] = sorted(payload["data_collections"] or [], key=str)
        payload["ts_ms"] = payload["ts_ms"] > 0
        found.setdefault(payload["id"], []).append(payload)
        schemas |= {json.dumps(key["schema"]), json.dumps(value["schema"])}
    counted = {short(f'"id":"{end["id"]}"') for end in ends(kafka, topic)}
    return [sorted(pair, key=lambda payload: payload["status"])  # two keys, maybe two partitions
            for key, pair in sorted(found.items()) if f'"id":"{key}"' in counted], schemas


def test_transactions_are_those_of_debezium(origin, kafka, tmp_path):
    theirs, ours = f"theirs-{origin.name}", f"ours-{origin.name}"
    origin.make()
    engine = Debezium(os.path.join(tmp_path, "debezium"), origin.server, kafka, origin.name, theirs,
                      **{**SETTINGS, **origin.debezium(), "provide.transaction.metadata": "true"}
                      ).start()
    try:
        agent = origin.agent({"topic.prefix": ours, "provide.transaction.metadata": True,
                              "debezium-json.include-schema.enabled": True})

        def arrived(wanted):
            engine.check_alive()
            agent.check_alive()
            topics = kafka.topics()
            return all(topic in topics and len(kafka.messages(topic)) >= count
                       for prefix in (theirs, ours) for table, count in wanted.items()
                       for topic in [f"{prefix}.{origin.schema}.{table}"])

        wait_for(lambda: arrived({"a": 1, "b": 1}), 120, "the snapshots", interval=0.5)
        if origin.server.flavor == "postgres":
            wait_for(lambda: origin.server.value(
                "SELECT count(*) FROM pg_replication_slots WHERE active AND "
                f"database = '{origin.name}'") == 2, 60, "both slots")
        for statements in TRANSACTIONS:
            origin.transaction(statements)
        wait_for(lambda: arrived(COUNTS), 120, "the changes", interval=0.5)
        for prefix in (ours, theirs):
            wait_for(lambda: len(ends(kafka, f"{prefix}.transaction")) >= 5, 60, "the last END")
    finally:
        engine.remove()
    for table in COUNTS:
        found = told(kafka, f"{ours}.{origin.schema}.{table}")
        assert found == told(kafka, f"{theirs}.{origin.schema}.{table}")
        assert any(block for messages in found.values() for _, block in messages)
    found = boundaries(kafka, f"{ours}.transaction")
    assert found == boundaries(kafka, f"{theirs}.transaction")
    assert max(pair[1]["event_count"] for pair in found[0]) == 9  # the changed key counts twice


class Rounds(Counters):
    """Now and then one of its transactions is larger than a batch, and than a flush."""

    ROWS, LARGE_EVERY = 9000, 40

    def prepare(self):
        super().prepare()
        self.feed.execute("CREATE TABLE large (id INT PRIMARY KEY, v INT NOT NULL)",
                          f"INSERT INTO large SELECT seq, 0 FROM seq_1_to_{self.ROWS}")

    def more(self, cursor):
        if self.rounds % self.LARGE_EVERY == 0:
            cursor.execute("UPDATE large SET v = v + 1")
            cursor.execute("UPDATE a SET v = v + 1")


def drop_readers(source):
    """The log's connection is lost, perhaps inside a transaction."""
    for (number,) in source.query("SELECT id FROM information_schema.processlist "
                                  "WHERE command LIKE 'Binlog Dump%'"):
        try:
            source.execute(f"KILL {number}")
        except Exception:  # it has ended
            pass


def by_xid(name):
    """Of PostgreSQL's ID:LSN, in which each row has an LSN of its own."""
    return name.partition(":")[0]


def check_transactions(kafka, name, tables, key_of=str):
    """Each END once, and as many changes as it says, numbered from 1 on; gives the largest."""
    changes, begun, ended = {}, {}, {}
    for table in tables:
        for message in kafka.messages(f"{name}.{table}"):
            document = message.json
            where = document["transaction"]
            assert document["op"] != "r" or where is None
            if where:
                changes.setdefault(key_of(where["id"]), []).append(
                    (where["total_order"], f"{name}.{table}", where["data_collection_order"]))
    for message in kafka.messages(f"{name}-transactions"):
        document = message.json
        known = begun if document["status"] == "BEGIN" else ended
        key = key_of(document["id"])
        assert key not in known, f"{document} came twice"
        known[key] = document
    for name, known in (("begun", begun), ("ended", ended)):
        assert not known.keys() - changes.keys(), (f"{name} without changes",
                                                   sorted(known.keys() - changes.keys())[:5])
        assert not changes.keys() - known.keys(), (f"not {name}",
                                                   sorted(changes.keys() - known.keys())[:5])
    for key, end in ended.items():
        rows = sorted(changes[key])
        assert [row[0] for row in rows] == list(range(1, end["event_count"] + 1)), key
        for part in end["data_collections"]:
            orders = [row[2] for row in rows if row[1] == part["data_collection"]]
            assert orders == list(range(1, part["event_count"] + 1)), (key, part)
        assert sum(part["event_count"] for part in end["data_collections"]) == len(rows)
    return max(end["event_count"] for end in ended.values())


@pytest.mark.parametrize("when", ["streaming", "reading"])
def test_transactions_are_whole_under_kills(maria_feed, when, full):
    feed = maria_feed
    rounds = Rounds(feed)
    rounds.prepare()
    feed.start(sink={"provide.transaction.metadata": True, "sink.buffer-flush.max-rows": 1000,
                     "topic.transaction": f"{feed.name}-transactions"},
               source={"scan.incremental.snapshot.chunk.size": 500})
    if when == "streaming":
        feed.agent.wait_streaming()
    rounds.start()
    for number in range(100 if full else 8):
        time.sleep(0.3 + 0.37 * (number % 4))
        if number % 4 == 3:
            drop_readers(feed.source)
        else:
            feed.agent.kill()
            feed.agent.start()
    rounds.end()
    check_counted_once(feed)
    largest = check_transactions(feed.kafka, feed.name, ("a", "b", "large"))
    assert when == "reading" or largest > Rounds.ROWS


def test_transactions_of_postgresql_are_whole_under_kills(pg, kafka, full):
    pg.clickhouse = kafka  # the sink of its agent
    name = pg.schema
    pg.execute(*MADE[:2], "CREATE TABLE large (id INT PRIMARY KEY, v INT)",
               "CREATE TABLE done (id INT PRIMARY KEY)",
               f"INSERT INTO large SELECT n, 0 FROM generate_series(1, {Rounds.ROWS}) n")
    agent = pg.agent(source={"scan.incremental.snapshot.chunk.size": 500},
                     sink={"provide.transaction.metadata": True, "sink.buffer-flush.max-rows": 1000,
                           "topic.transaction": f"{name}-transactions"}).start()
    agent.wait_streaming()
    for number in range(40 if full else 6):
        for row in range(number * 40, number * 40 + 40):
            pg.execute(f"WITH x AS (INSERT INTO a VALUES ({row}, 0)) "
                       f"INSERT INTO b VALUES ({row}, 0)", f"UPDATE a SET v = 1 WHERE id = {row}")
        pg.execute("UPDATE large SET v = v + 1")
        time.sleep(0.4 * (number % 4))
        agent.kill()
        agent.start()
    agent.wait_streaming()
    pg.execute("UPDATE large SET v = v + 1", "INSERT INTO done VALUES (1), (2)")
    wait_for(lambda: any(f'"{name}.done"' in message.value
                         for message in kafka.messages(f"{name}-transactions")), 120, "the end")
    agent.stop()
    largest = check_transactions(kafka, name, ("a", "b", "large", "done"), by_xid)
    assert largest == Rounds.ROWS


def test_a_topic_that_is_missing_is_waited_for(maria_feed):
    """A table would be parked and read again: what is told of transactions could not be."""
    feed = maria_feed
    topic = f"{feed.name}.t.transaction"
    feed.execute("CREATE TABLE t (id INT PRIMARY KEY)")
    for made in (f"{feed.name}.t.{feed.name}.t", f"{feed.name}-groups"):
        feed.kafka.make_topic(made)
    feed.start(sink={"provide.transaction.metadata": True, "topic.prefix": f"{feed.name}.t",
                     "topic.creation.enable": False, "request.timeout": "2s",
                     "sink.transaction-topic": f"{feed.name}-groups"})
    feed.agent.wait_streaming()
    feed.execute("INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (2)")
    feed.agent.wait_log("provide.transaction.metadata: topic '.*' does not exist: make it")
    feed.kafka.make_topic(topic, 1)
    wait_for(lambda: len(feed.kafka.messages(topic)) == 4, 60, "two transactions")
    told = [message.json for message in feed.kafka.messages(topic)]
    assert [document["status"] for document in told] == ["BEGIN", "END"] * 2
    assert told[1]["data_collections"] == [
        {"data_collection": f"{feed.name}.t", "event_count": 1}]
    assert feed.agent.table_states() == {f"{feed.name}.t": "streaming"}


def test_transactions_are_not_told_any_more(maria_feed):
    """A start without the setting goes on, and so does one with it."""
    feed = maria_feed
    options = {"provide.transaction.metadata": True, "topic.prefix": feed.name}
    feed.execute("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (0)")
    for number, sink in enumerate((options, {"topic.prefix": feed.name}, options)):
        feed.start(sink=sink)
        feed.agent.wait_streaming()
        feed.execute(f"INSERT INTO t VALUES ({number + 1})")
        topic = f"{feed.name}.{feed.name}.t"
        wait_for(lambda: topic in feed.kafka.topics() and
                 len(feed.kafka.messages(topic)) == number + 2, 60, "the row")
        feed.agent.stop()
    blocks = {message.key: block for message in feed.kafka.messages(topic)
              for block in [message.json["transaction"]]}
    assert [blocks[f'{{"id":{n}}}'] is not None for n in range(4)] == [False, True, False, True]
    assert sorted(message.json["status"] for message in
                  feed.kafka.messages(f"{feed.name}.transaction")) == ["BEGIN", "BEGIN",
                                                                      "END", "END"]
