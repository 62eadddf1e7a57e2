# SPDX-License-Identifier: Apache-2.0
"""Schema changes while rows flow: in order with the rows, without a restart."""

import threading
import time

import pytest

from support.process import wait_for

# Each kind of ALTER on a table t (id, a, b), with rows before and after it.
ALTERS = {
    "add column": ["ADD COLUMN c VARCHAR(20)"],
    "add column first": ["ADD COLUMN c INT FIRST"],
    "add column after": ["ADD COLUMN c INT NOT NULL DEFAULT 7 AFTER id"],
    "add several": ["ADD COLUMN (c INT, d VARCHAR(9) DEFAULT 'x')"],
    "add two clauses": ["ADD COLUMN c INT DEFAULT 1, ADD COLUMN d DATE AFTER a"],
    "drop column": ["DROP COLUMN b"],
    "drop and add again": ["DROP COLUMN b", "ADD COLUMN b VARCHAR(10)"],
    "rename column": ["RENAME COLUMN b TO c"],
    "change name and type": ["CHANGE COLUMN b c VARCHAR(200)"],
    "swap names": ["RENAME COLUMN a TO b, RENAME COLUMN b TO a"],
    "widen integer": ["MODIFY COLUMN a BIGINT"],
    "widen text": ["MODIFY COLUMN b VARCHAR(4000)"],
    "integer to text": ["MODIFY COLUMN a VARCHAR(30)"],
    "not null to null": ["MODIFY COLUMN n INT NULL"],
    "reorder": ["MODIFY COLUMN b VARCHAR(50) FIRST"],
    "everything at once": ["ADD COLUMN c INT, DROP COLUMN b, MODIFY COLUMN a BIGINT"],
    "comment and index": ["COMMENT 'new', ADD INDEX (a)"],
    "unsigned": ["MODIFY COLUMN n INT UNSIGNED NOT NULL DEFAULT 4"],
    "charset": ["CONVERT TO CHARACTER SET latin1"],
    "default": ["ALTER COLUMN a SET DEFAULT 5"],
    "case of a name": ["RENAME COLUMN b TO B"],
}


@pytest.mark.parametrize("keyed", [True, False], ids=["keyed", "keyless"])
def test_alter_table(sync, keyed):
    """A table for each kind, named for it, all in one pipeline."""
    key = "PRIMARY KEY" if keyed else ""
    columns = f"(id INT {key}, a INT, b VARCHAR(50), n INT NOT NULL DEFAULT 4)"
    rows = "(1, 10, 'one', 1), (2, NULL, NULL, 2), (3, 30, 'drei', 3)"
    for kind in ALTERS:
        sync.execute(f"CREATE TABLE `{kind}` {columns}", f"INSERT INTO `{kind}` VALUES {rows}")
    sync.agent().start().wait_streaming()
    for kind, alters in ALTERS.items():
        sync.execute(f"INSERT INTO `{kind}` (id, a) VALUES (4, 40)",
                     f"UPDATE `{kind}` SET n = n + 1 WHERE id = 1",
                     *[f"ALTER TABLE `{kind}` {alter}" for alter in alters],
                     f"INSERT INTO `{kind}` (id) VALUES (5)",
                     f"UPDATE `{kind}` SET n = n + 100 WHERE id <= 2",
                     f"DELETE FROM `{kind}` WHERE id = 3")
    sync.wait_equal()


def test_tables_come_go_and_change_their_names(sync):
    sync.execute("CREATE TABLE old (id INT PRIMARY KEY, v INT)",
                 "INSERT INTO old VALUES (1, 1), (2, 2)",
                 "CREATE TABLE gone (id INT PRIMARY KEY)", "INSERT INTO gone VALUES (1)",
                 "CREATE TABLE emptied (id INT PRIMARY KEY)", "INSERT INTO emptied VALUES (1), (2)",
                 "CREATE TABLE emptied_rows_ (v INT)", "INSERT INTO emptied_rows_ VALUES (1), (1)")
    sync.agent().start().wait_streaming()
    sync.execute(
        "CREATE TABLE fresh (id INT PRIMARY KEY, v TEXT)", "INSERT INTO fresh VALUES (1, 'x')",
        "CREATE TABLE fresh_keyless (v TEXT)", "INSERT INTO fresh_keyless VALUES ('x'), ('x')",
        "CREATE TABLE copied LIKE old", "INSERT INTO copied SELECT * FROM old",
        "CREATE TABLE selected (PRIMARY KEY (id)) SELECT * FROM old",
        "CREATE TABLE IF NOT EXISTS old (other INT)",
        "RENAME TABLE old TO renamed", "INSERT INTO renamed VALUES (3, 3)",
        "ALTER TABLE copied RENAME TO moved", "UPDATE moved SET v = 9",
        "TRUNCATE TABLE emptied", "INSERT INTO emptied VALUES (7)",
        "TRUNCATE emptied_rows_", "INSERT INTO emptied_rows_ VALUES (8), (8), (9)",
        "DROP TABLE IF EXISTS gone, never_there")
    sync.wait_equal()


def test_names_swapped_by_one_rename(sync):
    sync.execute("CREATE TABLE a (id INT PRIMARY KEY, v INT)", "INSERT INTO a VALUES (1, 1)",
                 "CREATE TABLE b (id INT PRIMARY KEY, w TEXT)", "INSERT INTO b VALUES (2, 'b')")
    sync.agent().start().wait_streaming()
    sync.execute("RENAME TABLE a TO spare, b TO a, spare TO b",
                 "INSERT INTO a VALUES (3, 'now text')", "INSERT INTO b VALUES (4, 4)")
    sync.wait_equal()


def test_online_schema_change_tools(sync):
    """gh-ost and pt-online-schema-change: a shadow table, filled and renamed into place."""
    sync.execute("CREATE TABLE t (id INT PRIMARY KEY, v INT)",
                 "INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)")
    sync.agent().start().wait_streaming()
    sync.execute("CREATE TABLE _t_gho LIKE t", "ALTER TABLE _t_gho ADD COLUMN c INT DEFAULT 5",
                 "INSERT IGNORE INTO _t_gho (id, v) SELECT id, v FROM t",
                 "UPDATE t SET v = 20 WHERE id = 2", "UPDATE _t_gho SET v = 20 WHERE id = 2",
                 "RENAME TABLE t TO _t_del, _t_gho TO t", "INSERT INTO t VALUES (4, 4, 4)",
                 "DROP TABLE _t_del")
    sync.wait_equal()


def test_a_new_database_that_matches(sync):
    """A pattern over databases: one that is created later is followed from its first table."""
    other = sync.schema + "_two"
    sync.schemas.append(other)
    sync.execute("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    sync.agent(source={"tables": rf"{sync.schema}\.*.\.*"}).start().wait_streaming()
    sync.source.execute(f"CREATE DATABASE {other} CHARACTER SET latin1",
                        f"CREATE TABLE {other}.t (id INT PRIMARY KEY, v TEXT)",
                        f"INSERT INTO {other}.t VALUES (1, 'ä')",
                        f"RENAME TABLE {sync.schema}.t TO {other}.moved",
                        f"INSERT INTO {other}.moved VALUES (2)")
    sync.comparison.wait_equal(other, 60, alive=sync.agents[-1].check_alive)


def test_statements_that_change_no_table_shape(sync):
    sync.execute("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 1)")
    sync.agent().start().wait_streaming()
    sync.execute(
        "CREATE VIEW w AS SELECT * FROM t", "CREATE INDEX i ON t (v)", "DROP INDEX i ON t",
        "ANALYZE TABLE t", "OPTIMIZE TABLE t", "FLUSH TABLES", "GRANT SELECT ON t TO admin",
        "CREATE PROCEDURE p() UPDATE t SET v = v + 1", "CALL p()", "DROP PROCEDURE p",
        "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET NEW.v = NEW.v * 2",
        "INSERT INTO t VALUES (2, 2)", "DROP TRIGGER g",
        "CREATE FUNCTION f() RETURNS INT DETERMINISTIC NO SQL RETURN 1"
        if sync.source.flavor == "mariadb" else "DO 1",
        "ALTER TABLE t ENGINE = InnoDB, ALGORITHM = COPY",
        "/* a comment */ ALTER /*!50100 TABLE */ `t` /* again */ ADD `c d` INT -- end",
        "INSERT INTO t VALUES (3, 3, 3)", "DROP VIEW w",
        "ALTER TABLE t ADD CONSTRAINT k CHECK (v < 1000)",
        "CREATE TEMPORARY TABLE temp (x INT)", "INSERT INTO t VALUES (4, 4, 4)")
    sync.wait_equal()


def test_partitions_that_lose_rows(sync):
    """TRUNCATE PARTITION removes rows without a row event: the table is read again."""
    sync.execute(
        "CREATE TABLE p (id INT PRIMARY KEY, v INT) PARTITION BY RANGE (id) "
        "(PARTITION low VALUES LESS THAN (10), PARTITION high VALUES LESS THAN (100))",
        "INSERT INTO p VALUES (1, 1), (5, 5), (20, 20), (30, 30)")
    sync.agent().start().wait_streaming()
    sync.wait_equal()
    sync.execute("ALTER TABLE p TRUNCATE PARTITION low", "INSERT INTO p VALUES (2, 2)")
    sync.wait_equal()
    sync.execute("ALTER TABLE p DROP PARTITION high",
                 "ALTER TABLE p ADD PARTITION (PARTITION top VALUES LESS THAN MAXVALUE)",
                 "INSERT INTO p VALUES (1000, 1)")
    sync.wait_equal()


def test_schema_changes_while_the_agent_is_down(sync):
    sync.execute("CREATE TABLE t (id INT PRIMARY KEY, a INT)", "INSERT INTO t VALUES (1, 1)",
                 "CREATE TABLE u (v INT)", "INSERT INTO u VALUES (1), (1)")
    agent = sync.agent().start()
    agent.wait_streaming()
    sync.wait_equal()
    agent.stop()
    sync.execute("INSERT INTO t VALUES (2, 2)", "ALTER TABLE t ADD COLUMN b INT DEFAULT 3",
                 "INSERT INTO t VALUES (3, 3, 3)", "ALTER TABLE t DROP COLUMN a",
                 "INSERT INTO t VALUES (4, 4)", "ALTER TABLE u RENAME COLUMN v TO w",
                 "INSERT INTO u VALUES (2)", "DELETE FROM u WHERE w = 1 LIMIT 1",
                 "CREATE TABLE n (id INT PRIMARY KEY)", "INSERT INTO n VALUES (1)")
    agent.start()
    sync.wait_equal()


def test_schema_changes_during_the_snapshot(sync):
    """Many small chunks, and the shape moves under them."""
    from support.sample_shop import numbers
    for i in range(3):
        sync.execute(f"CREATE TABLE t{i} (id INT PRIMARY KEY, a INT, b VARCHAR(40))",
                     f"INSERT INTO t{i} SELECT n, n, CONCAT('b', n) FROM {numbers(8000)}")
    sync.agent(source={"scan.incremental.snapshot.chunk.size": 200}).start()
    sync.execute("ALTER TABLE t0 ADD COLUMN c INT DEFAULT 9",
                 "UPDATE t0 SET c = id WHERE id % 10 = 0", "ALTER TABLE t1 DROP COLUMN b",
                 "INSERT INTO t1 VALUES (9000, 1)", "ALTER TABLE t2 RENAME COLUMN a TO aa",
                 "RENAME TABLE t2 TO t3", "UPDATE t3 SET aa = -aa WHERE id < 50",
                 "TRUNCATE TABLE t1", "INSERT INTO t1 VALUES (1, 1)")
    sync.wait_equal(120)


def test_many_schema_changes_under_load(sync):
    """Writers insert by name while columns come and go in the same tables."""
    sync.execute("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v INT)",
                 "CREATE TABLE u (v INT)")
    sync.agent().start()
    ended = threading.Event()

    def write(table):
        with sync.source.connect(database=sync.schema) as connection:
            cursor = connection.cursor()
            while not ended.is_set():
                cursor.execute(f"INSERT INTO {table} (v) VALUES (1), (2), (3)")
                cursor.execute(f"UPDATE {table} SET v = v + 1 WHERE v = 2 LIMIT 1")

    writers = [threading.Thread(target=write, args=(table,)) for table in ("t", "u")]
    for writer in writers:
        writer.start()
    for i in range(8):
        for table in ("t", "u"):
            sync.execute(f"ALTER TABLE {table} ADD COLUMN c{i} INT DEFAULT {i}")
            if i % 2:
                sync.execute(f"ALTER TABLE {table} DROP COLUMN c{i - 1}")
            if i == 4:
                sync.execute(f"ALTER TABLE {table} RENAME COLUMN c3 TO renamed")
        time.sleep(0.1)
    ended.set()
    for writer in writers:
        writer.join()
    sync.wait_equal(120)


def test_lenient_keeps_what_the_source_drops(maria):
    """The default behaviour: a dropped column stays in the target, a dropped table too."""
    maria.execute("CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT)",
                  "INSERT INTO t VALUES (1, 1, 1)", "CREATE TABLE d (id INT PRIMARY KEY)",
                  "INSERT INTO d VALUES (1)", "CREATE TABLE e (id INT PRIMARY KEY)",
                  "INSERT INTO e VALUES (1)")
    agent = maria.agent(pipeline={"schema.change.behavior": "lenient"}).start()
    agent.wait_streaming()
    maria.execute("ALTER TABLE t DROP COLUMN b", "INSERT INTO t VALUES (2, 2)", "DROP TABLE d",
                  "TRUNCATE TABLE e", "ALTER TABLE t ADD COLUMN c INT", "UPDATE t SET c = 5")
    maria.wait_equal(tables=["t"])
    assert "b" in maria.clickhouse.columns(maria.schema, "t")
    assert maria.value("SELECT count() FROM {db}.d FINAL") == "1"
    assert maria.value("SELECT count() FROM {db}.e FINAL") == "1"


def test_schema_changes_that_are_excluded(maria):
    maria.execute("CREATE TABLE t (id INT PRIMARY KEY, a INT)", "INSERT INTO t VALUES (1, 1)")
    maria.agent(sink={"exclude.schema.changes": "drop.column"}).start().wait_streaming()
    maria.execute("ALTER TABLE t DROP COLUMN a", "INSERT INTO t VALUES (2)",
                  "ALTER TABLE t ADD COLUMN b INT", "INSERT INTO t VALUES (3, 3)")
    maria.wait_equal()
    assert "a" in maria.clickhouse.columns(maria.schema, "t")


def test_exception_stops_at_the_change_and_says_so(maria):
    maria.execute("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    agent = maria.agent(pipeline={"schema.change.behavior": "exception"}).start()
    agent.wait_streaming()
    maria.execute("ALTER TABLE t ADD COLUMN a INT", "INSERT INTO t VALUES (2, 2)")
    wait_for(lambda: not agent.alive(), 30, "the agent to stop")
    assert "ALTER TABLE t ADD COLUMN a INT" in agent.log(20)
    assert maria.value("SELECT count() FROM {db}.t FINAL") == "1"
    agent.kill()
    agent.configuration["pipeline"]["schema.change.behavior"] = "evolve"
    agent.start()
    maria.wait_equal()


def test_a_key_that_changes(sync):
    """The key of a table is another: the target is made anew for it."""
    sync.execute("CREATE TABLE t (id INT PRIMARY KEY, v INT NOT NULL)",
                 "INSERT INTO t VALUES (1, 10), (2, 20)", "CREATE TABLE other (id INT PRIMARY KEY)")
    agent = sync.agent().start()
    agent.wait_streaming()
    sync.execute("ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (v)",
                 "INSERT INTO t VALUES (1, 30)", "INSERT INTO other VALUES (5)")
    sync.wait_equal()
    assert agent.table_states()[f"{sync.schema}.t"] == "streaming"
