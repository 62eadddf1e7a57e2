# SPDX-License-Identifier: Apache-2.0
"""Schema changes of PostgreSQL, which its log tells little of."""

import threading

import psycopg2
import pytest

from support.process import wait_for


def columns(pg, table):
    return list(pg.clickhouse.columns(pg.schema, table))


def test_columns_come_and_go(pg):
    pg.execute("CREATE TABLE t (id int PRIMARY KEY, a int, b text)",
               "INSERT INTO t SELECT n, n, 'b' || n FROM generate_series(1, 100) n")
    pg.agent().start().wait_streaming()
    pg.execute("ALTER TABLE t ADD c int", "INSERT INTO t VALUES (101, 1, 'x', 5)",
               "UPDATE t SET c = 7 WHERE id < 10")
    pg.wait_equal()
    pg.execute("ALTER TABLE t ADD d text NOT NULL DEFAULT 'it''s'",
               "ALTER TABLE t ADD e int DEFAULT 42",
               "ALTER TABLE t ADD f boolean DEFAULT true", "INSERT INTO t (id) VALUES (102)")
    pg.wait_equal()
    pg.execute("ALTER TABLE t ADD g float8 DEFAULT random()", "ALTER TABLE t ADD h bigserial",
               "ALTER TABLE t ADD i timestamptz NOT NULL DEFAULT now()",
               "INSERT INTO t (id) VALUES (103)")
    pg.wait_equal()
    pg.execute("ALTER TABLE t DROP a", "ALTER TABLE t DROP e", "INSERT INTO t (id) VALUES (104)")
    pg.wait_equal()
    assert "a" not in columns(pg, "t") and "e" not in columns(pg, "t")


def test_a_column_is_renamed(pg):
    """The column's number tells a rename from a drop and an add: its values stay."""
    pg.execute("CREATE TABLE t (id int PRIMARY KEY, a int, b text)",
               "INSERT INTO t SELECT n, n, 'b' || n FROM generate_series(1, 100) n")
    agent = pg.agent().start()
    agent.wait_streaming()
    pg.execute("ALTER TABLE t RENAME a TO amount", "UPDATE t SET b = 'new' WHERE id = 1")
    pg.wait_equal()
    assert "is read again" not in agent.log()
    agent.stop()
    pg.execute("ALTER TABLE t RENAME b TO a", "ALTER TABLE t RENAME amount TO b",
               "UPDATE t SET b = 5 WHERE id = 2")
    agent.start()
    pg.wait_equal()


def test_types_change(pg):
    pg.execute("CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(10), c int, d text)",
               "INSERT INTO t SELECT n, n, 'b' || n, n, n::text FROM generate_series(1, 100) n")
    pg.agent().start().wait_streaming()
    pg.execute("ALTER TABLE t ALTER a TYPE bigint", "INSERT INTO t VALUES (200, 9000000000, 'x')")
    pg.wait_equal()
    pg.execute("ALTER TABLE t ALTER b TYPE text", "INSERT INTO t VALUES (201, 1, repeat('x', 50))")
    pg.wait_equal()
    pg.execute("ALTER TABLE t ALTER c TYPE numeric(12,2) USING c * 1.5",
               "ALTER TABLE t ALTER d TYPE int USING d::int + 1", "INSERT INTO t VALUES (202)")
    pg.wait_equal()


def test_tables_come_and_go(pg):
    pg.execute("CREATE TABLE old (id int PRIMARY KEY, v int)", "INSERT INTO old VALUES (1, 1)",
               "CREATE TABLE going (id int PRIMARY KEY)", "INSERT INTO going VALUES (1)",
               "CREATE TABLE again (id int PRIMARY KEY, v int)", "INSERT INTO again VALUES (1, 1)")
    agent = pg.agent().start()
    agent.wait_streaming()
    pg.execute("CREATE TABLE fresh (id int PRIMARY KEY, v text)",
               "INSERT INTO fresh SELECT n, 'early' FROM generate_series(1, 500) n",
               "ALTER TABLE old RENAME TO renamed", "INSERT INTO renamed VALUES (2, 2)",
               "DROP TABLE going",
               "DROP TABLE again", "CREATE TABLE again (id text PRIMARY KEY, w int)",
               "INSERT INTO again VALUES ('a', 1)")
    wait_for(lambda: "fresh" in pg.clickhouse.tables(pg.schema), 30, "the new table")
    pg.execute("INSERT INTO fresh VALUES (1000, 'late')", "UPDATE fresh SET v = 'x' WHERE id < 10",
               "CREATE TABLE idle (id int PRIMARY KEY)",
               "INSERT INTO again VALUES ('b', 2)")
    pg.wait_equal()
    assert "going" not in pg.clickhouse.tables(pg.schema)


def test_what_happens_while_the_agent_is_down(pg):
    pg.execute("CREATE TABLE old (id int PRIMARY KEY, v int)", "INSERT INTO old VALUES (1, 1)",
               "CREATE TABLE going (id int PRIMARY KEY)", "INSERT INTO going VALUES (1)")
    agent = pg.agent().start()
    agent.wait_streaming()
    pg.wait_equal()
    agent.stop()
    pg.execute("ALTER TABLE old RENAME TO renamed", "INSERT INTO renamed VALUES (2, 2)",
               "ALTER TABLE renamed ADD w int", "UPDATE renamed SET w = 1 WHERE id = 1",
               "DROP TABLE going", "CREATE TABLE fresh (id int PRIMARY KEY)",
               "INSERT INTO fresh SELECT n FROM generate_series(1, 100) n")
    agent.start()
    wait_for(lambda: "fresh" in pg.clickhouse.tables(pg.schema), 30, "the new table")
    pg.execute("DELETE FROM fresh WHERE id > 50", "INSERT INTO renamed VALUES (3)")
    pg.wait_equal()
    assert sorted(pg.clickhouse.tables(pg.schema)) == ["fresh", "renamed"]


def test_a_new_table_with_a_writer_under_way(pg):
    """Rows that a transaction wrote before the table was in the publication, and commits later."""
    pg.execute("CREATE TABLE t (id int PRIMARY KEY)")
    pg.agent().start().wait_streaming()
    pg.execute("CREATE TABLE fresh (id int PRIMARY KEY, v int)")
    connection = pg.connect()
    connection.autocommit = False
    cursor = connection.cursor()
    cursor.execute("INSERT INTO fresh SELECT n, 1 FROM generate_series(1, 100) n")
    wait_for(lambda: pg.source.query("SELECT FROM pg_publication_tables WHERE tablename = 'fresh'",
                                     pg.schema), 30, "the table to be published")
    pg.execute("INSERT INTO fresh VALUES (500, 5)")
    cursor.execute("INSERT INTO fresh SELECT n, 2 FROM generate_series(101, 200) n")
    connection.commit()
    connection.close()
    pg.execute("INSERT INTO fresh VALUES (501, 5)")
    pg.wait_equal()


def test_truncate(pg):
    pg.execute("CREATE TABLE a (id int PRIMARY KEY)", "CREATE TABLE b (id int PRIMARY KEY)",
               "CREATE TABLE k (v int)", "ALTER TABLE k REPLICA IDENTITY FULL",
               "INSERT INTO a VALUES (1), (2)", "INSERT INTO b VALUES (1)",
               "INSERT INTO k VALUES (1), (1)")
    pg.agent().start().wait_streaming()
    pg.wait_equal()
    pg.execute("TRUNCATE a, b", "INSERT INTO a VALUES (2), (3)", "TRUNCATE k",
               "INSERT INTO k VALUES (7)")
    pg.wait_equal()


@pytest.mark.parametrize("version", ["postgres13", "postgres15", "postgres17", "postgres18"])
def test_partitioned_tables_arrive_as_one(pg_for, version):
    pg = pg_for(version)
    pg.execute("CREATE TABLE p (id int, day date, v text, PRIMARY KEY (id, day)) "
               "PARTITION BY RANGE (day)",
               "CREATE TABLE p_1 PARTITION OF p FOR VALUES FROM ('2024-01-01') TO ('2024-02-01')",
               "CREATE TABLE p_2 PARTITION OF p FOR VALUES FROM ('2024-02-01') TO ('2024-03-01')",
               "INSERT INTO p SELECT n, date '2024-01-01' + n % 59, 'v' FROM generate_series(1, "
               "500) n")
    pg.agent().start().wait_streaming()
    pg.execute("UPDATE p SET day = day + 31 WHERE day < '2024-01-05'",  # to another partition
               "DELETE FROM p WHERE id % 10 = 0",
               "CREATE TABLE p_3 PARTITION OF p FOR VALUES FROM ('2024-03-01') TO ('2024-04-01')",
               "INSERT INTO p VALUES (1000, '2024-03-05', 'new')", "UPDATE p_1 SET v = 'x'")
    pg.wait_equal()
    assert sorted(pg.clickhouse.tables(pg.schema)) == ["p"]


def test_changes_while_rows_flow_and_the_agent_is_killed(pg):
    pg.execute("CREATE TABLE t (id serial PRIMARY KEY, a int)")
    agent = pg.agent().start()
    agent.wait_streaming()
    ended = threading.Event()
    failed = []

    def write():
        connection = pg.connect()
        cursor = connection.cursor()
        try:
            while not ended.is_set():
                cursor.execute("INSERT INTO t (a) VALUES (1), (2)")
                try:
                    cursor.execute("UPDATE t SET a = a + 1 WHERE id % 5 = 0 AND id > "
                                   "(SELECT max(id) - 20 FROM t)")
                except psycopg2.errors.DeadlockDetected:
                    pass  # of two writers, whose rows come in any order
        except Exception as error:
            failed.append(error)
        connection.close()

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for run in range(6):
            pg.execute(f"ALTER TABLE t ADD c{run} int DEFAULT {run}")
            if run % 2:
                pg.execute(f"ALTER TABLE t RENAME c{run} TO d{run}")
            if run == 4:
                pg.execute("ALTER TABLE t DROP c0")
            agent.kill()
            agent.start()
    finally:
        ended.set()
        for thread in threads:
            thread.join(60)
    assert not failed, failed[0]
    pg.execute("INSERT INTO t (a) VALUES (0)")
    pg.wait_equal(90)


@pytest.mark.parametrize("version", ["postgres15", "postgres18"])
def test_generated_columns(pg_for, version):
    """Stored ones are carried where the server can publish them."""
    pg = pg_for(version)
    pg.execute("CREATE TABLE t (id int PRIMARY KEY, a int, b int GENERATED ALWAYS AS (a * 2) "
               "STORED, "
               "s text)", "ALTER TABLE t REPLICA IDENTITY FULL",
               "INSERT INTO t (id, a) SELECT n, n FROM generate_series(1, 50) n")
    pg.agent().start().wait_streaming()
    pg.execute("UPDATE t SET a = a + 1, s = 'x' WHERE id < 10", "DELETE FROM t WHERE id = 50")
    pg.wait_equal()
    assert ("b" in columns(pg, "t")) == (version == "postgres18")
    if version == "postgres18":
        assert pg.value("SELECT count() FROM {db}.t FINAL WHERE b != a * 2") == "0"


@pytest.fixture
def triggered(pg):
    """An agent whose database tells of each statement; its user is no superuser any more."""
    pg.execute("CREATE TABLE t (id int PRIMARY KEY, a int, b text)",
               "INSERT INTO t SELECT n, n, 'b' || n FROM generate_series(1, 100) n",
               "CREATE TABLE k (v int)", "ALTER TABLE k REPLICA IDENTITY FULL",
               "INSERT INTO k VALUES (1), (1)")
    agent = pg.agent(source={"schema-change.detection": "trigger", "discovery.interval": "1h"})
    status, text = agent.command("check")
    assert status == 2 and "cannot be made by this user" in text
    agent.start(wait=False)
    assert agent.wait_end() == 2 and "start once with a superuser's name" in agent.log()
    pg.source.execute("ALTER ROLE millrace SUPERUSER")
    try:
        # Its owner could change what others run.
        pg.source.execute("CREATE SCHEMA millrace AUTHORIZATION pg_monitor", database=pg.schema)
        agent.start(wait=False)
        assert agent.wait_end() == 2
        assert "the schema millrace belongs to another user" in agent.log()
        pg.source.execute("DROP SCHEMA millrace", database=pg.schema)
        agent.start().wait_streaming()
    finally:
        pg.source.execute("ALTER ROLE millrace NOSUPERUSER")
    agent.stop()
    return agent.start()


def test_triggers_tell_of_changes_without_rows(pg, triggered):
    pg.execute("ALTER TABLE t ADD c int")
    wait_for(lambda: "c" in columns(pg, "t"), 20, "the new column")
    pg.execute("ALTER TABLE t RENAME a TO amount", "ALTER TABLE t DROP c")
    wait_for(lambda: columns(pg, "t")[:3] == ["id", "amount", "b"] and "c" not in columns(pg, "t"),
             20, "the new name")
    assert f"{pg.schema}.t' is read again" not in triggered.log()
    pg.execute("ALTER TABLE t ALTER amount TYPE bigint USING amount * 3",
               "ALTER TABLE k ALTER v TYPE int USING v + 1")  # a rewrite that keeps the shape
    wait_for(lambda: pg.value("SELECT sum(amount) FROM {db}.t FINAL") == str(5050 * 3), 20,
             "the computed values")
    pg.wait_equal()
    pg.execute("ALTER TABLE t RENAME TO renamed", "CREATE TABLE fresh (id int PRIMARY KEY, v text)",
               "INSERT INTO fresh VALUES (1, 'x')", "DROP TABLE k")
    wait_for(lambda: sorted(pg.clickhouse.tables(pg.schema)) == ["fresh", "renamed"], 20,
             "tables that came, went and have other names")
    pg.execute("INSERT INTO fresh VALUES (2, 'y')", "DELETE FROM renamed WHERE id = 7")
    pg.wait_equal()


def test_a_burst_of_changes_without_rows(pg, triggered):
    """A commit is in the log before others see it: each message waits until the catalog shows what
    it tells."""
    pg.source.execute("ALTER SYSTEM SET commit_delay = 20000",
                      "ALTER SYSTEM SET commit_siblings = 0", "SELECT pg_reload_conf()")
    try:
        for number in range(15):
            pg.execute(f"ALTER TABLE t ADD n{number} int",
                       f"ALTER TABLE t RENAME n{number} TO m{number}")
        pg.execute("ALTER TABLE t DROP m7")
        wanted = ["id", "a", "b", *(f"m{number}" for number in range(15) if number != 7)]
        wait_for(lambda: columns(pg, "t")[:len(wanted)] == wanted, 30, "all of them")
    finally:
        pg.source.execute("ALTER SYSTEM RESET commit_delay", "ALTER SYSTEM RESET commit_siblings",
                          "SELECT pg_reload_conf()")


def test_a_commit_that_others_do_not_see_yet(pg):
    """Its message is in the log while it waits for a standby: the catalog is older than the log,
    and must not be taken for newer."""
    pg.execute("CREATE TABLE t (id int PRIMARY KEY, a int)", "INSERT INTO t VALUES (1, 1)")
    agent = pg.agent().start()
    agent.wait_streaming()
    pg.execute("INSERT INTO t VALUES (2, 2)")
    pg.source.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'",
                      "SELECT pg_reload_conf()")
    writer = pg.connect()
    number = writer.get_backend_pid()
    statements = threading.Thread(target=writer.cursor().execute, args=(
        "BEGIN; ALTER TABLE t ADD w int; INSERT INTO t VALUES (3, 3, 3); COMMIT",))
    try:
        statements.start()
        wait_for(lambda: "w" in columns(pg, "t") and
                 pg.value("SELECT max(w) FROM {db}.t FINAL") == "3", 30, "the row and its column")
        local = pg.source.connect(pg.schema, options=f"-c search_path={pg.schema} "
                                                     "-c synchronous_commit=local")
        local.autocommit = True
        local.cursor().execute("CREATE TABLE u (id int PRIMARY KEY)")
        local.close()
        wait_for(lambda: "u" in pg.clickhouse.tables(pg.schema), 30, "a table of then")
        assert statements.is_alive()
    finally:
        pg.source.execute("ALTER SYSTEM RESET synchronous_standby_names",
                          "SELECT pg_reload_conf()", f"SELECT pg_cancel_backend({number})")
        statements.join()
        writer.close()
    pg.execute("INSERT INTO t VALUES (4, 4, 4)", "ALTER TABLE t ADD x int NOT NULL DEFAULT 7",
               "INSERT INTO t VALUES (5, 5, 5, 5)")
    pg.wait_equal()


def changes_in_flight(pg, agent):
    """Statements that nobody has read yet, in transactions with rows; then kills between them."""
    agent.stop()
    connection = pg.connect()
    connection.autocommit = False
    cursor = connection.cursor()
    for run in range(6):
        cursor.execute(f"INSERT INTO t (id) VALUES ({1000 + run})")
        cursor.execute(f"ALTER TABLE t ADD c{run} int DEFAULT {run}")
        cursor.execute(f"UPDATE t SET c{run} = 9 WHERE id % 10 = {run}")
        cursor.execute(f"ALTER TABLE t RENAME c{run} TO d{run}")
        cursor.execute(f"INSERT INTO t (id, d{run}) VALUES ({2000 + run}, 5)")
        connection.commit()
    connection.close()
    for _ in range(4):
        agent.start()
        agent.kill()
    pg.execute("ALTER TABLE t ALTER b SET DEFAULT 'z'", "ALTER TABLE t DROP d0",
               "INSERT INTO t (id) VALUES (3000)")
    agent.start()
    pg.wait_equal()
    assert "d5" in columns(pg, "t") and "d0" not in columns(pg, "t")


def test_triggers_while_rows_flow(pg, triggered):
    changes_in_flight(pg, triggered)


def test_a_new_column_that_has_another_name_before_it_is_read(pg):
    """Its values of then are not those of a column that came with a default."""
    pg.execute("CREATE TABLE t (id int PRIMARY KEY, a int, b text)",
               "INSERT INTO t SELECT n, n, 'b' || n FROM generate_series(1, 100) n")
    agent = pg.agent().start()
    agent.wait_streaming()
    changes_in_flight(pg, agent)
