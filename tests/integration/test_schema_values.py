# SPDX-License-Identifier: Apache-2.0
"""What a schema change does to the rows that are there: values that no event of the log tells,
keys that change, tables that are read again while they are in use, and the user's policies."""

import threading
import time

import pytest

from support.process import wait_for

# ALTERs of t (id, a, b, d, n) that change what old rows hold, by rules of the server's own.
FILLS = {
    "now": ["ADD COLUMN c DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)"],
    "an expression": ["ADD COLUMN c VARCHAR(60) DEFAULT (CONCAT('x', a))"],
    "generated": ["ADD COLUMN c INT AS (a * 2) STORED"],
    "a number each": ["ADD COLUMN c INT NOT NULL AUTO_INCREMENT, ADD UNIQUE (c)"],
    "time": ["ADD COLUMN c TIME NOT NULL DEFAULT '10:11:12'"],
    "an instant": ["ADD COLUMN c TIMESTAMP NOT NULL DEFAULT '2020-05-06 07:08:09'"],
    "bytes": ["ADD COLUMN c BINARY(5) NOT NULL DEFAULT 'ab'"],
    "a zero day": ["ADD COLUMN c DATE NOT NULL"],
    "fewer decimals": ["MODIFY COLUMN d DECIMAL(10, 1)"],
    "text to number": ["MODIFY COLUMN b INT"],
    "number to text": ["MODIFY COLUMN d VARCHAR(30)"],
    "number to double": ["MODIFY COLUMN a DOUBLE"],
    "shorter": ["MODIFY COLUMN b VARCHAR(1)"],
    "null to a zero": ["MODIFY COLUMN a INT NOT NULL"],
    "clamped": ["MODIFY COLUMN a TINYINT"],
    "several": ["MODIFY COLUMN b INT, DROP COLUMN d, ADD COLUMN c DATETIME DEFAULT NOW()",
                "ADD COLUMN d INT FIRST"],
}


@pytest.mark.parametrize("keyed", [True, False], ids=["keyed", "keyless"])
def test_values_that_only_reading_tells(sync, keyed):
    """A table for each kind, named for it, all in one pipeline."""
    fills = dict(FILLS)
    if not keyed:
        fills["a number each"] = ["ADD COLUMN c INT NOT NULL DEFAULT 3, "
                                  "ADD COLUMN e DATETIME DEFAULT NOW()"]
    key = "PRIMARY KEY" if keyed else ""
    columns = f"(id INT {key}, a INT, b VARCHAR(50), d DECIMAL(10, 3), n INT)"
    rows = "(1, 1000, '12', 1.255, 1), (2, NULL, NULL, NULL, 2), (3, -7, '3', 7.349, 3)"
    for kind in fills:
        sync.execute(f"CREATE TABLE `{kind}` {columns}", f"INSERT INTO `{kind}` VALUES {rows}")
    sync.agent().start().wait_streaming()
    for kind, alters in fills.items():
        sync.execute("SET sql_mode = ''", "SET time_zone = '+05:00'",
                     f"INSERT INTO `{kind}` (id, a, b) VALUES (4, 400, '4')",
                     *[f"ALTER TABLE `{kind}` {alter}" for alter in alters],
                     f"INSERT INTO `{kind}` (id, n) VALUES (5, 5)",
                     f"UPDATE `{kind}` SET n = n + 100 WHERE id <= 2",
                     f"DELETE FROM `{kind}` WHERE id = 3")
    sync.wait_equal()


KEYS = {
    "a wider key": "MODIFY COLUMN id BIGINT",
    "an unsigned key": "MODIFY COLUMN id INT UNSIGNED",
    "a key of text": "MODIFY COLUMN id VARCHAR(30) CHARACTER SET latin1",
    "another name": "CHANGE COLUMN id number INT NOT NULL",
    "another column": "DROP PRIMARY KEY, ADD PRIMARY KEY (v)",
    "one more column": "DROP PRIMARY KEY, ADD PRIMARY KEY (v, id)",
    "none": "DROP PRIMARY KEY",
    "a new one": "DROP PRIMARY KEY, DROP COLUMN id, ADD COLUMN id INT NOT NULL AUTO_INCREMENT "
                 "PRIMARY KEY",
}


def test_keys_that_change(sync):
    """The target is made anew for the key, and nobody has to read the source again for it."""
    for kind in KEYS:
        sync.execute(f"CREATE TABLE `{kind}` (id INT PRIMARY KEY, v INT NOT NULL, w VARCHAR(9))",
                     f"INSERT INTO `{kind}` VALUES (1, 10, 'a'), (2, 20, NULL), (3, 30, 'c')")
    agent = sync.agent().start()
    agent.wait_streaming()
    sync.wait_equal()
    for kind, alter in KEYS.items():
        sync.execute(f"DELETE FROM `{kind}` WHERE v = 20", f"ALTER TABLE `{kind}` {alter}",
                     f"UPDATE `{kind}` SET w = 'later' WHERE v = 30",
                     f"UPDATE `{kind}` SET v = 11 WHERE v = 10")
    sync.wait_equal()
    assert "parked" not in agent.table_states().values()


def test_a_table_gets_a_key(sync):
    sync.execute("CREATE TABLE t (id INT, v INT)",
                 "INSERT INTO t VALUES (1, 1), (2, 2), (3, 3), (3, 3)")
    sync.agent().start().wait_streaming()
    sync.execute("UPDATE t SET v = 9 WHERE id = 1", "DELETE FROM t WHERE id = 3 LIMIT 1",
                 "ALTER TABLE t ADD PRIMARY KEY (id)", "UPDATE t SET v = 5 WHERE id = 2",
                 "INSERT INTO t VALUES (4, 4)")
    sync.wait_equal()


def test_statements_in_another_character_set(sync):
    sync.execute("CREATE TABLE t (id INT PRIMARY KEY, a INT)", "INSERT INTO t VALUES (1, 1)")
    sync.agent(source={"include-comments.enabled": True}).start().wait_streaming()
    for charset, alter in (
            ("latin1", "ADD COLUMN `grün` VARCHAR(10) DEFAULT 'süß' COMMENT 'größe'"),
            ("cp1251", "ADD COLUMN `число` VARCHAR(10) DEFAULT 'да'"),
            ("gbk", "ADD COLUMN `中文` VARCHAR(10) DEFAULT '許功蓋'")):
        with sync.source.connect(database=sync.schema, charset=charset) as connection:
            connection.cursor().execute(f"ALTER TABLE t {alter}")
    sync.execute("INSERT INTO t (id) VALUES (2)")
    sync.wait_equal()
    assert sync.value("SELECT comment FROM system.columns WHERE database = '"
                      + sync.schema + "' AND table = 't' AND name = 'grün'") == "größe"


def test_small_integers_and_comments_are_the_users_choice(maria):
    """What holds for tables that are read from the server holds for those that a statement
    makes."""
    maria.execute("CREATE TABLE first (id INT PRIMARY KEY)")
    maria.agent(source={"treat-tinyint1-as-boolean.enabled": False,
                        "include-comments.enabled": False}).start().wait_streaming()
    maria.execute("CREATE TABLE t (id INT PRIMARY KEY, a TINYINT(1) COMMENT 'x') COMMENT 'y'",
                  "INSERT INTO t VALUES (1, 5)", "ALTER TABLE t ADD b TINYINT(1) COMMENT 'z'",
                  "INSERT INTO t VALUES (2, 7, -9)")
    maria.wait_equal()
    columns = maria.clickhouse.columns(maria.schema, "t")
    assert columns["a"] == columns["b"] == "Nullable(Int8)"
    assert maria.rows("SELECT comment FROM system.columns WHERE database = '" + maria.schema
                      + "' AND comment != ''") == []


def test_timestamps_that_are_never_null(sync):
    """The session's explicit_defaults_for_timestamp decides what a plain TIMESTAMP is."""
    sync.execute("CREATE TABLE first (id INT PRIMARY KEY)")
    sync.agent().start().wait_streaming()
    for i in (0, 1):
        sync.execute(f"SET explicit_defaults_for_timestamp = {i}",
                     f"CREATE TABLE t{i} (id INT PRIMARY KEY, at TIMESTAMP)",
                     f"INSERT INTO t{i} (id) VALUES (1)",
                     f"ALTER TABLE t{i} ADD COLUMN more TIMESTAMP DEFAULT '2020-01-01'",
                     f"INSERT INTO t{i} (id) VALUES (2)")
    sync.wait_equal()
    kinds = [sync.clickhouse.columns(sync.schema, f"t{i}")["at"] for i in (0, 1)]
    assert kinds == ["DateTime64(0, 'UTC')", "Nullable(DateTime64(0, 'UTC'))"]


def test_statements_that_change_rows_as_texts(sync):
    """Another session's binlog_format: what the log does not hold is read again."""
    sync.execute("CREATE TABLE t (id INT PRIMARY KEY, v INT)",
                 "INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)",
                 "CREATE TABLE u (id INT PRIMARY KEY, v INT)", "INSERT INTO u VALUES (1, 1)",
                 "CREATE TABLE k (v INT)", "INSERT INTO k VALUES (1), (1)")
    agent = sync.agent().start()
    agent.wait_streaming()
    sync.execute("SET SESSION binlog_format = STATEMENT", "INSERT INTO t VALUES (4, 4)",
                 "DELETE FROM t WHERE id = 2", "UPDATE t SET v = v * 10 WHERE id = 3",
                 "UPDATE t, u SET t.v = 7, u.v = 8 WHERE t.id = u.id",
                 "INSERT INTO k VALUES (5)")
    sync.execute("INSERT INTO t VALUES (9, 9)", "INSERT INTO k VALUES (6)")
    sync.wait_equal()
    assert "binlog_format" in agent.log(200)


def test_a_table_that_is_read_again_is_never_empty(sync):
    """Rows that went without an event go in the end; the others never leave the target."""
    from support.sample_shop import numbers
    sync.execute(
        "CREATE TABLE p (id INT PRIMARY KEY, v INT) PARTITION BY RANGE (id) "
        "(PARTITION low VALUES LESS THAN (5000), PARTITION high VALUES LESS THAN MAXVALUE)",
        f"INSERT INTO p SELECT n, n FROM {numbers(20000)}")
    sync.agent(source={"scan.incremental.snapshot.chunk.size": 500}).start().wait_streaming()
    sync.wait_equal()
    ended, counts = threading.Event(), []

    def watch():
        while not ended.is_set():
            counts.append(int(sync.value("SELECT count() FROM {db}.p FINAL WHERE id >= 5000")))
            time.sleep(0.01)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        sync.execute("ALTER TABLE p TRUNCATE PARTITION low",
                     "UPDATE p SET v = -v WHERE id % 100 = 0", "INSERT INTO p VALUES (7, 7)",
                     "DELETE FROM p WHERE id = 19999", "INSERT INTO p VALUES (30000, 1)")
        sync.wait_equal()
    finally:
        ended.set()
        watcher.join()
    assert min(counts) >= 14999, sorted(set(counts))[:5]
    sync.agents[-1].stop()
    sync.agents[-1].start()
    sync.execute("INSERT INTO p VALUES (8, 8)")
    sync.wait_equal()


def test_killed_while_a_table_is_read_again(sync):
    from support.sample_shop import numbers
    sync.execute("CREATE TABLE t (id INT PRIMARY KEY, v INT)",
                 f"INSERT INTO t SELECT n, n FROM {numbers(10000)}")
    agent = sync.agent(source={"scan.incremental.snapshot.chunk.size": 200}).start()
    agent.wait_streaming()
    sync.wait_equal()
    sync.execute("SET SESSION binlog_format = STATEMENT", "DELETE FROM t WHERE id % 3 = 0")
    for pause in (0.05, 0.2, 0.4):
        time.sleep(pause)
        agent.kill()
        sync.execute("INSERT INTO t (id, v) SELECT MAX(id) + 1, 1 FROM t",
                     "DELETE FROM t WHERE id IN (SELECT id FROM (SELECT MIN(id) AS id FROM t) x)")
        agent.start()
    sync.wait_equal()


@pytest.mark.parametrize("turn", range(1, 10))
def test_killed_between_a_change_and_its_record(sync, turn):
    """A change that was applied and not noted comes again; one that was noted must not, for names
    have changed hands and rows have come since."""
    sync.execute("CREATE TABLE a (id INT PRIMARY KEY, v INT)", "INSERT INTO a VALUES (1, 1)",
                 "CREATE TABLE b (id INT PRIMARY KEY, v INT)", "INSERT INTO b VALUES (2, 2)",
                 "CREATE TABLE e (id INT PRIMARY KEY)", "INSERT INTO e VALUES (1), (2)",
                 "CREATE TABLE d (id INT PRIMARY KEY, v INT)", "INSERT INTO d VALUES (1, 1)")
    agent = sync.agent()
    agent.start().wait_streaming()
    agent.stop()
    agent.environment["MILLRACE_FAULT"] = f"kill@delivery.before_change_done:{turn}"
    agent.start(wait=False)
    sync.execute("RENAME TABLE a TO s, b TO a, s TO b", "INSERT INTO a VALUES (3, 3)",
                 "INSERT INTO b VALUES (4, 4)", "TRUNCATE e", "INSERT INTO e VALUES (7)",
                 "DROP TABLE d", "CREATE TABLE d (id INT PRIMARY KEY)", "INSERT INTO d VALUES (5)",
                 "ALTER TABLE a DROP PRIMARY KEY, ADD PRIMARY KEY (v)", "UPDATE a SET v = v + 10",
                 "RENAME TABLE a TO s, b TO a, s TO b", "INSERT INTO a VALUES (5, 5)",
                 "INSERT INTO b VALUES (6, 6)")
    wait_for(lambda: not agent.alive(), 60, "the agent to be killed")
    agent.kill()
    del agent.environment["MILLRACE_FAULT"]
    agent.start()
    sync.wait_equal()


def test_rows_that_do_not_name_their_columns(own_server, clickhouse, sync_for, flavor):
    """Without binlog_row_metadata=FULL a table that was altered twice while nobody looked has rows
    in the log that fit nothing that is known."""
    metadata = "MINIMAL" if flavor == "mysql" else "NO_LOG"
    sync = sync_for(own_server(flavor, binlog_row_metadata=metadata), clickhouse)
    sync.execute("CREATE TABLE t (id INT PRIMARY KEY, a INT, b VARCHAR(9))",
                 "INSERT INTO t VALUES (1, 1, 'x')", "CREATE TABLE k (a INT)",
                 "INSERT INTO k VALUES (1), (1)", "CREATE TABLE other (id INT PRIMARY KEY)")
    agent = sync.agent().start()
    agent.wait_streaming()
    sync.wait_equal()
    agent.stop()
    sync.execute("ALTER TABLE t ADD COLUMN c INT DEFAULT 5", "INSERT INTO t VALUES (2, 2, 'y', 2)",
                 "SET sql_log_bin = 0", "ALTER TABLE t ADD COLUMN silent DATE FIRST",
                 "ALTER TABLE k ADD COLUMN silent DATE", "SET sql_log_bin = 1",
                 "INSERT INTO t (id, a) VALUES (3, 3)", "UPDATE t SET a = 9 WHERE id = 1",
                 "INSERT INTO k (a) VALUES (2)", "INSERT INTO other VALUES (1)",
                 "SET sql_log_bin = 0", "ALTER TABLE t DROP COLUMN b",
                 "ALTER TABLE k ADD COLUMN more INT", "SET sql_log_bin = 1",
                 "INSERT INTO t (id, a) VALUES (4, 4)", "DELETE FROM t WHERE id = 2",
                 "ALTER TABLE t ADD COLUMN last INT", "INSERT INTO t (id, last) VALUES (6, 6)")
    agent.start()
    sync.wait_equal()


def test_tables_that_share_a_target(maria):
    """What happens to one of them leaves the rows of the others alone."""
    for i in range(3):
        maria.execute(f"CREATE TABLE s{i} (id INT PRIMARY KEY, v INT)",
                      f"INSERT INTO s{i} VALUES ({i}1, 1), ({i}2, 2)")
    maria.agent(route=[{"source-table": rf"{maria.schema}.s\.*",
                        "sink-table": f"{maria.schema}.merged"}]).start().wait_streaming()
    wait_for(lambda: maria.value_or_none("SELECT count() FROM {db}.merged FINAL") == "6", 30,
             "six rows")
    maria.execute("TRUNCATE TABLE s0", "DROP TABLE s1", "ALTER TABLE s0 ADD COLUMN c INT DEFAULT 4",
                  "INSERT INTO s0 VALUES (5, 5, 50)", "ALTER TABLE s2 ADD COLUMN c INT DEFAULT 6",
                  "UPDATE s2 SET v = 20 WHERE id = 22")
    wait_for(lambda: "c" in maria.clickhouse.columns(maria.schema, "merged"), 30, "the column")
    wait_for(lambda: maria.rows("SELECT id, v, c FROM {db}.merged FINAL WHERE id IN (5, 22) "
                                "ORDER BY id") == [["5", "5", "50"], ["22", "20", "6"]], 30,
             "the rows of s0 and s2")
    assert maria.value("SELECT count() FROM {db}.merged FINAL") == "7"


def test_the_same_names_swapped_again_and_again(sync):
    """An online schema change every day, and the leftovers of the one before."""
    sync.execute("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 1)")
    agent = sync.agent(pipeline={"schema.change.behavior": "lenient"}).start()
    agent.wait_streaming()
    for i in range(3):
        sync.execute("CREATE TABLE _t_gho LIKE t", f"ALTER TABLE _t_gho ADD COLUMN c{i} INT",
                     f"INSERT INTO _t_gho SELECT t.*, {i} FROM t",
                     "RENAME TABLE t TO _t_del, _t_gho TO t", "DROP TABLE _t_del",
                     f"INSERT INTO t (id) VALUES (1{i})")
        sync.wait_equal(tables=["t"])
        if i == 1:
            agent.kill()
            agent.start()
    assert "parked" not in agent.table_states().values()


def test_a_parked_table_comes_back(sync):
    """A schema change that cures it is enough: nobody restarts anything."""
    sync.execute("CREATE TABLE t (id INT PRIMARY KEY, a INT)", "INSERT INTO t VALUES (1, 1)",
                 "CREATE TABLE other (id INT PRIMARY KEY)")
    agent = sync.agent().start()
    agent.wait_streaming()
    sync.execute("ALTER TABLE t ADD COLUMN _version INT", "INSERT INTO t VALUES (2, 2, 2)",
                 "INSERT INTO other VALUES (1)")
    wait_for(lambda: agent.table_states()[f"{sync.schema}.t"] == "parked", 30, "t to be parked")
    sync.execute("DELETE FROM t WHERE id = 1", "UPDATE t SET a = 20 WHERE id = 2",
                 "ALTER TABLE t CHANGE COLUMN _version version INT",
                 "INSERT INTO t VALUES (3, 3, 3)",
                 "INSERT INTO other VALUES (2)")
    sync.wait_equal()
    assert agent.table_states()[f"{sync.schema}.t"] == "streaming"


def test_names_that_a_target_kept(sync):
    """A column that comes back under lenient, and one that takes the name of a kept one."""
    sync.execute("CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT, c INT)",
                 "INSERT INTO t VALUES (1, 10, 100, 1000), (2, 20, 200, 2000)")
    agent = sync.agent(pipeline={"schema.change.behavior": "lenient"}).start()
    agent.wait_streaming()
    sync.execute("ALTER TABLE t DROP COLUMN b, DROP COLUMN c", "INSERT INTO t VALUES (3, 30)",
                 "ALTER TABLE t ADD COLUMN b VARCHAR(9) DEFAULT 'new'",
                 "ALTER TABLE t RENAME COLUMN a TO c", "INSERT INTO t (id, c) VALUES (4, 40)")
    sync.wait_equal()
    assert "c_before" in sync.clickhouse.columns(sync.schema, "t")


# ---- the policies ----

WIDEN = "ALTER TABLE t MODIFY COLUMN widened BIGINT"
CHANGES = ("ALTER TABLE t ADD COLUMN added INT", "ALTER TABLE t DROP COLUMN dropped",
           "ALTER TABLE t RENAME COLUMN old_name TO new_name",
           "INSERT INTO t (id, added, new_name, widened) VALUES (2, 2, 2, 2)",
           "TRUNCATE TABLE emptied", "DROP TABLE gone", "CREATE TABLE made (id INT PRIMARY KEY)",
           "INSERT INTO made VALUES (1)", "INSERT INTO last VALUES (1)")


@pytest.fixture
def changed(maria):
    """A function that runs CHANGES under a policy, until the last of their rows is there."""
    maria.execute("CREATE TABLE t (id INT PRIMARY KEY, dropped INT, old_name INT, widened INT)",
                  "INSERT INTO t VALUES (1, 1, 1, 1)", "CREATE TABLE emptied (id INT PRIMARY KEY)",
                  "INSERT INTO emptied VALUES (1)", "CREATE TABLE gone (id INT PRIMARY KEY)",
                  "INSERT INTO gone VALUES (1)", "CREATE TABLE last (id INT PRIMARY KEY)")

    def run(behavior, *more, **sink):
        agent = maria.agent(pipeline={"schema.change.behavior": behavior},
                            sink={name.replace("_", "."): value for name, value in sink.items()})
        agent.start().wait_streaming()
        maria.execute(*more, *CHANGES)
        wait_for(lambda: maria.value_or_none("SELECT count() FROM {db}.last FINAL") == "1", 30,
                 "the last row")
        return agent.table_states()[f"{maria.schema}.t"]

    maria.run = run
    return maria


def columns_of(maria):
    names = maria.clickhouse.columns(maria.schema, "t")
    return sorted(name for name in names if not name.startswith("_"))


def seen(maria, table):
    return maria.value_or_none("SELECT count() FROM {db}." + table + " FINAL")


@pytest.mark.parametrize("behavior", ["evolve", "try_evolve"])
def test_evolve_follows_everything(changed, behavior):
    assert changed.run(behavior, WIDEN) == "streaming"
    changed.wait_equal()
    assert columns_of(changed) == ["added", "id", "new_name", "widened"]
    assert seen(changed, "gone") is None and seen(changed, "emptied") == "0"


def test_lenient_drops_nothing(changed):
    assert changed.run("lenient", WIDEN) == "streaming"
    changed.wait_equal(tables=["t", "made"])
    assert columns_of(changed) == ["added", "dropped", "id", "new_name", "widened"]
    assert seen(changed, "gone") == seen(changed, "emptied") == "1"


def test_ignore_leaves_the_target_as_it_is(changed):
    """Rows keep coming: with the columns that both sides have."""
    assert changed.run("ignore") == "streaming"
    assert columns_of(changed) == ["dropped", "id", "old_name", "widened"]
    assert changed.rows("SELECT id, widened FROM {db}.t FINAL ORDER BY id") == [["1", "1"],
                                                                               ["2", "2"]]
    assert seen(changed, "gone") == seen(changed, "emptied") == "1"


def test_a_value_that_the_target_cannot_hold_parks(changed):
    """What is not followed is never cut to fit."""
    assert changed.run("ignore", WIDEN) == "parked"


def test_changes_that_are_included(changed):
    assert changed.run("evolve", include_schema_changes="add.column, create.table") == "streaming"
    assert "added" in columns_of(changed) and "dropped" in columns_of(changed)
    assert seen(changed, "gone") == seen(changed, "emptied") == seen(changed, "made") == "1"


def test_changes_that_are_excluded(changed):
    assert changed.run("evolve", WIDEN,
                       exclude_schema_changes="drop, truncate.table") == "streaming"
    changed.wait_equal(tables=["t", "made"])
    assert "dropped" in columns_of(changed)
    assert seen(changed, "gone") == seen(changed, "emptied") == "1"


@pytest.mark.parametrize("behavior,state", [("evolve", "parked"), ("try_evolve", "streaming")])
def test_a_change_that_the_target_refuses(maria, behavior, state):
    """One behaviour parks the table, the other leaves the change out and goes on."""
    maria.execute("CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT)",
                  "INSERT INTO t VALUES (1, 1, 1)")
    agent = maria.agent(pipeline={"schema.change.behavior": behavior}).start()
    agent.wait_streaming()
    maria.wait_equal()
    maria.clickhouse.execute(f"ALTER TABLE {maria.schema}.t ADD INDEX i b TYPE minmax")
    maria.execute("ALTER TABLE t DROP COLUMN b", "INSERT INTO t VALUES (2, 2)")
    if state == "streaming":
        maria.wait_equal()
    wait_for(lambda: agent.table_states()[f"{maria.schema}.t"] == state, 30, state)
    assert "b" in maria.clickhouse.columns(maria.schema, "t")
    reason = "left out" if state == "streaming" else "parked"
    assert reason in agent.log(60)
