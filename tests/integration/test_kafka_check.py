# SPDX-License-Identifier: Apache-2.0
"""`millrace check` of a Kafka sink: what is well, and what would stop a run."""

import os
import re

import pytest

from support.kafka_server import Kafka
from test_kafka import over_tls, secured


def check(feed, sink):
    """What `check` says: (status, text)."""
    feed.execute("CREATE TABLE t (id INT PRIMARY KEY)")
    feed.start(sink={"sink.delivery-guarantee": "exactly-once"})
    feed.agent.stop()
    feed.agent.configuration["sink"].update(sink)
    return feed.agent.command("check")


def test_check_of_what_is_well(maria_feed):
    status, text = check(maria_feed, {})
    assert status == 0, text
    assert "Kafka: 1 broker, reachable under its own name" in text, text
    assert "transactions: allowed" in text, text


@pytest.mark.parametrize("sink, words", [
    ({"properties.compresion.type": "lz4"},
     'No such configuration property: "compresion.type"'),
    ({"properties.compression.type": "brotli"}, 'Invalid value "brotli"'),
    ({"properties.transactional.id": "mine"}, "is set by the sink itself"),
    ({"properties.bootstrap.servers": "127.0.0.1:1", "request.timeout": "2s"},
     "Connection refused"),
    ({"topic": "a b"}, "a topic has letters"),
    ({"sink.tableId-to-topic.mapping": "a.b"}, "database.table:topic"),
    ({"sink.custom-header": "name"}, "name:value"),
    ({"partition.columns": "t:a"}, "partition.columns: database.table:column"),
    ({"partition.columns": "a,,b"}, "partition.columns: database.table:column"),
    ({"provide.transaction.metadata": True, "value.format": "canal-json"}, "canal-json has none"),
    ({"provide.transaction.metadata": True, "partition.columns": "a"}, "leave out one of the two"),
    ({"provide.transaction.metadata": True, "sink.parallelism": 2}, "which takes one worker"),
    ({"provide.transaction.metadata": True, "topic.transaction": "${table}"}, "one name for all"),
    ({"value.format": "avro-confluent"}, "avro-confluent needs one"),
    ({"value.format": "avro-confluent", "schema.registry.url": "http://127.0.0.1:1/x"},
     "schema registry"),
], ids=["unknown", "invalid", "reserved", "nobody", "topic", "mapping", "header",
        "columns of no table", "no column", "transactions of canal", "transactions that move",
        "transactions of two workers", "transactions of a table", "no registry",
        "registry is away"])
def test_check_of_what_is_not(maria_feed, sink, words):
    status, text = check(maria_feed, sink)
    assert status != 0 and words in text, text


def test_check_of_a_wrong_password(maria_feed):
    status, text = check(maria_feed, secured(maria_feed.kafka, "sasl", **{
        "security.protocol": "sasl_plaintext", "sasl.mechanisms": "PLAIN",
        "sasl.username": "cdc", "sasl.password": "not-this-one"}))
    assert status != 0 and "Authentication failed" in text, text
    assert "not-this-one" not in text


def test_check_without_the_certificate_that_is_required(maria_feed):
    status, text = check(maria_feed, {**over_tls(maria_feed, "mutual"), "request.timeout": "3s"})
    assert status != 0 and "properties.ssl.certificate.location" in text, text


def test_check_of_scram(maria_feed):
    """It works, or one line says which librdkafka it needs."""
    status, text = check(maria_feed, secured(maria_feed.kafka, "sasl", **{
        "security.protocol": "sasl_plaintext", "sasl.mechanisms": "SCRAM-SHA-256",
        "sasl.username": "cdc", "sasl.password": "mill-race"}))
    if status == 0:
        assert "transactions: allowed" in text, text
    else:
        assert "SCRAM by librdkafka" in text and "needs librdkafka 2.6.1" in text, text
    assert "mill-race" not in text


def test_check_of_a_user_without_rights(maria_feed):
    status, text = check(maria_feed, secured(maria_feed.kafka, "sasl", **{
        "security.protocol": "sasl_plaintext", "sasl.mechanisms": "PLAIN",
        "sasl.username": "nobody", "sasl.password": "no-rights"}))
    assert status != 0 and "authorization failed" in text.lower(), text
    assert "grant " in text and "no-rights" not in text, text


def test_a_broker_that_calls_itself_otherwise(feed_for, servers, lab_folder):
    """The bootstrap address answers, the name that the broker gives of itself does not."""
    broker = Kafka(os.path.join(lab_folder, "own-kafka-advertised"))
    broker.advertised = "127.0.0.1:1"
    broker.start()
    try:
        feed = feed_for(servers.get("mariadb"))
        status, text = check(feed, {"properties.bootstrap.servers": broker.address})
        assert status != 0 and "calls itself 127.0.0.1:1, which does not answer" in text, text
    finally:
        broker.remove()


# ---- topics ----

def test_topics_that_can_be_made(maria_feed):
    maria_feed.execute("CREATE TABLE u (id INT PRIMARY KEY)")
    status, text = check(maria_feed, {"topic": "${table}-of-${database}", "ddl.topic": "changes"})
    assert status == 0 and "topics: 0 are there, 3 can be made" in text, text
    assert not {"changes", f"u-of-{maria_feed.name}"} & set(maria_feed.kafka.topics())


def test_topics_that_are_there(maria_feed):
    maria_feed.kafka.make_topic(f"{maria_feed.name}.t")
    status, text = check(maria_feed, {})
    assert status == 0 and "topics: all 1 are there" in text, text


@pytest.mark.parametrize("sink, words", [
    ({"topic.creation.enable": "false"}, "1 of 1 are missing; the first is '{name}.other'"),
    ({"topic.creation.replication.factor": "3"}, "cannot be made; .*{name}.other': .*replication"),
    ({"topic.creation.config.retention.ms": "soon"}, "cannot be made; .*{name}.other': "),
], ids=["not wanted", "too few brokers", "a wrong setting"])
def test_topics_that_cannot_be_made(maria_feed, sink, words):
    status, text = check(maria_feed, {"topic": "${database}.other", **sink})
    assert status != 0 and re.search(words.format(name=maria_feed.name), text), text


def test_a_topic_whose_name_is_too_long(maria_feed):
    status, text = check(maria_feed, {"topic": "x" * 250})
    assert status != 0 and "has 250 characters, 249 are allowed" in text, text


@pytest.mark.parametrize("limit, level", [("500000", "FAIL"), ("1500000", "WARN")])
def test_a_topic_that_takes_smaller_messages(maria_feed, limit, level):
    """Below the size of a batch everything may be refused, above it a large row."""
    maria_feed.kafka.make_topic(f"{maria_feed.name}.t")
    maria_feed.kafka.configure_topic(f"{maria_feed.name}.t", max_message_bytes=limit)
    status, text = check(maria_feed, {"properties.message.max.bytes": "2000000"})
    assert (status != 0) == (level == "FAIL"), text
    assert re.search(
        rf"{level} .*'{maria_feed.name}.t' has max.message.bytes={limit}, "
        r"properties.message.max.bytes is 2000000\n"
        rf" *cure: .*to 2000000, or properties.message.max.bytes to {limit}", text), text
