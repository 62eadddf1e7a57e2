# SPDX-License-Identifier: Apache-2.0
"""Arrays of PostgreSQL as arrays: array.mode."""

import base64
import decimal

import pytest

from support import kafka_rows
from support.process import wait_for

UUID = "123e4567-e89b-12d3-a456-426655440000"
TEXT = r"""ARRAY['a,b', 'quote"', E'back\\slash', '{brace}', NULL, 'NULL', '', ' pad ', '数据库']"""
TEXT_SHOWN = r"""['a,b','quote"','back\\slash','{brace}',NULL,'NULL','',' pad ','数据库']"""

# name: (type, value, ClickHouse type, value as ClickHouse shows it)
ARRAYS = {
    "int2": ("smallint[]", "'{-32768,NULL,32767}'", "Int16", "[-32768,NULL,32767]"),
    "int4": ("integer[]", "'{}'", "Int32", "[]"),
    "int8": ("bigint[]", "'{-9223372036854775808,9223372036854775807}'", "Int64",
             "[-9223372036854775808,9223372036854775807]"),
    "float4": ("real[]", "'{NaN,-0.5,Infinity}'", "Float32", "[nan,-0.5,inf]"),
    "float8": ("float8[]", "'{NaN,5e-324,-Infinity,0.1,NULL}'", "Float64",
               "[nan,5e-324,-inf,0.1,NULL]"),
    "price": ("numeric(10,2)[]", "'{-99.99,0.01,NULL}'", "Decimal(10, 2)", "[-99.99,0.01,NULL]"),
    "wide": ("numeric(38,9)[]", "'{-99999999999999999999999999999.999999999}'", "Decimal(38, 9)",
             "[-99999999999999999999999999999.999999999]"),
    "free": ("numeric[]", "'{1.10,NaN}'", "String", "['1.10','NaN']"),
    "txt": ("text[]", TEXT, "String", TEXT_SHOWN),
    "vc": ("varchar(9)[]", "'{a,NULL}'", "String", "['a',NULL]"),
    "ch": ("char(3)[]", "'{a,NULL}'", "String", "['a  ',NULL]"),
    "flag": ("boolean[]", "'{t,f,NULL}'", "Bool", "[true,false,NULL]"),
    "day": ("date[]", "'{1969-12-31,2024-02-29,NULL}'", "Date32",
            "['1969-12-31','2024-02-29',NULL]"),
    "stamp": ("timestamp[]", "'{1969-12-31 23:59:59.999999}'", "DateTime64(6, 'UTC')",
              "['1969-12-31 23:59:59.999999']"),
    "instant": ("timestamptz(3)[]", "'{2024-03-31 01:30:00+02}'", "DateTime64(3, 'UTC')",
                "['2024-03-30 23:30:00.000']"),
    "uid": ("uuid[]", f"'{{{UUID},NULL}}'", "UUID", f"['{UUID}',NULL]"),
    "raw": ("bytea[]", r"ARRAY['\x5c22', '\x']::bytea[]", "String", r"""['\\"','']"""),
    "doc": ("jsonb[]", """ARRAY['{"a": [1, null]}', 'null', NULL]::jsonb[]""", "String",
            """['{"a": [1, null]}','null',NULL]"""),
    "mood": ("mood[]", "'{sad,\"with, comma\",NULL}'", "String", "['sad','with, comma',NULL]"),
    "amounts": ("amount[]", "'{1.25,-99.99}'", "Decimal(10, 2)", "[1.25,-99.99]"),
    "listed": ("prices", "'{1.25,NULL}'", "Decimal(6, 2)", "[1.25,NULL]"),
}
DECLARED = ["CREATE TYPE mood AS ENUM ('sad', 'with, comma')",
            "CREATE DOMAIN amount AS numeric(10,2)", "CREATE DOMAIN prices AS numeric(6,2)[]"]


@pytest.mark.parametrize("version", ["postgres15", "postgres18"])
def test_arrays_arrive_as_arrays(pg_for, version):
    """Snapshot and log alike, also an array that TOAST holds and an update leaves alone."""
    pg = pg_for(version)
    columns = ", ".join(f"{name} {kind}" for name, (kind, *_) in ARRAYS.items())
    values = ", ".join(value for _, value, _, _ in ARRAYS.values())
    pg.execute(*DECLARED, f"CREATE TABLE t (id int PRIMARY KEY, n int, big text[], {columns})",
               f"INSERT INTO t SELECT 1, 0, array_agg(md5(i::text)), {values} "
               "FROM generate_series(1, 3000) i")
    agent = pg.agent({"array.mode": "array"}, {"array.null": "empty"}).start()
    agent.wait_streaming(120)
    pg.execute("INSERT INTO t SELECT 2, 0, t.big, " + ", ".join(ARRAYS) + " FROM t",
               "UPDATE t SET n = 1", "INSERT INTO t (id, n) VALUES (3, 1)")
    read = f"FROM {pg.schema}.t FINAL"
    wait_for(lambda: int(pg.value_or_none(f"SELECT count() {read} WHERE n = 1") or 0) == 3, 60,
             "three rows")
    wrong = []
    for name, (_, _, kind, shown) in ARRAYS.items():
        found = pg.clickhouse.columns(pg.schema, "t")[name]
        if found != f"Array(Nullable({kind}))":
            wrong.append(f"{name}: {found}")
        for row in (1, 2):
            value = pg.clickhouse.value(f"SELECT base64Encode(toString({name})) {read} "
                                        f"WHERE id = {row}")
            text = base64.b64decode(value).decode()
            if text != shown:
                wrong.append(f"{name} {row}: {text}, expected {shown}")
        if pg.clickhouse.value(f"SELECT length({name}) {read} WHERE id = 3") not in (0, "0"):
            wrong.append(f"{name}: a NULL is no empty array")
    assert not wrong, "\n".join(wrong)
    digest = pg.query("SELECT md5(array_to_string(big, ',')) FROM t WHERE id = 1")[0][0]
    for row in (1, 2):
        assert pg.clickhouse.value("SELECT lower(hex(MD5(arrayStringConcat(arrayMap(x -> "
                                   f"assumeNotNull(x), big), ',')))) {read} WHERE id = {row}"
                                   ) == digest


@pytest.mark.parametrize("value, line", [
    ("NULL", r"'v' is NULL here, and an Array takes no NULL: array.null: empty"),
    ("'{{1,2},{3,4}}'", r"\{\{1,2\},\{3,4\}\} has more than one dimension.*array.mode: text"),
    ("'[0:1]={1,2}'", r"\[0:1\]=\{1,2\} has more than one dimension or another lower bound"),
])
def test_what_no_array_holds_parks_its_table(pg, value, line):
    """From the log, and again from the snapshot; it goes on with array.mode: text."""
    pg.execute("CREATE TABLE t (id int PRIMARY KEY, v int[])", "INSERT INTO t VALUES (1, '{1}')")
    agent = pg.agent({"array.mode": "array"}).start()
    agent.wait_streaming(60)
    pg.execute(f"INSERT INTO t VALUES (2, {value})")
    agent.wait_log(r"t' is parked.*" + line)


def test_an_array_in_a_key_is_text(pg):
    pg.execute("CREATE TABLE t (k int[] PRIMARY KEY, v int[])",
               "INSERT INTO t VALUES ('{1,2}', '{3}')")
    agent = pg.agent({"array.mode": "array"}).start()
    agent.wait_streaming(60)
    pg.execute("INSERT INTO t VALUES ('{{1},{2}}', '{4,NULL}')")
    wait_for(lambda: pg.value_or_none(
        "SELECT toString(groupArray((k, v))) FROM (SELECT k, v "
        f"FROM {pg.schema}.t FINAL ORDER BY k)")
        == "[('{1,2}',[3]),('{{1},{2}}',[4,NULL])]", 60, "both rows")


def test_another_array_mode_does_not_fit_the_old_target(pg):
    pg.execute("CREATE TABLE t (id int PRIMARY KEY, v int[])", "INSERT INTO t VALUES (1, '{1,2}')")
    agent = pg.agent().start()
    pg.wait_equal()
    agent.stop()
    agent = pg.agent({"array.mode": "array"}).start()
    agent.wait_log(r"t' is parked.*'v' Nullable\(String\) of the target cannot hold every array "
                   r"of the source \(integer\[\]\): .*array.mode")


def test_an_altered_array_is_read_again(pg):
    """To other elements, and to text; and a new column of arrays."""
    pg.execute("CREATE TABLE t (id int PRIMARY KEY, v int[], w int[])",
               "INSERT INTO t VALUES (1, '{1,NULL}', '{2}')")
    agent = pg.agent({"array.mode": "array"}).start()
    agent.wait_streaming(60)
    pg.execute("ALTER TABLE t ALTER v TYPE bigint[]", "ALTER TABLE t ALTER w TYPE text USING 'x'",
               "ALTER TABLE t ADD n text[] NOT NULL DEFAULT '{a,b}'",
               "INSERT INTO t VALUES (2, '{3000000000}', '{x}', '{}')")
    wait_for(lambda: pg.clickhouse.columns(pg.schema, "t").get("n") and pg.clickhouse.value(
        "SELECT toString(groupArray((v, w, n))) FROM (SELECT v, w, n "
        f"FROM {pg.schema}.t FINAL ORDER BY id)")
        == "[([1,NULL],'x',['a','b']),([3000000000],'{x}',[])]", 60, "the new shape")


@pytest.mark.parametrize("form", ["debezium-json", "avro-confluent"])
def test_arrays_in_messages(pg_for, kafka, registry, form):
    pg = pg_for()
    pg.clickhouse = kafka  # the sink of its agent
    pg.execute("CREATE TABLE t (id int PRIMARY KEY, v int[], w text[], n int[])",
               "INSERT INTO t VALUES (1, '{1,NULL,3}', '{a,NULL,\"NULL\"}', '{}')")
    options = {"value.format": form}
    if form == "avro-confluent":
        options["schema.registry.url"] = registry.url
    else:
        options["debezium-json.include-schema.enabled"] = "true"
    agent = pg.agent({"array.mode": "array"}, options).start()
    agent.wait_streaming(60)
    pg.execute("INSERT INTO t VALUES (2, NULL, '{}', '{7}')")
    topic = f"{pg.schema}.t"
    found = wait_for(lambda: topic in kafka.topics() and len(kafka.messages(topic)) >= 2
                     and kafka.messages(topic), 60, "two messages", interval=0.3)
    if form == "avro-confluent":
        reader = kafka_rows.AvroReader(registry)
        images = [reader.read(message.raw_value)["after"] for message in found]
    else:
        images = [message.json["payload"]["after"] for message in found]
        before = found[0].json["schema"]["fields"][0]["fields"]
        assert before[1] == {"type": "array", "items": {"type": "int32", "optional": True},
                             "optional": True, "field": "v"}
    assert sorted(images, key=lambda image: image["id"]) == [
        {"id": 1, "v": [1, None, 3], "w": ["a", None, "NULL"], "n": []},
        {"id": 2, "v": None, "w": [], "n": [7]}]


@pytest.mark.parametrize("form", ["debezium-json-flink", "canal-json", "maxwell-json"])
def test_arrays_in_flat_messages(pg, kafka, form):
    pg.clickhouse = kafka  # the sink of its agent
    pg.execute("CREATE TABLE t (id int PRIMARY KEY, v int[], w text[], p numeric(10,2)[], "
               "b bytea[], d date[], f float8[])",
               "INSERT INTO t VALUES (1, '{1,NULL,3}', '{a,NULL,\"NULL\"}', '{1.10,NULL}', "
               "'{\\\\x00ff}', '{2024-02-29}', '{NaN,0.1}')")
    agent = pg.agent({"array.mode": "array"}, {"value.format": form}).start()
    agent.wait_streaming(60)
    pg.execute("INSERT INTO t VALUES (2, NULL, '{}', '{}', NULL, '{NULL}', NULL)")
    topic = f"{pg.schema}.t"
    found = wait_for(lambda: topic in kafka.topics() and len(kafka.messages(topic)) >= 2
                     and kafka.messages(topic), 60, "two messages", interval=0.3)
    images = sorted((kafka_rows.changes(form, message)[1] for message in found),
                    key=lambda image: int(image["id"]))
    text = form == "canal-json"  # whose values are all texts
    assert images[0] == {
        "id": "1" if text else 1, "v": ["1", None, "3"] if text else [1, None, 3],
        "w": ["a", None, "NULL"], "p": ["1.10" if text else decimal.Decimal("1.1"), None],
        "b": ["\x00\xff" if text else "AP8="], "d": ["2024-02-29"],
        "f": ["NaN", "0.1" if text else decimal.Decimal("0.1")]}
    assert list(images[1].values())[1:] == [None, [], [], None, [None], None]


@pytest.mark.parametrize("form", ["debezium-json", "canal-json", "avro-confluent"])
def test_a_message_cannot_hold_an_array_of_arrays(pg_for, kafka, registry, form):
    pg = pg_for()
    pg.clickhouse = kafka  # the sink of its agent
    pg.execute("CREATE TABLE t (id int PRIMARY KEY, v int[])",
               "INSERT INTO t VALUES (1, '{{1},{2}}')")
    options = {"value.format": form}
    if form == "avro-confluent":
        options["schema.registry.url"] = registry.url
    agent = pg.agent({"array.mode": "array"}, options).start()
    agent.wait_log(r"t' is parked.*'v': a value that.*an array of more dimensions.*"
                   "array.mode: text")
