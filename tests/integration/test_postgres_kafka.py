# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL to Kafka, value by value."""

import json

import pytest

from support import kafka_rows
from support.compare_postgres import read_columns, read_source
from support.postgres_messages import as_debezium_tells, as_told, flat_folded, folded
from support.process import wait_for
from test_postgres import DECLARED, types_of

# A message is a row of all types here, so these come shorter than into ClickHouse.
SHORTER = {"repeat('long ', 100000)": "repeat('long ', 10000)",
           "decode(repeat('fe00', 200000), 'hex')": "decode(repeat('fe00', 20000), 'hex')",
           "(SELECT jsonb_agg(n) FROM generate_series(1, 20000) n)":
               "(SELECT jsonb_agg(n) FROM generate_series(1, 2000) n)"}


# A table with such a value is parked: see test_a_number_that_is_none.
NO_NUMBERS = ("'NaN'", "'Infinity'")


def rows_of(types, first):
    """Each value of each type is in one of the rows, and so is NULL."""
    count = max(len(values) for _, values, _ in types.values())
    rows = []
    for i in range(count + 1):
        cells = [SHORTER.get(values[i], values[i]) if i < len(values) else "NULL"
                 for _, values, _ in types.values()]
        rows.append(f"({first + i}, {', '.join(cells)})")
    return ", ".join(rows)


def check_every_type(pg, options, fold, without=()):
    """`fold` makes (rows that a reader has, rows of the source as he can tell them) of the columns
    and read_source()'s rows; `without` are values of numeric."""
    types = types_of(pg.source)
    kind, values, shown = types["numeric"]
    types["numeric"] = (kind, [value for value in values if value not in without], shown)
    declared = ", ".join(f"v_{name} {kind}" for name, (kind, *_) in types.items())
    pg.execute(*DECLARED, f"CREATE TABLE t (id int PRIMARY KEY, {declared})",
               f"INSERT INTO t VALUES {rows_of(types, 0)}")
    agent = pg.agent(sink=options).start()
    agent.wait_streaming(120)
    pg.execute(f"INSERT INTO t VALUES {rows_of(types, 1000)}", "DELETE FROM t WHERE id = 1",
               "UPDATE t SET id = 5000 WHERE id = 3",
               "UPDATE t SET v_int4 = 7, v_bool = NULL WHERE id < 5 OR id = 1003")
    columns = read_columns(pg.comparison.database, pg.schema, "t")
    source = sorted(read_source(pg.comparison.database, pg.schema, "t", columns))

    def wrong():
        agent.check_alive()
        found, wanted = fold(columns, source)
        if len(found) != len(wanted):
            return f"{len(found)} rows of {len(wanted)}"
        return sorted({(column.name, a[:80], b[:80]) for one, two in zip(found, wanted)
                       for column, a, b in zip(columns, one.split("|"), two.split("|"))
                       if a != b})

    try:
        wait_for(lambda: not wrong(), 60, "all rows", interval=0.5)
    except TimeoutError:
        assert not wrong(), agent.log(10)


def messages_of(pg, kafka):
    topic = f"{pg.schema}.t"
    return kafka.messages(topic) if topic in kafka.topics() else []


@pytest.mark.parametrize("form", ["debezium-json", "avro-confluent"])
def test_every_type_arrives_exactly(pg_for, postgres_version, kafka, registry, form):
    pg = pg_for(postgres_version)
    pg.clickhouse = kafka  # the sink of its agent
    options = {"value.format": form, "zero-date.handling.mode": "null",
               "interval.handling.mode": "string"}
    if form == "avro-confluent":
        options.update({"schema.registry.url": registry.url,
                        "bigint.unsigned.handling.mode": "precise"})
    read = kafka_rows.AvroReader(registry).read if form == "avro-confluent" else json.loads
    check_every_type(pg, options, lambda columns, source: (
        folded([(read(message.raw_key)["id"], read(message.raw_value)["after"])
                for message in messages_of(pg, kafka) if message.raw_value is not None], columns),
        as_debezium_tells(columns, source)), NO_NUMBERS)


@pytest.mark.parametrize("form", ["debezium-json", "avro-confluent"])
def test_a_number_that_is_none(pg, kafka, registry, form):
    """What Debezium makes NULL of parks the table, and is there as a text if that is asked for."""
    pg.clickhouse = kafka
    options = {"value.format": form, "schema.registry.url": registry.url}
    pg.execute("CREATE TABLE t (id int PRIMARY KEY, v numeric)", "INSERT INTO t VALUES (1, 'NaN')")
    agent = pg.agent(sink=options).start()
    agent.wait_log("column 'v': .*NaN, an infinity, or .*: string carries it")
    agent.stop()
    read = kafka_rows.AvroReader(registry).read if form == "avro-confluent" else json.loads
    for mode in ("string", "double"):
        topic = f"{mode}.{pg.schema}.{pg.schema}.t"
        agent = pg.agent(source={"slot.name": f"{pg.schema}_{mode}"},
                         sink={**options, "topic.prefix": f"{mode}.{pg.schema}",
                               "decimal.handling.mode": mode}).start()
        wait_for(lambda: topic in kafka.topics() and kafka.messages(topic), 30, "the row")
        assert str(read(kafka.messages(topic)[0].raw_value)["after"]["v"]).lower() == "nan"
        agent.stop()


@pytest.mark.parametrize("form", ["debezium-json", "avro-confluent"])
def test_an_interval_without_end(pg_for, kafka, registry, form):
    pg = pg_for("postgres17")  # the first that has them
    pg.clickhouse = kafka
    options = {"value.format": form, "schema.registry.url": registry.url}
    pg.execute("CREATE TABLE t (id int PRIMARY KEY, v interval)",
               "INSERT INTO t VALUES (1, '-infinity')")
    agent = pg.agent(sink=options).start()
    agent.wait_log("column 'v': .*an infinity, or more than 292000 years.*: string carries it")
    agent.stop()
    read = kafka_rows.AvroReader(registry).read if form == "avro-confluent" else json.loads
    topic = f"string.{pg.schema}.{pg.schema}.t"
    pg.agent(source={"slot.name": f"{pg.schema}_string"},
             sink={**options, "topic.prefix": f"string.{pg.schema}",
                   "interval.handling.mode": "string"}).start()
    wait_for(lambda: topic in kafka.topics() and kafka.messages(topic), 30, "the row")
    assert read(kafka.messages(topic)[0].raw_value)["after"]["v"] == "-infinity"


@pytest.mark.parametrize("form", ["debezium-json-flink", "canal-json", "maxwell-json"])
def test_every_type_in_flat_formats(pg, kafka, form):
    pg.clickhouse = kafka
    check_every_type(pg, {"value.format": form, "zero-date.handling.mode": "null"},
                     lambda columns, source: (
                         flat_folded(form, messages_of(pg, kafka), columns),
                         as_told(form, columns, source)))
