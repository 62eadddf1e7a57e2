# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL to ClickHouse: the log and the snapshot, on all versions of the server."""

import contextlib
import random
import threading
import time

import psycopg2
import pytest

from support.process import wait_for

TEXTS = ["''", "'plain'", "'Ärger naïve €'", "E'tab\\there'", "E'line\\nbreak'", "'back\\slash'",
         "'quote '''", "'   padded   '", "'数据库 🚚'", "'\\N'"]

# name: (type, values, ClickHouse type of the nullable column)
TYPES = {
    "bool": ("boolean", ["true", "false"], "Nullable(Bool)"),
    "int2": ("smallint", ["-32768", "32767", "0"], "Nullable(Int16)"),
    "int4": ("integer", ["-2147483648", "2147483647"], "Nullable(Int32)"),
    "int8": ("bigint", ["-9223372036854775808", "9223372036854775807"], "Nullable(Int64)"),
    "oid": ("oid", ["0", "4294967295"], "Nullable(UInt32)"),
    "xid8": ("xid8", ["'0'", "'18446744073709551615'"], "Nullable(UInt64)"),
    "float4": ("real", ["0", "-0.1", "3.4e38", "1e-45", "16777217", "'NaN'", "'-Infinity'"],
               "Nullable(Float32)"),
    "float8": ("double precision",
               ["0.1", "1.7976931348623157e308", "5e-324", "'Infinity'", "'NaN'",
                                    "123456789012345678"], "Nullable(Float64)"),
    "numeric_small": ("numeric(4,2)", ["-99.99", "0.01", "-0.01", "0"], "Nullable(Decimal(4, 2))"),
    "numeric_18": ("numeric(18,18)", ["0.999999999999999999", "-0.000000000000000001"],
                   "Nullable(Decimal(18, 18))"),
    "numeric_38": ("numeric(38,9)", ["-99999999999999999999999999999.999999999", "0", "1"],
                   "Nullable(Decimal(38, 9))"),
    "numeric_76": ("numeric(76,30)", ["9" * 46 + "." + "9" * 30, "-1"],
                   "Nullable(Decimal(76, 30))"),
    "numeric_100": ("numeric(100,2)", ["9" * 98 + ".99", "-0.01"], "Nullable(String)"),
    "numeric_coarse": ("numeric(3,-2)", ["12345", "-99900"], "Nullable(Decimal(5, 0))"),
    "numeric_fine": ("numeric(2,5)", ["0.00012", "-0.00099"], "Nullable(Decimal(5, 5))"),
    "numeric": ("numeric", ["0", "-1.10", "'NaN'", "'Infinity'", "1e-400",
                            "123456789012345678901234567890.0987654321"], "Nullable(String)"),
    "money": ("money", ["'1234.5'", "'-0.01'", "'92233720368547758.07'"],
              "Nullable(Decimal(19, 2))"),
    "date": ("date", ["'1970-01-01'", "'1969-12-31'", "'2024-02-29'", "'1900-01-01'",
                      "'2299-12-31'", "'infinity'", "'-infinity'"], "Nullable(Date32)"),
    "time": ("time", ["'00:00:00'", "'23:59:59.999999'", "'24:00:00'", "'12:34:56.7'"],
             "Nullable(Time64(6))"),
    "time0": ("time(0)", ["'12:34:56.7'", "'00:00:01'"], "Nullable(Time64(0))"),
    "timetz": ("timetz", ["'12:34:56.789+05:30'", "'00:00:00-15:59:59'"], "Nullable(String)"),
    "timestamp": ("timestamp", ["'1969-12-31 23:59:59.999999'", "'2024-10-27 02:30:00.000001'",
                                "'infinity'", "'1900-01-01 00:00:00'"],
                  "Nullable(DateTime64(6, 'UTC'))"),
    "timestamp3": ("timestamp(3)", ["'2024-02-29 12:00:00.1234'"],
                   "Nullable(DateTime64(3, 'UTC'))"),
    "timestamptz": ("timestamptz", ["'2024-03-31 01:30:00+02'", "'1970-01-01 00:00:00Z'",
                                    "'2024-07-01 12:00:00.5 America/New_York'", "'-infinity'"],
                    "Nullable(DateTime64(6, 'UTC'))"),
    "timestamptz0": ("timestamptz(0)", ["'2038-01-19 03:14:07+00'"],
                     "Nullable(DateTime64(0, 'UTC'))"),
    "interval": ("interval", ["'1 year 2 mons 3 days 04:05:06.789'", "'-1 days +00:00:01'", "'0'"],
                 "Nullable(String)"),
    "text": ("text", TEXTS + ["repeat('数', 300)", "repeat('long ', 100000)"], "Nullable(String)"),
    "varchar": ("varchar(300)", TEXTS, "Nullable(String)"),
    "char": ("char(20)", TEXTS, "Nullable(String)"),
    "name": ("name", ["'n'"], "Nullable(String)"),
    "inner_char": ('"char"', ["'x'", "''"], "Nullable(String)"),
    "bytea": ("bytea", ["''", r"'\x00ff80'", r"'\x5c4e'", "decode(repeat('fe00', 200000), 'hex')"],
              "Nullable(String)"),
    "uuid": ("uuid", ["'123e4567-e89b-12d3-a456-426655440000'",
                      "'ffffffff-ffff-ffff-ffff-fffffffffffe'"], "Nullable(UUID)"),
    "json": ("json", ["'{\"b\": 1,  \"a\": [1, null]}'", "'null'", "'\"ü 🚚\"'"],
             "Nullable(String)"),
    "jsonb": ("jsonb", ["'{\"b\": 1,  \"a\": [1.50, null]}'", "'[]'",
                        "(SELECT jsonb_agg(n) FROM generate_series(1, 20000) n)"],
              "Nullable(String)"),
    "xml": ("xml", ["'<a b=\"1\">t</a>'"], "Nullable(String)"),
    "enum": ("mood", ["'sad'", "'with, comma'", "'größe'"], "LowCardinality(Nullable(String))"),
    "domain": ("amount", ["1.25", "-99.99"], "Nullable(Decimal(10, 2))"),
    "domain_of_domain": ("small_amount", ["1.25"], "Nullable(Decimal(10, 2))"),
    "composite": ("pair", ["ROW(1, 'x,\"y')", "ROW(NULL, '')"], "Nullable(String)"),
    "int_array": ("int[]", ["'{1,NULL,3}'", "'{}'", "'[0:1]={1,2}'", "'{{1,2},{3,4}}'"],
                  "Nullable(String)"),
    "text_array": ("text[]", ["ARRAY['a,b', 'quote\"', NULL, 'NULL', '']"], "Nullable(String)"),
    "enum_array": ("mood[]", ["'{sad,\"with, comma\"}'"], "Nullable(String)"),
    "int_range": ("int4range", ["'[1,5)'", "'empty'", "'(,)'"], "Nullable(String)"),
    "time_range": ("tstzrange", ["'[2024-01-01 00:00+02,infinity)'"], "Nullable(String)"),
    "multirange": ("int8multirange", ["'{[1,2),[5,9)}'", "'{}'"], "Nullable(String)"),
    "inet": ("inet", ["'192.0.2.1/24'", "'::1'"], "Nullable(String)"),
    "cidr": ("cidr", ["'10.0.0.0/8'"], "Nullable(String)"),
    "macaddr": ("macaddr", ["'08:00:2b:01:02:03'"], "Nullable(String)"),
    "bit": ("bit(5)", ["B'00101'"], "Nullable(String)"),
    "varbit": ("varbit", ["B'0010'", "B''"], "Nullable(String)"),
    "point": ("point", ["'(1.5,-2)'"], "Nullable(String)"),
    "box": ("box", ["'(2,2),(0,0)'"], "Nullable(String)"),
    "polygon": ("polygon", ["'((0,0),(0,5),(5,5))'"], "Nullable(String)"),
    "tsvector": ("tsvector", ["'a fat cat'::tsvector"], "Nullable(String)"),
    "pg_lsn": ("pg_lsn", ["'16/B374D848'"], "Nullable(String)"),
}
NEWER = {"numeric_coarse": 15, "numeric_fine": 15, "multirange": 14, "xid8": 13}
DECLARED = ["CREATE TYPE mood AS ENUM ('sad', 'with, comma', 'größe')",
            "CREATE DOMAIN amount AS numeric(10,2) CHECK (VALUE > -1000)",
            "CREATE DOMAIN small_amount AS amount CHECK (VALUE < 100)",
            "CREATE TYPE pair AS (a int, b text)"]


def types_of(server):
    """Those of TYPES that this server can declare, with the values that it knows."""
    types = {name: rest for name, rest in TYPES.items()
             if server.number >= NEWER.get(name, 0) and (name != "xml" or server.xml)}
    if server.number < 14:
        kind, values, shown = TYPES["numeric"]
        types["numeric"] = (kind, [value for value in values if value != "'Infinity'"], shown)
    return types


def insert(table, values, first):
    rows = ", ".join(f"({first + i}, {value})" for i, value in enumerate(["NULL", *values]))
    return f"INSERT INTO {table} VALUES {rows}"


def test_every_type_arrives_exactly(pg_for, postgres_version):
    pg = pg_for(postgres_version)
    pg.execute(*DECLARED)
    types = types_of(pg.source)
    for name, (kind, values, _) in types.items():
        pg.execute(f"CREATE TABLE t_{name} (id int PRIMARY KEY, v {kind})",
                   insert(f"t_{name}", values, 0))
    pg.agent().start().wait_streaming(120)
    pg.wait_equal(120)
    for name, (kind, values, _) in types.items():
        pg.execute(insert(f"t_{name}", values, 1000),
                   f"INSERT INTO t_{name} SELECT id + 2000, v FROM t_{name} WHERE id < 1000",
                   f"UPDATE t_{name} SET v = NULL WHERE id = 2001",
                   f"UPDATE t_{name} SET v = {values[-1]} WHERE id = 2000",
                   f"DELETE FROM t_{name} WHERE id = 1")
    pg.wait_equal(120)
    wrong = []
    for name, (kind, _, expected) in types.items():
        found = pg.clickhouse.columns(pg.schema, f"t_{name}").get("v")
        if found != expected:
            wrong.append(f"{kind}: {found}, expected {expected}")
    assert not wrong, "\n".join(wrong)


def test_nan_in_a_decimal_parks_its_table(pg):
    """In the snapshot and in the log; other tables go on, and so does it once that is mended."""
    pg.execute("CREATE TABLE first (id int PRIMARY KEY, v numeric(10,2))",
               "CREATE TABLE second (id int PRIMARY KEY, v numeric(10,2))",
               "CREATE TABLE good (id int PRIMARY KEY, v numeric(10,2))",
               "INSERT INTO first VALUES (1, 'NaN')", "INSERT INTO second VALUES (1, 1.5)")
    agent = pg.agent().start()
    agent.wait_log(r"first' is parked.*'v': NaN")
    pg.execute("INSERT INTO second VALUES (2, 'NaN')", "INSERT INTO good VALUES (1, 2.25)")
    agent.wait_log(r"second' is parked.*'v': NaN")
    pg.wait_equal(tables=["good"])
    pg.execute("DELETE FROM first", "DELETE FROM second WHERE id = 2",
               "ALTER TABLE first ADD COLUMN w int", "INSERT INTO first VALUES (2, 3, 4)",
               "ALTER TABLE second ADD COLUMN w int", "INSERT INTO second VALUES (3, 3, 4)")
    pg.wait_equal()


def test_keys_of_many_types(pg):
    """Chunks of a few rows, over keys that the database alone can order too."""
    pg.execute(*DECLARED)
    keys = {"bool": "boolean", "int8": "bigint", "numeric": "numeric(12,3)", "free": "numeric",
            "text": "text", "date": "date", "stamp": "timestamptz", "uuid": "uuid",
            "bytea": "bytea", "enum": "mood", "range": "int4range", "float": "float8"}
    values = {"bool": "n % 2 = 0", "int8": "n * bigint '1000000007'", "numeric": "n / 8.0",
              "free": "n / 7.0",
              "text": "chr(65 + n % 50) || n", "date": "date '1969-12-01' + n",
              "stamp": "timestamptz '1969-12-31 20:00Z' + n * interval '1 min 0.000001 s'",
              "uuid": "md5(n::text)::uuid", "bytea": "decode(md5(n::text), 'hex')",
              "enum": "(ARRAY['sad', 'größe', 'with, comma'])[1 + n % 3]::mood",
              "range": "int4range(n, n + 5)", "float": "n / 3.0"}
    for name, kind in keys.items():
        pg.execute(f"CREATE TABLE k_{name} (k {kind}, n int, s text, PRIMARY KEY (k, n))",
                   f"INSERT INTO k_{name} SELECT {values[name]}, n, 'v' || n "
                   "FROM generate_series(1, 60) n")
    agent = pg.agent(source={"scan.incremental.snapshot.chunk.size": 7}).start()
    agent.wait_streaming(120)
    for name in keys:
        pg.execute(f"UPDATE k_{name} SET s = s || '!' WHERE n % 3 = 0",
                   f"DELETE FROM k_{name} WHERE n % 7 = 0")
    pg.wait_equal(60)


class Changer(threading.Thread):
    """Inserts, updates, deletes and moves rows of the tables `big`, `parts` and `plain`."""

    def __init__(self, sync, seed, rows, ended, lost=False):
        super().__init__(daemon=True)
        self.sync, self.random, self.rows, self.ended = sync, random.Random(seed), rows, ended
        self.lost = lost  # the server may die
        self.error = None
        sync.writers.append(self)

    def run(self):
        while not self.ended.is_set() and not self.error:
            try:
                self.work()
            except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
                self.error = None if self.lost else error
                time.sleep(0.05)
            except Exception as error:
                self.error = error

    def work(self):
        with contextlib.closing(self.sync.connect()) as connection:
            connection.autocommit = False
            cursor = connection.cursor()
            while not self.ended.is_set():
                try:
                    self.change(cursor)
                    if self.random.randrange(15) == 0:
                        connection.rollback()
                    else:
                        connection.commit()
                except (psycopg2.errors.UniqueViolation, psycopg2.errors.DeadlockDetected,
                        psycopg2.errors.SerializationFailure):  # moved to another partition
                    connection.rollback()

    def change(self, cursor):
        pick = lambda: self.random.randrange(1, self.rows)  # noqa: E731
        kind = self.random.randrange(9)
        if kind == 0:
            cursor.execute("INSERT INTO big VALUES (%s, 1, 'new') ON CONFLICT DO NOTHING",
                           (self.rows + self.random.randrange(self.rows),))
        elif kind == 1:
            cursor.execute("DELETE FROM big WHERE id = %s", (pick(),))
        elif kind == 2:
            cursor.execute("UPDATE big SET id = %s WHERE id = %s", (pick(), pick()))
        elif kind == 3:
            cursor.execute("DELETE FROM big WHERE id = %s", (pick(),))
            cursor.execute("SAVEPOINT a")
            cursor.execute("INSERT INTO big VALUES (%s, 2, 'gone')", (self.rows * 3,))
            cursor.execute("ROLLBACK TO a")
            cursor.execute("INSERT INTO big VALUES (%s, 2, 'again') ON CONFLICT DO NOTHING",
                           (pick(),))
        elif kind == 4:
            cursor.execute("INSERT INTO plain VALUES (%s, 'w')", (self.random.randrange(50),))
            cursor.execute("DELETE FROM plain WHERE ctid = (SELECT ctid FROM plain WHERE v = %s "
                           "LIMIT 1)", (self.random.randrange(50),))
        elif kind == 5:
            cursor.execute("UPDATE parts SET day = 1 + (day + 1) %% 3 WHERE id = %s", (pick(),))
            cursor.execute("DELETE FROM parts WHERE id = %s", (pick(),))
        elif kind == 6:
            cursor.execute("INSERT INTO parts VALUES (%s, 2, 'p') ON CONFLICT DO NOTHING",
                           (pick(),))
        else:
            first = pick()
            cursor.execute("UPDATE big SET v = v + 1 WHERE id BETWEEN %s AND %s",
                           (first, first + self.random.randrange(20)))


def start_changers(pg, count, rows, seed=0, lost=False):
    ended = threading.Event()
    changers = [Changer(pg, seed + i, rows, ended, lost) for i in range(count)]
    for changer in changers:
        changer.start()
    return changers


def stop_changers(changers):
    changers[0].ended.set()
    for changer in changers:
        changer.join(60)
        assert changer.error is None, changer.error


def fill(pg, rows):
    roots = pg.source.number >= 13  # 12 cannot put a partitioned table into its log
    pg.execute("CREATE TABLE big (id int PRIMARY KEY, v int NOT NULL, s varchar(30))",
               f"INSERT INTO big SELECT n, n % 1000, 'row ' || n FROM generate_series(1, {rows}) n",
               "CREATE TABLE plain (v int, s varchar(10))",
               "ALTER TABLE plain REPLICA IDENTITY FULL",
               f"INSERT INTO plain SELECT n % 50, 'w' FROM generate_series(1, {rows // 10}) n",
               "CREATE TABLE parts (id int, day int, s text, PRIMARY KEY (id, day))" +
               (" PARTITION BY LIST (day)" if roots else ""),
               *(f"CREATE TABLE parts_{day} PARTITION OF parts FOR VALUES IN ({day})"
                 for day in (1, 2, 3) if roots),
               f"INSERT INTO parts SELECT n, 1 + n % 3, 'p' FROM generate_series(1, {rows // 5}) n")


def test_rows_that_change_during_the_snapshot(pg_for, postgres_version, full):
    """Eight writers, whose commits become visible late: equal, every time."""
    pg = pg_for(postgres_version)
    rows, runs = (1000000, 20) if full else (20000, 2)
    fill(pg, rows)
    pg.source.execute("ALTER SYSTEM SET commit_delay = 2000",
                      "ALTER SYSTEM SET commit_siblings = 1",
                      "SELECT pg_reload_conf()")
    for run in range(runs):
        changers = start_changers(pg, 8, rows, seed=run * 100)
        time.sleep(0.3)
        pg.clickhouse.execute(f"DROP DATABASE IF EXISTS `{pg.schema}`")
        agent = pg.agent(source={"scan.incremental.snapshot.chunk.size":
                                 32768 if full else 500}).start()
        agent.wait_streaming(300)
        time.sleep(0.3)
        stop_changers(changers)
        pg.wait_equal(120)
        agent.stop()


def test_killed_and_started_again(pg, full):
    """kill -9 while rows are read and changed: nothing is lost, nothing doubled."""
    fill(pg, 20000)
    changers = start_changers(pg, 3, 20000)
    agent = pg.agent(source={"scan.incremental.snapshot.chunk.size": 300})
    pause = random.Random(7)
    for run in range(100 if full else 8):
        agent.start()
        time.sleep(0.3 + pause.random())
        agent.kill()
        if run % 25 == 24:
            stop_changers(changers)
            agent.start().wait_streaming(120)
            pg.wait_equal(120)
            agent.stop()
            changers = start_changers(pg, 3, 20000, seed=run)
    agent.start().wait_streaming(120)
    stop_changers(changers)
    pg.wait_equal(120)


def test_the_server_is_killed(pg_for, lab_folder, full):
    """kill -9 of the server under load, while the agent follows."""
    from support.postgres import PostgreSQL
    server = PostgreSQL(lab_folder, {"fsync": "on"}).start()
    try:
        pg = pg_for(server=server)
        fill(pg, 5000)
        agent = pg.agent().start()
        agent.wait_streaming()
        for run in range(20 if full else 3):
            changers = start_changers(pg, 3, 5000, seed=run * 10, lost=True)
            time.sleep(1)
            server.kill()
            server.start()
            time.sleep(1)
            stop_changers(changers)
            pg.wait_equal(90)
        agent.check_alive()
    finally:
        for agent in pg.agents:
            agent.stop()
        server.remove()


def test_a_slot_that_was_dropped(pg):
    """The position is gone: the agent says so and ends, or reads everything again."""
    pg.execute("CREATE TABLE t (id int PRIMARY KEY, v int)", "INSERT INTO t VALUES (1, 1), (2, 2)")
    agent = pg.agent().start()
    agent.wait_streaming()
    pg.wait_equal()
    agent.stop()
    pg.source.execute(f"SELECT pg_drop_replication_slot('{pg.schema}')")
    pg.execute("DELETE FROM t WHERE id = 1", "INSERT INTO t VALUES (3, 3)")
    agent.start(wait=False)
    assert agent.wait_end() == 2
    assert f"the slot '{pg.schema}' is gone" in agent.log()
    agent.configuration["pipeline"]["on-lost-position"] = "resync"
    agent.start()
    pg.wait_equal()
    pg.execute("UPDATE t SET v = 30 WHERE id = 3")
    pg.wait_equal()


def test_from_a_place_of_the_slot(pg):
    """run --from: what the slot keeps can be read, from its beginning or further on; no more."""
    pg.execute("CREATE TABLE t (id int PRIMARY KEY, v int)", "INSERT INTO t VALUES (1, 1)")
    agent = pg.agent().start()
    agent.wait_streaming()
    pg.wait_equal()
    agent.stop()
    pg.execute("INSERT INTO t VALUES (2, 2)")
    middle = pg.source.value("SELECT pg_current_wal_insert_lsn()")
    pg.execute("INSERT INTO t VALUES (3, 3)")
    for place, said in (("0/1", "sends nothing from before that"),
                        ("FFFF/0", "behind the end"), ("2026-11-26", "no slot can be read")):
        agent.start(wait=False, arguments=["--from", place, "--discard-checkpoint"])
        assert agent.wait_end() == 2
        assert said in agent.log(1), agent.log(3)
    end = pg.source.value("SELECT pg_current_wal_insert_lsn()")
    for place, wanted in ((middle, ["3"]), ("latest", []), ("earliest", ["4"])):
        pg.clickhouse.execute(f"TRUNCATE TABLE `{pg.schema}`.t")
        agent.start(arguments=["--from", place, "--discard-checkpoint"])
        agent.wait_log("streaming begins", after=len(agent.log()) - 2000)
        if place != middle:
            time.sleep(0.5)
        wait_for(lambda: [row[0] for row in pg.clickhouse.rows(
            f"SELECT id FROM `{pg.schema}`.t FINAL")] == wanted, 30, f"{place}: {wanted}")
        if place == "latest":  # without a row to wait for: the slot shows that it was read
            wait_for(lambda: pg.slot(f"confirmed_flush_lsn >= '{end}'"), 60, "the slot to move")
        agent.stop()
        if place == "latest":
            pg.execute("INSERT INTO t VALUES (4, 4)")


def test_an_idle_slot_moves_on(pg):
    """Writes that are none of ours do not pile up behind the slot."""
    pg.execute("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    pg.agent().start().wait_streaming()
    pg.source.execute("CREATE TABLE other (v text)",
                      "INSERT INTO other SELECT repeat('x', 1000) FROM generate_series(1, 5000)")
    end = pg.source.value("SELECT pg_current_wal_flush_lsn()")
    wait_for(lambda: pg.source.value(
        f"SELECT confirmed_flush_lsn >= '{end}' FROM pg_replication_slots WHERE slot_name = "
        f"'{pg.schema}'"), 30, "the slot to pass what others wrote")
    pg.source.execute("DROP TABLE other")


def test_what_is_not_durable_is_not_confirmed(pg):
    """While ClickHouse is down the slot stands still, and the stream lives on."""
    pg.execute("CREATE TABLE t (id int PRIMARY KEY, v int)")
    agent = pg.agent().start()
    agent.wait_streaming()
    pg.execute("INSERT INTO t VALUES (1, 1)")
    pg.wait_equal()
    before = pg.source.value("SELECT pg_current_wal_flush_lsn()")
    pg.clickhouse.stop()
    pg.execute("INSERT INTO t SELECT n, n FROM generate_series(2, 5000) n")
    time.sleep(3)
    confirmed = pg.slot("confirmed_flush_lsn")
    start = pg.source.value("SELECT pg_current_wal_flush_lsn()")
    assert pg.source.value(f"SELECT '{start}'::pg_lsn - '{confirmed}'::pg_lsn > 10000")
    assert pg.source.value(f"SELECT '{before}'::pg_lsn - '{confirmed}'::pg_lsn <= 100000")
    pg.clickhouse.start()
    pg.wait_equal(90)


@pytest.mark.parametrize("identity", ["DEFAULT", "FULL"])
def test_toast_values_that_an_update_leaves_alone(pg, identity):
    pg.execute("CREATE TABLE t (id int PRIMARY KEY, v int, large text, more bytea)",
               f"ALTER TABLE t REPLICA IDENTITY {identity}",
               "ALTER TABLE t ALTER large SET STORAGE EXTERNAL",
               "INSERT INTO t SELECT n, n, repeat(md5(n::text), 300), "
               "decode(repeat(md5(n::text), 500), 'hex') FROM generate_series(1, 300) n")
    pg.agent().start().wait_streaming()
    pg.execute("UPDATE t SET v = v + 1",                       # the values stay
               "UPDATE t SET id = id + 1000 WHERE id <= 100",  # and move with their key
               "UPDATE t SET large = 'short' WHERE id > 290",
               "UPDATE t SET v = 0 WHERE id > 280",
               "DELETE FROM t WHERE id = 1005",
               "INSERT INTO t VALUES (1, 1, NULL, NULL)")
    connection = pg.connect()
    connection.autocommit = False
    cursor = connection.cursor()
    cursor.execute("UPDATE t SET v = -1 WHERE id = 200")
    cursor.execute("DELETE FROM t WHERE id = 201")
    cursor.execute("UPDATE t SET id = 201 WHERE id = 202")  # another row's place
    connection.commit()
    connection.close()
    pg.wait_equal()


def test_a_large_transaction_in_bounded_memory(pg):
    pg.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
    agent = pg.agent(binary=None, pipeline={"memory.budget": "32mb"}).start()
    agent.wait_streaming()
    pg.execute("INSERT INTO t SELECT n, repeat(md5(n::text), 10) FROM generate_series(1, 300000) n",
               "UPDATE t SET v = 'x' || id WHERE id % 2 = 0")
    pg.wait_equal(180)


def test_tables_without_a_key(pg):
    pg.execute("CREATE TABLE full_ (a int, b text)", "ALTER TABLE full_ REPLICA IDENTITY FULL",
               "INSERT INTO full_ VALUES (1, 'x'), (1, 'x'), (NULL, NULL)",
               "CREATE TABLE bare (a int)", "INSERT INTO bare VALUES (1)",
               "CREATE TABLE indexed (a int NOT NULL, b text NOT NULL, v int)",
               "CREATE UNIQUE INDEX u ON indexed (b, a)",
               "ALTER TABLE indexed REPLICA IDENTITY USING INDEX u",
               "INSERT INTO indexed VALUES (1, 'x', 1), (2, 'x', 2)")
    agent = pg.agent().start()
    agent.wait_log(r"bare.*parked.*no primary key.*REPLICA IDENTITY FULL")
    pg.execute("UPDATE bare SET a = 2", "DELETE FROM full_ WHERE ctid = '(0,1)'",
               "UPDATE full_ SET b = 'y' WHERE a IS NULL", "INSERT INTO full_ VALUES (1, 'x')",
               "UPDATE indexed SET a = 5 WHERE a = 1")
    pg.wait_equal(tables=["full_", "indexed"])
    pg.execute("ALTER TABLE bare REPLICA IDENTITY FULL")
    wait_for(lambda: agent.table_states().get(f"{pg.schema}.bare") == "streaming", 30,
             "the table to be followed")
    pg.execute("INSERT INTO bare VALUES (2), (3)", "UPDATE bare SET a = 4 WHERE a = 3")
    pg.wait_equal(tables=["bare"])
