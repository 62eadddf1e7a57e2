# SPDX-License-Identifier: Apache-2.0
"""Each format of the Kafka sink, folded by key, is the source value by value."""

import json

import pytest

from support import kafka_rows
from support.process import wait_for
from support.quickstart_kafka import flink_sql


def write_rows(feed):
    """Three rows before the agent, then changes of all kinds."""
    feed.execute("SET time_zone = '+00:00'", kafka_rows.table_sql("every"),
                 *[f"INSERT INTO every VALUES ({number}, 'old', {row})"
                   for number, row in enumerate(kafka_rows.ROWS)])


def change_rows(feed):
    rows = kafka_rows.ROWS
    feed.execute("SET time_zone = '+00:00'",
                 *[f"INSERT INTO every VALUES ({number}, 'new', {row})"
                   for number, row in enumerate(rows)],
                 f"REPLACE INTO every VALUES (0, 'old', {rows[1]})",
                 "UPDATE every SET word = 'changed', doc = NULL WHERE part = 'old' AND id = 1",
                 "UPDATE every SET part = 'moved' WHERE part = 'new' AND id = 0",
                 "DELETE FROM every WHERE part = 'old' AND id = 2")


def wait_folded(feed, fold, wanted, timeout=60):
    found = {}

    def equal():
        feed.agent.check_alive()
        if f"{feed.name}.every" not in feed.kafka.topics():
            return False
        found.clear()
        found.update(fold(feed.messages("every")))
        return found == wanted

    try:
        wait_for(equal, timeout, "the topic to hold the source's rows", interval=0.5)
    except TimeoutError:
        for key in sorted(set(found) | set(wanted)):
            here, there = found.get(key), wanted.get(key)
            if here is None or there is None:
                raise AssertionError(f"{key}: found {here}, wanted {there}\n{feed.agent.log(20)}")
            for name in there:
                assert here[name] == there[name], (key, name, here[name], there[name])


@pytest.mark.parametrize("form", kafka_rows.FORMATS)
def test_each_format_is_the_source(feed, form):
    names = kafka_rows.names_of(form)
    write_rows(feed)
    feed.start(sink={"value.format": form})
    wait_folded(feed, lambda messages: kafka_rows.fold(form, messages),
                kafka_rows.source_rows(feed.source, feed.name, "every", names))
    change_rows(feed)
    wait_folded(feed, lambda messages: kafka_rows.fold(form, messages),
                kafka_rows.source_rows(feed.source, feed.name, "every", names))


@pytest.mark.parametrize("form", kafka_rows.FORMATS)
def test_flink_reads_each_format(maria_feed, form):
    """Flink's own readers, on the messages of all kinds of changes."""
    feed = maria_feed
    write_rows(feed)
    feed.start(sink={"value.format": form, "decimal.handling.mode": "string"})
    feed.wait_messages("every", len(kafka_rows.ROWS))
    change_rows(feed)
    feed.execute("INSERT INTO every (id, part, word) VALUES (9, 'last', 'the last one')")
    wait_for(lambda: any(b"the last one" in (message.raw_value or b"")
                         for message in feed.messages("every")), 60, "the last change")
    wanted = kafka_rows.source_rows(feed.source, feed.name, "every", kafka_rows.flink_names(form))
    found = kafka_rows.fold_by_flink(form, feed.messages("every"))
    assert found.keys() == wanted.keys()
    for key, there in wanted.items():
        assert found[key] == there, key


def test_flink_runs_what_the_quickstart_prints(maria_feed, tmp_path):
    """The very statements, with Flink's own planner and Kafka connector."""
    feed = maria_feed
    feed.execute("CREATE TABLE settings (name VARCHAR(64) PRIMARY KEY, value LONGTEXT)",
                 "INSERT INTO settings VALUES ('key.1', 'one'), ('key.2', 'two')")
    feed.start(sink={"topic": "shop.${table}"})
    wait_for(lambda: len(feed.kafka.messages("shop.settings")) == 2, 60, "two messages")
    flink = kafka_rows.FlinkSql(tmp_path / "flink", flink_sql(feed.kafka.address))
    try:
        flink.wait_rows([("key.1", "one"), ("key.2", "two")])
        feed.execute("UPDATE settings SET value = NULL WHERE name = 'key.1'",
                     "INSERT INTO settings VALUES ('key.3', 'three')",
                     "DELETE FROM settings WHERE name = 'key.2'")
        flink.wait_rows([("key.1", "null"), ("key.3", "three")])
    finally:
        flink.end()


def test_the_schema_in_each_message(maria_feed):
    feed = maria_feed
    feed.execute("CREATE TABLE t (id BIGINT PRIMARY KEY, price DECIMAL(10,2) NOT NULL, "
                 "c ENUM('a','b'))", "INSERT INTO t VALUES (1, 12.50, 'b')")
    feed.start(sink={"debezium-json.include-schema.enabled": True, "topic.prefix": "t1"})
    topic = f"t1.{feed.name}.t"
    message = wait_for(lambda: topic in feed.kafka.topics() and feed.kafka.messages(topic), 30,
                       "a message")[0]
    key = json.loads(message.key)
    assert key == {"schema": {"type": "struct", "fields": [
        {"type": "int64", "optional": False, "field": "id"}], "optional": False,
        "name": f"{topic}.Key"}, "payload": {"id": 1}}
    schema = message.json["schema"]
    assert [field["field"] for field in schema["fields"]] == [
        "before", "after", "source", "transaction", "op", "ts_ms", "ts_us", "ts_ns"]
    assert (schema["name"], schema["version"], schema["optional"]) == (f"{topic}.Envelope", 2,
                                                                       False)
    after = schema["fields"][1]
    assert (after["name"], after["optional"]) == (f"{topic}.Value", True)
    assert after["fields"][1:] == [
        {"type": "bytes", "optional": False, "name": "org.apache.kafka.connect.data.Decimal",
         "version": 1, "parameters": {"scale": "2", "connect.decimal.precision": "10"},
         "field": "price"},
        {"type": "string", "optional": True, "name": "io.debezium.data.Enum", "version": 1,
         "parameters": {"allowed": "a,b"}, "field": "c"}]
    assert schema["fields"][2]["name"] == "io.debezium.connector.mariadb.Source"
    names = [field["field"] for field in schema["fields"][2]["fields"]]
    assert names == list(message.json["payload"]["source"])
    assert message.json["payload"]["after"] == {"id": 1, "price": "BOI=", "c": "b"}


# ---- Avro ----

def avro_options(registry):
    return {"value.format": "avro-confluent", "schema.registry.url": registry.url,
            "bigint.unsigned.handling.mode": "precise"}


def fold_avro(reader, messages):
    rows = {}
    for message in messages:
        key, value = reader.read(message.raw_key), reader.read(message.raw_value)
        if value is None:
            continue
        image = value["after"] or value["before"]
        assert key == {"part": image["part"], "id": image["id"]}
        assert (value["after"] is None) == (value["op"] == "d")
        place, values = kafka_rows.avro_row(image)
        if value["after"] is None:
            rows.pop(place, None)
        else:
            rows[place] = values
    return rows


def test_avro_is_the_source(feed, registry):
    write_rows(feed)
    feed.start(sink=avro_options(registry))
    reader = kafka_rows.AvroReader(registry)

    def fold(messages):
        return fold_avro(reader, messages)

    names = list(kafka_rows.COLUMNS)
    wait_folded(feed, fold, kafka_rows.source_rows(feed.source, feed.name, "every", names))
    change_rows(feed)
    wait_folded(feed, fold, kafka_rows.source_rows(feed.source, feed.name, "every", names))
    feed.execute("ALTER TABLE every ADD COLUMN more INT NULL",
                 "UPDATE every SET more = 7 WHERE id = 1")
    topic = f"{feed.name}.every"

    def evolved():
        newest = [reader.read(m.raw_value) for m in feed.kafka.messages(topic)]
        return [v for v in newest if v and (v["after"] or {}).get("more") == 7]

    wait_for(evolved, 30, "a message of the new shape", interval=0.5)
    assert registry.get(f"/subjects/{topic}-value/versions") == [1, 2]
    assert registry.get(f"/subjects/{topic}-key/versions") == [1]
