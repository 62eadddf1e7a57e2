# SPDX-License-Identifier: Apache-2.0
"""Which partition a row goes to when columns decide it, and the headers that tell its table."""

import pytest

from support.process import wait_for

FORMS = ["debezium-json", "debezium-json-flink", "canal-json", "maxwell-json", "avro-confluent"]
ORDERS = "CREATE TABLE orders (id INT PRIMARY KEY, tenant VARCHAR(20), v INT)"


def rows(count, tenants):
    return "INSERT INTO orders VALUES " + ", ".join(
        f"({i}, 'tenant {i % tenants}', 0)" for i in range(count))


def java_partition(key, count):
    """What the Java client's partitioner does with these bytes: murmur2 of seed 0x9747b28c."""
    mask, m = 0xffffffff, 0x5bd1e995
    h = 0x9747b28c ^ len(key)
    whole = len(key) // 4 * 4
    for i in range(0, whole, 4):
        k = int.from_bytes(key[i:i + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = (h * m & mask) ^ k
    if len(key) > whole:
        h = (h ^ int.from_bytes(key[whole:], "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return ((h ^ h >> 15) & 0x7fffffff) % count


@pytest.mark.parametrize("form", FORMS)
def test_columns_decide(maria_feed, registry, form):
    """All rows of a tenant are in one partition, in every format; the key is what it was."""
    feed = maria_feed
    feed.execute(ORDERS, rows(40, 8), "CREATE TABLE other (id INT PRIMARY KEY)",
                 "INSERT INTO other VALUES (1)")
    options = {"value.format": form, "partition.columns": "tenant", "topic.creation.partitions": 5}
    if form == "avro-confluent":
        options["schema.registry.url"] = registry.url
    feed.start(sink=options)
    feed.wait_messages("orders", 40)
    feed.execute("UPDATE orders SET v = 1")
    found = feed.wait_messages("orders", 80)
    places = {}
    for message in found:
        tenant = next(n for n in range(8) if f"tenant {n}".encode() in message.raw_value)
        places.setdefault(tenant, set()).add(message.partition)
    assert places == {n: {java_partition(f'{{"tenant":"tenant {n}"}}'.encode(), 5)}
                      for n in range(8)}
    feed.wait_messages("other", 1)
    if form == "debezium-json":
        assert {m.key for m in found} == {f'{{"id":{i}}}' for i in range(40)}


def test_a_row_that_moves(maria_feed):
    """It is deleted where it was and new where it is, so each partition is right by itself."""
    feed = maria_feed
    feed.execute(ORDERS, rows(8, 8))
    feed.start(sink={"partition.columns": f"{feed.name}.orders:tenant;v",
                     "topic.creation.partitions": 5})
    feed.wait_messages("orders", 8)
    feed.execute("UPDATE orders SET tenant = 'tenant 1' WHERE id = 0")
    found = [m for m in feed.wait_messages("orders", 11) if m.value is None or
             m.json["op"] != "r"]
    old, new = (java_partition(f'{{"tenant":"tenant {n}"}}'.encode(), 5) for n in (0, 1))
    assert old != new
    assert [(m.partition, m.key, m.value and m.json["op"], m.headers) for m in found
            if m.partition == old] == [(old, '{"id":0}', "d", {}), (old, '{"id":0}', None, {})]
    assert [(m.partition, m.key, m.json["op"], m.headers) for m in found
            if m.partition == new] == [(new, '{"id":0}', "c", {})]


def test_a_table_without_a_key(maria_feed):
    feed = maria_feed
    feed.execute("CREATE TABLE log (tenant INT, v INT)",
                 "INSERT INTO log VALUES (1, 1), (2, 1), (1, 2)")
    feed.start(sink={"partition.columns": "tenant", "topic.creation.partitions": 7})
    feed.wait_messages("log", 3)
    feed.execute("UPDATE log SET tenant = 3 WHERE tenant = 2", "DELETE FROM log WHERE v = 2")
    found = feed.wait_messages("log", 6)
    assert sorted((m.json["op"], m.partition) for m in found) == sorted(
        (op, java_partition(f'{{"tenant":{n}}}'.encode(), 7))
        for op, n in (("r", 1), ("r", 2), ("r", 1), ("d", 2), ("c", 3), ("d", 1)))


@pytest.mark.parametrize("statement", ["UPDATE t SET v = 2", "DELETE FROM t"])
def test_a_log_that_does_not_tell_where_a_row_was(pg, kafka, statement):
    """Nothing is guessed: the table parks, and goes on when the log tells more."""
    pg.clickhouse = kafka
    pg.execute("CREATE TABLE t (id int PRIMARY KEY, tenant text, v int)",
               "INSERT INTO t VALUES (1, 'a', 1)")
    agent = pg.agent(sink={"partition.columns": "tenant"}).start()
    agent.wait_streaming(60)
    pg.execute(statement)
    agent.wait_log("t' is parked, .*the log does not tell what 'tenant' was; it does with "
                   "REPLICA IDENTITY FULL")


def test_columns_of_the_key_are_always_known(pg, kafka):
    pg.clickhouse = kafka
    pg.execute("CREATE TABLE t (id int, tenant text, v int, PRIMARY KEY (tenant, id))",
               "INSERT INTO t VALUES (1, 'a', 1)")
    agent = pg.agent(sink={"partition.columns": "tenant"}).start()
    agent.wait_streaming(60)
    pg.execute("UPDATE t SET v = 2", "UPDATE t SET tenant = 'b'", "DELETE FROM t")
    topic = f"{pg.schema}.t"
    wait_for(lambda: topic in kafka.topics() and
             [m.value and m.json["op"] for m in kafka.messages(topic)].count("d") == 2, 60,
             "both deletes")
    agent.check_alive()


def test_a_column_that_is_not_there(maria_feed):
    feed = maria_feed
    feed.execute(ORDERS, rows(1, 1))
    feed.start(sink={"partition.columns": f"{feed.name}.orders:tenant,day"})
    feed.agent.wait_log("partition.columns: there is no column 'day'")


def test_headers_that_tell_the_table(maria_feed):
    feed = maria_feed
    feed.execute(ORDERS, rows(1, 1))
    feed.start(sink={"sink.add-tableId-to-header-enabled": "true", "sink.custom-header": "a:b"})
    message, = feed.wait_messages("orders", 1)
    assert message.headers == {"a": "b", "namespace": "", "schemaName": feed.name,
                               "tableName": "orders"}
