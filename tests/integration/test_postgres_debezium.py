# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL's types beside what Debezium's own engine makes of them, in JSON and in Avro: keys,
rows, rows that are gone, and their schemas, but for what stands below."""

import difflib
import json
import os
import urllib.request

import pytest

from support.debezium_engine import Debezium
from support.kafka_rows import AvroReader
from support.process import wait_for
from test_kafka_debezium import SETTINGS, avro_settings, whole_schema
from test_postgres import DECLARED, types_of

# Debezium leaves these out, or gives their text as bytes; we give it as a text.
UNKNOWN = {"xid8", "composite", "multirange", "box", "polygon", "pg_lsn"}
# numeric(3,-2): Debezium takes the scale for 2046; numeric(2,5): it tells fewer digits than scale.
# Debezium loses the values of `name`.
OTHERWISE = UNKNOWN | {"numeric_coarse", "numeric_fine", "name"}
# Values that Debezium drops or writes otherwise: infinities are large numbers, or NULL; arrays of
# more dimensions are lists of NULLs; and those for which Java has more digits.
NOT_THESE = {"'infinity'", "'-infinity'", "'Infinity'", "'-Infinity'", "'NaN'", "'[0:1]={1,2}'",
             "'{{1,2},{3,4}}'", "1e-45", "'00:00:00-15:59:59'"}
# Debezium does not tell how many digits money has; elements that are an ENUM have no name with us.
SCHEMAS = {"money", "enum_array"}


# Not among them: quotes, of which Debezium takes the text before; ENUM, which we alone tell; uuid
# and jsonb, which it tells (a registry may take a schema with "{}" for no Avro at all); what the
# server computes, for which it tells a zero.
DEFAULTS = (
    "a int DEFAULT 5", "b text NOT NULL DEFAULT 'its'", "c numeric(10,2) DEFAULT -0.05",
    "d boolean NOT NULL DEFAULT true", "e double precision DEFAULT 1.5",
    "f date DEFAULT '2020-02-29'", "g timestamp NOT NULL DEFAULT '2020-01-02 03:04:05'",
    "h varchar(10) DEFAULT 'x'", "i bigint NOT NULL DEFAULT 7",
    "n bytea DEFAULT '\\x00ff'", "o time DEFAULT '12:34:56'",
    "p smallint DEFAULT -3", "q real DEFAULT 0.5", "s numeric DEFAULT 1.50",
    "u int NOT NULL DEFAULT 1 + 1", "w char(5) DEFAULT 'ab'",
    "x interval NOT NULL DEFAULT '1 mon -2 days 03:04:05.6'")


def made(pg, types):
    """Tables of each type, with columns that take NULL and without."""
    pg.execute(*DECLARED, f"CREATE TABLE t_preset (id int PRIMARY KEY, {', '.join(DEFAULTS)})")
    for name, (kind, *_) in types.items():
        pg.execute(f"CREATE TABLE t_{name} (id int PRIMARY KEY, v {kind}, n {kind})",
                   f"CREATE TABLE n_{name} (id int PRIMARY KEY, v {kind} NOT NULL)")


def changed(pg, types):
    for name, (_, values, _) in types.items():
        values = [value for value in values if value not in NOT_THESE and
                  "repeat" not in value and "generate_series" not in value]
        for number, value in enumerate(values):
            pg.execute(f"INSERT INTO t_{name} VALUES ({number}, {value}, NULL)",
                       f"INSERT INTO n_{name} VALUES ({number}, {value})")
        pg.execute(f"UPDATE t_{name} SET id = 99, n = v WHERE id = 0",
                   f"DELETE FROM t_{name} WHERE id = 99", f"DELETE FROM n_{name} WHERE id = 0")
    pg.execute("INSERT INTO t_preset (id) VALUES (1), (2)", "INSERT INTO last VALUES (1)")


class ByContent:
    """The registry by its own API: its Confluent one does not know some of Debezium's schemas."""

    def __init__(self, registry):
        self.url = registry.core_url

    def schema(self, number):
        with urllib.request.urlopen(f"{self.url}/ids/contentIds/{number}", timeout=30) as answer:
            return json.load(answer)


def payload(raw):
    return json.loads(raw)["payload"]


def told(kafka, topic, prefix, read):
    """[(key, op, before, after, headers, transaction)] in the order of each key."""
    found = []
    for message in kafka.messages(topic):
        if message.raw_value is not None:
            value = read(message.raw_value)
            headers = {name: json.loads(text.replace(prefix, "PREFIX"))
                       for name, text in message.headers.items()
                       if name in ("__debezium.oldkey", "__debezium.newkey")}
            found.append((str(read(message.raw_key)), value["op"], value["before"], value["after"],
                          headers, value["transaction"]))
    return sorted(found, key=lambda row: (row[0], row[5]["total_order"], row[5]["id"]))


def schemas(form, kafka, registry, topic, prefix):
    """Of the key and of the value."""
    if form == "avro":
        return [whole_schema(registry, f"{topic}-{part}", prefix) for part in ("key", "value")]
    message = next(message for message in kafka.messages(topic) if message.raw_value)
    return [json.loads(text.replace(prefix, "PREFIX"))["schema"]
            for text in (message.key, message.value)]


def unlike(*documents):
    """The lines in which two documents differ."""
    texts = (json.dumps(document, indent=1).split("\n") for document in documents)
    return [line for line in difflib.unified_diff(*texts, n=3, lineterm="")]


@pytest.mark.parametrize("form", ["json", "avro"])
def test_types_are_those_of_debezium(pg_for, kafka, registry, tmp_path, form):
    pg = pg_for("postgres17")
    pg.clickhouse = kafka  # the sink of its agent
    types = {name: rest for name, rest in types_of(pg.source).items() if name not in OTHERWISE}
    made(pg, types)
    pg.execute("CREATE TABLE last (id int PRIMARY KEY)")
    theirs, ours = f"theirs_{pg.schema}", f"ours_{pg.schema}"
    intervals = {"interval.handling.mode": "string" if form == "avro" else "numeric"}
    sink = {"topic.prefix": ours, "provide.transaction.metadata": True, **intervals,
            **({"debezium-json.include-schema.enabled": True} if form == "json" else
               {"value.format": "avro-confluent", "schema.registry.url": registry.url})}
    settings = avro_settings(registry) if form == "avro" else SETTINGS
    engine = Debezium(os.path.join(tmp_path, "debezium"), pg.source, kafka, pg.schema, theirs,
                      form, **{**settings, **intervals, "schema.include.list": pg.schema,
                               "provide.transaction.metadata": "true",
                               "time.precision.mode": "adaptive_time_microseconds"}).start()
    try:
        agent = pg.agent(source={"array.mode": "array"}, sink=sink).start()
        agent.wait_streaming()
        wait_for(lambda: pg.source.value(
            "SELECT count(*) FROM pg_replication_slots WHERE active AND "
            f"database = '{pg.schema}'") == 2, 120, "both slots")
        changed(pg, types)

        def arrived():
            engine.check_alive()
            agent.check_alive()
            last = {f"{prefix}.{pg.schema}.last" for prefix in (theirs, ours)}
            return last <= kafka.topics().keys() and all(kafka.messages(topic) for topic in last)

        wait_for(arrived, 180, "the last row of both", interval=0.5)
        engine.stop()  # behind the last row others may still be under way
    finally:
        engine.remove()
    read = {prefix: AvroReader(known).read if form == "avro" else payload
            for prefix, known in ((theirs, ByContent(registry)), (ours, registry))}
    wrong = []
    for name in ("preset", *types):
        for table in (f"t_{name}", f"n_{name}")[:1 if name == "preset" else 2]:
            there, here = (told(kafka, f"{prefix}.{pg.schema}.{table}", prefix, read[prefix])
                           for prefix in (theirs, ours))
            wrong += [(table, one, two) for one, two in zip(there, here) if one != two]
            assert len(there) == len(here) and len(here) >= 2, (table, there, here)
            shapes = [schemas(form, kafka, registry, f"{prefix}.{pg.schema}.{table}", prefix)
                      for prefix in (theirs, ours)]
            if name not in SCHEMAS and shapes[0] != shapes[1]:
                wrong.append((table, *unlike(*shapes)))
    assert not wrong, "\n".join(str(item) for item in wrong[:6])
