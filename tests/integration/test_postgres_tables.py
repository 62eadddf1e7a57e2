# SPDX-License-Identifier: Apache-2.0
"""Tables of all kinds and names, and what happens to them while they are followed."""

import pytest

from support.process import wait_for

HOSTILE = ['a "quoted" one', "with.dot", "sp ace", "größe数据", "select", "UPPER", "back\\slash",
           "it's", "x" * 63, "$1", "%s", "-- no", "semi;colon"]


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def ids(pg, table):
    target = f"`{pg.schema}`.`{table}`"
    return pg.value_or_none(f"SELECT arraySort(groupArray(id)) FROM {target} FINAL")


def test_hostile_names(pg):
    """Of tables and columns: quoted by one function, in SQL, in the log and in messages."""
    for name in HOSTILE:
        column = quoted(name[:40] + " c")
        pg.execute(f"CREATE TABLE {quoted(name)} (id int PRIMARY KEY, {column} text)",
                   f"INSERT INTO {quoted(name)} VALUES (1, 'one')")
    agent = pg.agent().start()
    agent.wait_streaming(120)
    for name in HOSTILE:
        column = quoted(name[:40] + " c")
        pg.execute(f"INSERT INTO {quoted(name)} VALUES (2, 'two')",
                   f"UPDATE {quoted(name)} SET {column} = 'new' WHERE id = 1",
                   f"ALTER TABLE {quoted(name)} ADD {quoted(name[:40] + ' d')} int DEFAULT 5")
        pg.execute(f"INSERT INTO {quoted(name)} VALUES (3, 'three', 6)")
    pg.wait_equal(tables=HOSTILE)


PARTITIONED = ("CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id)",
               "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100)",
               "INSERT INTO p VALUES (1, 'a')")


def test_a_partition_that_is_attached_and_detached(pg):
    """Its rows come with it and go with it, as they do for who reads the root."""
    pg.execute(*PARTITIONED, "CREATE TABLE p2 (id int PRIMARY KEY, v text)",
               "INSERT INTO p2 VALUES (101, 'b'), (102, 'c')")
    agent = pg.agent().start()
    agent.wait_streaming(60)
    pg.wait_equal(tables=["p", "p2"])
    pg.execute("ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (100) TO (200)",
               "INSERT INTO p VALUES (103, 'd')", "UPDATE p SET v = 'new' WHERE id = 101")
    pg.wait_equal(60, tables=["p"])
    pg.execute("ALTER TABLE p DETACH PARTITION p1", "INSERT INTO p VALUES (104, 'e')",
               "INSERT INTO p1 VALUES (2, 'alone')")
    pg.wait_equal(60, tables=["p", "p1"])
    pg.execute("DROP TABLE p2")
    wait_for(lambda: ids(pg, "p") == "[]", 60, "the partition's rows to go")


def test_a_partition_that_is_attached_while_the_agent_is_down(pg):
    pg.execute(*PARTITIONED, "CREATE TABLE p2 (id int PRIMARY KEY, v text)",
               "INSERT INTO p2 VALUES (101, 'b')")
    agent = pg.agent(source={"tables.exclude": rf"{pg.schema}.{pg.schema}.p2"}).start()
    agent.wait_streaming(60)
    pg.wait_equal(tables=["p"])
    agent.kill()
    pg.execute("ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (100) TO (200)")
    agent.start()
    pg.wait_equal(60, tables=["p"])


def test_a_partition_that_is_made_is_not_read(pg):
    """It is empty: a large root is not read again each month for it."""
    pg.execute(*PARTITIONED,
               "CREATE TABLE mid (id int PRIMARY KEY, v text) PARTITION BY RANGE (id)",
               "CREATE TABLE mid1 PARTITION OF mid FOR VALUES FROM (1000) TO (1100)",
               "INSERT INTO mid VALUES (1001, 'm')",
               "ALTER TABLE p ATTACH PARTITION mid FOR VALUES FROM (1000) TO (2000)")
    agent = pg.agent().start()
    agent.wait_streaming(60)
    pg.wait_equal(tables=["p"])
    pg.execute("CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (200)",
               "INSERT INTO p VALUES (101, 'b')",
               "CREATE TABLE mid2 PARTITION OF mid FOR VALUES FROM (1100) TO (1200)",
               "INSERT INTO p VALUES (1101, 'n')")
    agent.wait_log("schema change applied .*kind=alter.table")
    pg.wait_equal(60, tables=["p"])
    assert "is read again" not in agent.log()
    pg.execute("CREATE TABLE late (id int PRIMARY KEY, v text)",
               "INSERT INTO late VALUES (1201, 'l')",
               "ALTER TABLE mid ATTACH PARTITION late FOR VALUES FROM (1200) TO (1300)")
    pg.wait_equal(60, tables=["p"])


@pytest.mark.parametrize("version", ["postgres12", "postgres15", "postgres18"])
def test_leaves_as_tables_of_their_own(pg_for, version):
    """Also on 12, whose log knows no roots; one that is made later is found, and one that leaves
    its root stays the table that it was."""
    pg = pg_for(version)
    pg.execute(*PARTITIONED, "CREATE TABLE plain (id int PRIMARY KEY)")
    agent = pg.agent(source={"partition.mode": "leaves"})
    status, text = agent.command("check")
    assert status == 0, text
    agent.start()
    agent.wait_streaming(60)
    pg.execute("INSERT INTO p VALUES (2, 'b')", "UPDATE p SET v = 'c' WHERE id = 1",
               "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (200)",
               "INSERT INTO p VALUES (101, 'x')", "UPDATE p SET id = 102 WHERE id = 2",
               "INSERT INTO plain VALUES (1)")
    pg.wait_equal(60, tables=["p1", "p2", "plain"])
    pg.execute("ALTER TABLE p DETACH PARTITION p2", "INSERT INTO p2 VALUES (150, 'alone')",
               "TRUNCATE p", "INSERT INTO p VALUES (3, 'd')")
    pg.wait_equal(60, tables=["p1", "p2"])
    assert sorted(pg.clickhouse.tables(pg.schema)) == ["p1", "p2", "plain"]


@pytest.mark.parametrize("mode, by_root", [("root", "false"), ("leaves", "true")])
def test_a_publication_that_tells_partitions_otherwise(pg, mode, by_root):
    """Rows that would not be met are refused before they are lost."""
    pg.execute(*PARTITIONED)
    pg.source.execute(f"CREATE PUBLICATION odd FOR TABLE {pg.schema}.p "
                      f"WITH (publish_via_partition_root = {by_root})", database=pg.schema)
    agent = pg.agent(source={"partition.mode": mode, "publication.name": "odd"})
    status, text = agent.command("check")
    assert status == 2 and "publish_via_partition_root" in text, text
    agent.start(wait=False)
    assert agent.wait_end() == 2
    assert f"does not tell partitions as partition.mode: {mode} wants them" in agent.log(1)


def test_inheritance(pg):
    """Each table is its own rows, as the log has them."""
    pg.execute("CREATE TABLE parent (id int PRIMARY KEY, v text)",
               "CREATE TABLE child (more int, PRIMARY KEY (id)) INHERITS (parent)",
               "INSERT INTO parent VALUES (1, 'p')", "INSERT INTO child VALUES (2, 'c', 3)")
    agent = pg.agent().start()
    agent.wait_streaming(60)
    pg.execute("INSERT INTO child VALUES (4, 'c', 5)", "UPDATE parent SET v = 'both'",
               "INSERT INTO parent VALUES (6, 'p')", "ALTER TABLE parent ADD extra int DEFAULT 7",
               "INSERT INTO child VALUES (8, 'c', 9, 10)")
    wait_for(lambda: ids(pg, "parent") == "[1,6]" and ids(pg, "child") == "[2,4,8]", 60,
             "both tables")
    pg.wait_equal(tables=["child"])


def test_a_table_that_changes_its_schema(pg):
    """Into another one that is captured, and out of all of them."""
    other = f"{pg.schema}_b"
    pg.source.execute(f"CREATE SCHEMA {other} AUTHORIZATION millrace", database=pg.schema)
    pg.clickhouse.execute(f"DROP DATABASE IF EXISTS {other}")
    pg.execute("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)",
               "CREATE TABLE u (id int PRIMARY KEY)", "INSERT INTO u VALUES (1)")
    agent = pg.agent(source={"tables": rf"{pg.schema}.{pg.schema}.\.*,{pg.schema}.{other}.t"})
    agent.start()
    agent.wait_streaming(60)
    pg.execute(f"ALTER TABLE t SET SCHEMA {other}", f"INSERT INTO {other}.t VALUES (2)",
               f"ALTER TABLE u SET SCHEMA {other}", f"INSERT INTO {other}.u VALUES (2)")
    wait_for(lambda: pg.value_or_none(f"SELECT arraySort(groupArray(id)) FROM {other}.t FINAL") ==
             "[1,2]", 60, "the table in its new schema")
    wait_for(lambda: "u" not in pg.clickhouse.tables(pg.schema) or ids(pg, "u") == "[1]", 30,
             "the other one to be left alone")
    pg.clickhouse.execute(f"DROP DATABASE IF EXISTS {other}")


def test_a_schema_that_is_renamed(pg):
    other = f"{pg.schema}_r"
    pg.source.execute(f"CREATE SCHEMA {other} AUTHORIZATION millrace", database=pg.schema)
    pg.clickhouse.execute(f"DROP DATABASE IF EXISTS {other}_new")
    pg.execute(f"CREATE TABLE {other}.t (id int PRIMARY KEY)", f"INSERT INTO {other}.t VALUES (1)")
    agent = pg.agent(source={"tables": rf"{pg.schema}.{other}\w*.\.*"})
    agent.start()
    agent.wait_streaming(60)
    pg.source.execute(f"ALTER SCHEMA {other} RENAME TO {other}_new", database=pg.schema)
    pg.execute(f"INSERT INTO {other}_new.t VALUES (2)")
    wait_for(lambda: pg.value_or_none(
        f"SELECT arraySort(groupArray(id)) FROM {other}_new.t FINAL") == "[1,2]", 60,
        "the table under its schema's new name")
    pg.clickhouse.execute(f"DROP DATABASE IF EXISTS {other}_new")
    pg.clickhouse.execute(f"DROP DATABASE IF EXISTS {other}")


def test_dropped_and_made_again_in_one_transaction(pg):
    pg.execute("CREATE TABLE t (id int PRIMARY KEY, v text)", "INSERT INTO t VALUES (1, 'old')")
    agent = pg.agent().start()
    agent.wait_streaming(60)
    with pg.connect() as connection:
        connection.autocommit = False
        cursor = connection.cursor()
        for statement in ("DROP TABLE t", "CREATE TABLE t (id int PRIMARY KEY, n int)",
                          "INSERT INTO t VALUES (2, 20)"):
            cursor.execute(statement)
        connection.commit()
    pg.execute("INSERT INTO t VALUES (3, 30)")
    pg.wait_equal(60, tables=["t"])


def test_truncate_with_cascade(pg):
    pg.execute("CREATE TABLE a (id int PRIMARY KEY)",
               "CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a)",
               "INSERT INTO a VALUES (1), (2)", "INSERT INTO b VALUES (1, 1), (2, 2)")
    agent = pg.agent().start()
    agent.wait_streaming(60)
    pg.execute("TRUNCATE a CASCADE", "INSERT INTO a VALUES (3)", "INSERT INTO b VALUES (3, 3)")
    pg.wait_equal()


def test_labels_and_domains_that_change(pg):
    pg.execute("CREATE TYPE mood AS ENUM ('sad', 'ok')",
               "CREATE DOMAIN small AS int CHECK (VALUE < 10)",
               "CREATE TABLE t (id int PRIMARY KEY, m mood, s small)",
               "INSERT INTO t VALUES (1, 'sad', 5)")
    agent = pg.agent().start()
    agent.wait_streaming(60)
    pg.execute("ALTER TYPE mood ADD VALUE 'happy' BEFORE 'ok'",
               "ALTER DOMAIN small DROP CONSTRAINT small_check",
               "INSERT INTO t VALUES (2, 'happy', 500)",
               "ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'", "INSERT INTO t VALUES (3, 'fine', 6)")
    pg.wait_equal()


@pytest.mark.parametrize("identity", ["FULL", "NOTHING", "USING INDEX t_u"])
def test_a_replica_identity_that_changes(pg, identity):
    """What the log then lacks parks the table; what it has is used."""
    pg.execute("CREATE TABLE t (id int PRIMARY KEY, u int NOT NULL, v text)",
               "CREATE UNIQUE INDEX t_u ON t (u)", "INSERT INTO t VALUES (1, 1, 'a'), (2, 2, 'b')")
    agent = pg.agent().start()
    agent.wait_streaming(60)
    pg.execute(f"ALTER TABLE t REPLICA IDENTITY {identity}")
    if identity == "NOTHING":
        pg.execute("INSERT INTO t VALUES (3, 3, 'c')")
        pg.execute("ALTER TABLE t REPLICA IDENTITY DEFAULT")
    pg.execute("UPDATE t SET v = 'c' WHERE id = 1", "DELETE FROM t WHERE id = 2",
               "UPDATE t SET id = 9 WHERE id = 1")
    pg.wait_equal(60)


def test_a_table_that_somebody_takes_out_of_the_publication(pg):
    """It is put back, and what was changed meanwhile is read."""
    pg.execute("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    agent = pg.agent().start()
    agent.wait_streaming(60)
    publication = pg.source.value("SELECT pubname FROM pg_publication_tables WHERE schemaname = "
                                  f"'{pg.schema}' LIMIT 1", database=pg.schema)
    pg.execute(f"ALTER PUBLICATION {publication} DROP TABLE t", "INSERT INTO t VALUES (2)")
    pg.wait_equal(60)


def test_an_event_trigger_of_somebody_else_that_refuses(pg):
    """Its own words are told, and no rights that nobody lacks are asked for."""
    pg.execute("CREATE TABLE t (id int PRIMARY KEY)")
    pg.source.execute(
        "CREATE FUNCTION guard() RETURNS event_trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'no DDL on Fridays'; END $$",
        "CREATE EVENT TRIGGER guard ON ddl_command_start EXECUTE FUNCTION guard()",
        database=pg.schema)
    agent = pg.agent().start(wait=False)
    try:
        assert agent.wait_end() == 2
        assert "cannot be made: no DDL on Fridays" in agent.log(1), agent.log(3)
        assert "owner" not in agent.log(1) and "raised by a function" in agent.log(1)
    finally:
        pg.source.execute("DROP EVENT TRIGGER guard", database=pg.schema)
    agent.start()
    agent.wait_streaming(60)


def test_virtual_columns(pg_for):
    """They have no value in the log, nor in the target."""
    pg = pg_for("postgres18")
    pg.execute("CREATE TABLE t (id int PRIMARY KEY, v int, twice int GENERATED ALWAYS AS (v * 2) "
               "VIRTUAL, last text)", "INSERT INTO t VALUES (1, 1, DEFAULT, 'a')")
    agent = pg.agent().start()
    agent.wait_streaming(60)
    pg.execute("INSERT INTO t VALUES (2, 2, DEFAULT, 'b')", "UPDATE t SET v = 5",
               "ALTER TABLE t ADD thrice int GENERATED ALWAYS AS (v * 3) VIRTUAL",
               "INSERT INTO t VALUES (3, 3, DEFAULT, 'c')")
    wait_for(lambda: pg.value_or_none(
        f"SELECT arraySort(groupArray((id, v, last))) FROM {pg.schema}.t FINAL") ==
        "[(1,5,'a'),(2,5,'b'),(3,3,'c')]", 60, "the rows")
    assert not {"twice", "thrice"} & set(pg.clickhouse.columns(pg.schema, "t"))


def test_a_publication_that_is_dropped_while_it_is_read(pg):
    """The stream cannot go on: one line, and after it was made again nothing is missing."""
    pg.execute("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    agent = pg.agent().start()
    agent.wait_streaming(60)
    pg.wait_equal()
    publication = pg.source.value("SELECT pubname FROM pg_publication_tables WHERE schemaname = "
                                  f"'{pg.schema}' LIMIT 1", database=pg.schema)
    pg.execute(f"DROP PUBLICATION {publication}", "INSERT INTO t VALUES (2)")
    assert agent.wait_end(60) == 2, agent.log(5)
    assert "publication" in agent.log(1) and "is gone" in agent.log(1), agent.log(3)
