# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL to Kafka, value by value."""

import json

import pytest

from support import kafka_rows
from support.compare_postgres import read_columns, read_source
from support.postgres_messages import as_told, flat_folded, folded
from support.process import wait_for
from test_postgres import DECLARED, types_of

# A message is a row of all types here, so these come shorter than into ClickHouse.
SHORTER = {"repeat('long ', 100000)": "repeat('long ', 10000)",
           "decode(repeat('fe00', 200000), 'hex')": "decode(repeat('fe00', 20000), 'hex')",
           "(SELECT jsonb_agg(n) FROM generate_series(1, 20000) n)":
               "(SELECT jsonb_agg(n) FROM generate_series(1, 2000) n)"}


def rows_of(types, first):
    """Each value of each type is in one of the rows, and so is NULL."""
    count = max(len(values) for _, values, _ in types.values())
    rows = []
    for i in range(count + 1):
        cells = [SHORTER.get(values[i], values[i]) if i < len(values) else "NULL"
                 for _, values, _ in types.values()]
        rows.append(f"({first + i}, {', '.join(cells)})")
    return ", ".join(rows)


def read_messages(kafka, topic, reader):
    read = reader.read if reader else json.loads
    return [(read(message.raw_key)["id"], read(message.raw_value)["after"])
            for message in kafka.messages(topic) if message.raw_value is not None]


def check_every_type(pg_for, version, kafka, options, fold, told=lambda columns, rows: rows):
    """`fold` makes the rows that a reader has of (topic, columns), `told` those of the source as
    the format can tell them."""
    pg = pg_for(version)
    pg.clickhouse = kafka  # the sink of its agent
    types = types_of(pg.source)
    columns = ", ".join(f"v_{name} {kind}" for name, (kind, *_) in types.items())
    pg.execute(*DECLARED, f"CREATE TABLE t (id int PRIMARY KEY, {columns})",
               f"INSERT INTO t VALUES {rows_of(types, 0)}")
    agent = pg.agent(sink=options).start()
    agent.wait_streaming(120)
    pg.execute(f"INSERT INTO t VALUES {rows_of(types, 1000)}", "DELETE FROM t WHERE id = 1",
               "UPDATE t SET id = 5000 WHERE id = 3",
               "UPDATE t SET v_int4 = 7, v_bool = NULL WHERE id < 5 OR id = 1003")
    source = read_columns(pg.comparison.database, pg.schema, "t")
    wanted = told(source, sorted(read_source(pg.comparison.database, pg.schema, "t", source)))
    topic = f"{pg.schema}.t"

    def arrived():
        agent.check_alive()
        return topic in kafka.topics() and fold(topic, source) == wanted

    try:
        wait_for(arrived, 60, "all rows", interval=0.5)
    except TimeoutError:
        found = fold(topic, source)
        wrong = {(column.name, a[:80], b[:80]) for one, two in zip(found, wanted)
                 for column, a, b in zip(source, one.split("|"), two.split("|")) if a != b}
        raise AssertionError(f"{len(found)} rows of {len(wanted)}: {sorted(wrong)}\n"
                             f"{agent.log(10)}") from None


@pytest.mark.parametrize("form", ["debezium-json", "avro-confluent"])
def test_every_type_arrives_exactly(pg_for, postgres_version, kafka, registry, form):
    options = {"value.format": form, "zero-date.handling.mode": "null"}
    if form == "avro-confluent":
        options.update({"schema.registry.url": registry.url,
                        "bigint.unsigned.handling.mode": "precise"})
    reader = kafka_rows.AvroReader(registry) if form == "avro-confluent" else None
    check_every_type(pg_for, postgres_version, kafka, options, lambda topic, columns: folded(
        read_messages(kafka, topic, reader), columns))


@pytest.mark.parametrize("form", ["debezium-json-flink", "canal-json", "maxwell-json"])
def test_every_type_in_flat_formats(pg_for, kafka, form):
    check_every_type(pg_for, None, kafka,
                     {"value.format": form, "zero-date.handling.mode": "null"},
                     lambda topic, columns: flat_folded(form, kafka.messages(topic), columns),
                     lambda columns, rows: as_told(form, columns, rows))
