# SPDX-License-Identifier: Apache-2.0
"""Events of the log, the rare ones too, and transactions of all shapes."""

import os

import pytest

from support.database import AGENT_USER
from support.process import wait_for
from support.sample_shop import numbers


@pytest.fixture
def table(sync):
    sync.execute("CREATE TABLE t (id INT PRIMARY KEY, v INT, s VARCHAR(40), b MEDIUMBLOB, j JSON)",
                 "INSERT INTO t VALUES (1, 1, 'one', 'blob', '{\"a\": 1}'), (2, 2, 'two', NULL, "
                 "NULL), (3, 3, 'three', 'x', '[1]')",
                 "CREATE TABLE m (v INT, s VARCHAR(20))",
                 "INSERT INTO m VALUES (1, 'a'), (1, 'a'), (2, NULL)")
    sync.agent().start().wait_streaming()
    return sync


def test_transactions_of_all_shapes(table):
    with table.source.connect(database=table.schema) as connection:
        cursor = connection.cursor()
        for statement in (
                "BEGIN", "INSERT INTO t (id, v) VALUES (10, 1)", "SAVEPOINT a",
                "INSERT INTO t (id, v) VALUES (11, 1)", "ROLLBACK TO a",
                "UPDATE t SET v = 5 WHERE id = 10", "UPDATE t SET id = 12 WHERE id = 10", "COMMIT",
                "BEGIN", "DELETE FROM t", "ROLLBACK",
                "BEGIN", "DELETE FROM t WHERE id = 1", "INSERT INTO t (id, v) VALUES (1, 9)",
                "DELETE FROM t WHERE id = 1", "INSERT INTO t (id, v) VALUES (1, 10)", "COMMIT",
                "UPDATE t SET v = v WHERE id = 2", "REPLACE INTO t (id, v) VALUES (3, 33)",
                "INSERT INTO t (id, v) VALUES (3, 1) ON DUPLICATE KEY UPDATE v = v + 1"):
            cursor.execute(statement)
    table.wait_equal()


def test_tables_of_all_engines_and_partitions(table):
    """Rows of several tables in one event group, of engines without transactions, of partitions."""
    table.execute(
        "CREATE TABLE slow (id INT PRIMARY KEY, v INT) ENGINE = MyISAM",
        "CREATE TABLE fleeting (v INT) ENGINE = MEMORY",
        "CREATE TABLE parts (id INT, y INT, v INT, PRIMARY KEY (id, y)) PARTITION BY RANGE (y) "
        "(PARTITION a VALUES LESS THAN (10), PARTITION b VALUES LESS THAN MAXVALUE)",
        "CREATE TABLE heard (id INT PRIMARY KEY AUTO_INCREMENT, whose INT)",
        "CREATE TRIGGER hears AFTER UPDATE ON t FOR EACH ROW "
        "INSERT INTO heard (whose) VALUES (NEW.id)",
        "INSERT INTO slow VALUES (1, 1), (2, 2)", "UPDATE slow SET v = v + 1",
        "INSERT INTO fleeting VALUES (1), (1), (2)", "DELETE FROM fleeting WHERE v = 1 LIMIT 1",
        "INSERT INTO parts VALUES (1, 1, 1), (2, 20, 2)", "UPDATE parts SET y = 30 WHERE id = 1",
        "UPDATE parts SET y = 3, v = 9 WHERE id = 2", "DELETE FROM parts WHERE y = 30",
        "UPDATE t JOIN parts ON parts.id = t.id SET t.v = 50, parts.v = 70",
        "DELETE t, parts FROM t JOIN parts ON t.id = parts.id WHERE t.id = 1")
    if table.source.flavor == "mariadb":  # MySQL with GTIDs refuses to mix the two kinds
        table.execute("UPDATE t JOIN slow ON t.id = slow.id SET t.v = 51, slow.v = 60",
                      "BEGIN", "INSERT INTO t (id, v) VALUES (20, 1)",
                      "INSERT INTO slow VALUES (20, 1)", "ROLLBACK")
        assert table.source.value(f"SELECT COUNT(*) FROM `{table.schema}`.slow") == 3
    table.wait_equal()


def test_keys_that_change_places(sync):
    """Swaps and shifts of keys inside one statement, and a REPLACE over two unique keys."""
    sync.execute("CREATE TABLE t (id INT PRIMARY KEY, u INT UNIQUE, v INT)",
                 f"INSERT INTO t SELECT n, n, n FROM {numbers(100)}")
    sync.agent().start().wait_streaming()
    sync.execute("UPDATE t SET id = id + 1 ORDER BY id DESC",
                 "UPDATE t SET id = -id WHERE id < 10", "UPDATE t SET id = -id WHERE id < 0",
                 "REPLACE INTO t VALUES (50, 80, -1)", "REPLACE INTO t VALUES (51, 50, -2)",
                 "DELETE FROM t WHERE id = 5", "INSERT INTO t VALUES (5, 5000, 1)")
    sync.wait_equal()


def test_foreign_keys_that_cascade(sync):
    sync.execute("CREATE TABLE p (id INT PRIMARY KEY)",
                 "CREATE TABLE c (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (id) "
                 "ON DELETE CASCADE ON UPDATE CASCADE)",
                 "INSERT INTO p VALUES (1), (2), (3)",
                 "INSERT INTO c VALUES (1, 1), (2, 1), (3, 2)")
    sync.agent().start().wait_streaming()
    sync.execute("DELETE FROM p WHERE id = 1", "UPDATE p SET id = 20 WHERE id = 2")
    # MariaDB does the cascade inside the storage engine and logs no row of it; only MySQL 9.6 and
    # later do. What the log does not say cannot be followed.
    sync.wait_equal(tables=["p"] if sync.source.flavor == "mariadb" else None)


def test_prepared_transactions(table):
    """XA: nothing is shown before COMMIT, in whatever order the branches end."""
    with table.source.connect(database=table.schema) as connection:
        cursor = connection.cursor()
        for branch, row in (("a", 100), ("b", 101), ("c", 102)):
            for statement in (f"XA START '{branch}'", f"INSERT INTO t (id, v) VALUES ({row}, 1)",
                              f"INSERT INTO m VALUES ({row}, 'xa')", f"XA END '{branch}'",
                              f"XA PREPARE '{branch}'"):
                cursor.execute(statement)
            connection.close()
            connection.connect()
            cursor = connection.cursor()
        cursor.execute("INSERT INTO t (id, v) VALUES (110, 1)")
        cursor.execute("XA COMMIT 'b'")
        cursor.execute("XA ROLLBACK 'c'")
    table.wait_equal()
    assert table.value("SELECT count() FROM {db}.t FINAL WHERE id = 100") == "0"
    # The prepared branch outlives the agent.
    table.agents[0].stop()
    table.execute("INSERT INTO t (id, v) VALUES (111, 1)")
    table.agents[0].start()
    table.execute("XA COMMIT 'a'", "INSERT INTO t (id, v) VALUES (112, 1)")
    table.wait_equal()
    assert table.value("SELECT count() FROM {db}.t FINAL WHERE id = 100") == "1"


def test_a_large_prepared_branch_waits_in_a_file(sync):
    """Its rows take more than xa.memory; nothing is left of the file, though the agent is
    killed."""
    sync.execute("CREATE TABLE t (id INT PRIMARY KEY, s VARCHAR(100))",
                 "CREATE TABLE other (id INT PRIMARY KEY)")
    folder = os.path.join(sync.folder, "checkpoint")
    agent = sync.agent(source={"xa.memory": "64kb"},
                       pipeline={"checkpoint.directory": folder}).start()
    agent.wait_streaming()
    sync.execute("XA START 'large'",
                 f"INSERT INTO t SELECT n, REPEAT('x', 90) FROM {numbers(20000)}",
                 "XA END 'large'", "XA PREPARE 'large'")
    sync.execute("INSERT INTO other VALUES (1)")
    sync.wait_equal(tables=["other"])
    agent.kill()
    agent.start()
    sync.execute("INSERT INTO other VALUES (2)")
    sync.wait_equal(tables=["other"])
    assert sync.value("SELECT count() FROM {db}.t FINAL") == "0"
    sync.execute("XA COMMIT 'large'")
    sync.wait_equal()
    assert not [name for _, _, names in os.walk(folder) for name in names if "waiting" in name]


def test_one_phase_xa(table):
    table.execute("XA START 'one'", "INSERT INTO t (id, v) VALUES (200, 1)", "XA END 'one'",
                  "XA COMMIT 'one' ONE PHASE", "INSERT INTO m VALUES (200, 'x')")
    table.wait_equal()


def test_compressed_events(table):
    if table.source.flavor == "mysql":
        switch = "SET SESSION binlog_transaction_compression = ON"
        table.execute(switch, "INSERT INTO t (id, b) VALUES (300, REPEAT('zip ', 5000))",
                      "UPDATE t SET v = 7, s = 'zipped'", "INSERT INTO m SELECT v, s FROM t",
                      "DELETE FROM t WHERE id = 2")
    else:
        table.source.execute("SET GLOBAL log_bin_compress = ON",
                             "SET GLOBAL log_bin_compress_min_len = 10")
        try:
            table.execute("INSERT INTO t (id, b) VALUES (300, REPEAT('zip ', 5000))",
                          "UPDATE t SET v = 7, s = 'zipped'", "INSERT INTO m SELECT v, s FROM t",
                          "DELETE FROM t WHERE id = 2",
                          "ALTER TABLE t ADD COLUMN a_long_name_to_be_compressed INT DEFAULT 4")
        finally:
            table.source.execute("SET GLOBAL log_bin_compress = OFF")
    table.wait_equal()


def test_a_large_compressed_transaction(table):
    if table.source.flavor != "mysql":
        return  # MariaDB compresses event by event
    table.execute("SET SESSION binlog_transaction_compression = ON",
                  f"INSERT INTO t (id, v, s) SELECT 1000 + n, n, 'many' FROM {numbers(60000)}",
                  "UPDATE t SET v = -v WHERE id > 30000")
    table.wait_equal(120)


def test_partial_json_updates(table):
    if table.source.flavor != "mysql":
        return  # MariaDB has no such events
    table.execute(
        "INSERT INTO t (id, j) VALUES (400, '{\"a\": {\"b\": [1, 2, 3]}, \"c\": \"text\"}')",
        "SET SESSION binlog_row_value_options = PARTIAL_JSON",
        "UPDATE t SET j = JSON_SET(j, '$.a.b[1]', 20) WHERE id = 400",
        "UPDATE t SET j = JSON_REPLACE(j, '$.c', 'text'), v = 3 WHERE id = 400",
        "UPDATE t SET j = JSON_REMOVE(j, '$.a.b[0]') WHERE id = 400",
        "UPDATE t SET j = JSON_INSERT(j, '$.new', JSON_OBJECT('x', 1.5)) WHERE id = 400",
        "UPDATE t SET j = JSON_SET(j, '$.a', JSON_ARRAY(NULL, TRUE)) WHERE id = 400",
        "UPDATE t SET j = JSON_ARRAY_APPEND(j, '$', 2) WHERE id = 3",
        "UPDATE t SET v = v + 1")
    table.wait_equal()


def test_tagged_gtids(table):
    if table.source.flavor != "mysql":
        return  # MariaDB has no tags
    with table.source.connect(database=table.schema) as connection:
        cursor = connection.cursor()
        for statement in ("SET gtid_next = 'AUTOMATIC:blue'",
                          "INSERT INTO t (id, v) VALUES (500, 1)", "UPDATE t SET v = 2",
                          "SET gtid_next = 'AUTOMATIC'", "INSERT INTO m VALUES (5, 'tagged')"):
            cursor.execute(statement)
    table.wait_equal()
    table.agents[0].stop()
    table.execute("SET gtid_next = 'AUTOMATIC:blue'", "INSERT INTO m VALUES (6, 'tagged')")
    table.agents[0].start()
    table.execute("INSERT INTO m VALUES (7, 'x')")
    table.wait_equal()


def wait_parked(sync, name, reason):
    """Until the table is parked, for a reason that the user is told."""
    agent = sync.agents[0]
    wait_for(lambda: agent.table_states()[f"{sync.schema}.{name}"] == "parked", 60,
             f"the table {name} to park")
    code, text = agent.command("tables")
    assert code == 0 and reason in text, text


@pytest.mark.parametrize("image", ["MINIMAL", "NOBLOB"])
def test_partial_row_images(table, image):
    """What an image leaves out never becomes NULL. Changes that hold all that is needed are
    carried; the first that does not parks its table, the others go on, and a restart reads it."""
    switch = f"SET SESSION binlog_row_image = {image}"
    table.execute("CREATE TABLE other (id INT PRIMARY KEY, v INT)", switch,
                  "INSERT INTO t VALUES (600, 6, 'six', REPEAT('b', 1000), '{\"k\": [1]}')",
                  "DELETE FROM t WHERE id = 3")
    table.wait_equal(tables=["t", "other"])
    as_it_was = table.rows("SELECT * EXCEPT (_version) FROM {db}.t FINAL ORDER BY id")
    table.execute(switch, "UPDATE t SET v = v + 1 WHERE id IN (1, 2, 600)",
                  "UPDATE t SET s = NULL WHERE id = 1", "UPDATE t SET b = 'new' WHERE id = 2",
                  "UPDATE t SET id = 601 WHERE id = 600", "INSERT INTO t (id) VALUES (602)",
                  "INSERT INTO other VALUES (1, 1)")
    wait_parked(table, "t", "is not in the log's row image: set binlog_row_image=FULL")
    table.wait_equal(tables=["other"])
    assert table.rows("SELECT * EXCEPT (_version) FROM {db}.t FINAL ORDER BY id") == as_it_was
    table.agents[0].stop()
    table.execute("UPDATE t SET v = 1, s = 'again' WHERE id = 2")
    table.agents[0].start()
    table.wait_equal()


def test_check_names_partial_row_images(table):
    old = table.source.query("SELECT @@GLOBAL.binlog_row_image")[0][0]
    table.source.execute("SET GLOBAL binlog_row_image = MINIMAL")
    try:
        code, text = table.agents[0].command("check")
    finally:
        table.source.execute(f"SET GLOBAL binlog_row_image = {old}")
    assert "binlog_row_image is MINIMAL: tables park" in text, text
    assert "SET GLOBAL binlog_row_image=FULL;" in text, text


def test_json_diffs_of_documents_that_the_log_does_not_hold(table):
    """A diff needs the document it changes: the table parks, and the agent goes on."""
    if table.source.flavor != "mysql":
        return  # MariaDB has no such events
    table.execute("CREATE TABLE other (id INT PRIMARY KEY, v INT)",
                  "SET SESSION binlog_row_image = MINIMAL",
                  "SET SESSION binlog_row_value_options = PARTIAL_JSON",
                  "UPDATE t SET j = JSON_SET(j, '$.a', 2) WHERE id = 1",
                  "INSERT INTO other VALUES (1, 1)")
    wait_parked(table, "t", "binlog_row_image=FULL")
    table.wait_equal(tables=["other", "m"])


def test_a_keyless_table_under_minimal_images_parks(table):
    """An UPDATE that does not say what the row was cannot be carried: the table says so."""
    table.execute("CREATE TABLE other (id INT PRIMARY KEY)", "SET SESSION binlog_row_image = "
                  "MINIMAL", "UPDATE m SET s = 'changed' WHERE v = 2",
                  "INSERT INTO other VALUES (1)")
    # Without a key the server logs the whole row before, and the one after can be told from it.
    table.wait_equal(tables=["t", "other", "m"])


def test_logs_that_rotate(table):
    for i in range(5):
        table.execute("FLUSH BINARY LOGS", f"INSERT INTO t (id, v) VALUES ({700 + i}, {i})")
    table.wait_equal()
    table.agents[0].stop()
    table.execute("FLUSH BINARY LOGS", "INSERT INTO m VALUES (9, 'later')", "FLUSH BINARY LOGS")
    table.agents[0].start()
    table.wait_equal()


def test_rows_larger_than_a_packet(table):
    """A row of 20 MB is an event of two packets."""
    table.execute("UPDATE t SET b = NULL", "ALTER TABLE t MODIFY b LONGBLOB",
                  "UPDATE t SET b = REPEAT('0123456789abcdef', 1250000) WHERE id = 1",
                  "UPDATE t SET v = 5 WHERE id = 1", "INSERT INTO t (id, v) VALUES (800, 8)")
    table.wait_equal(120)


def test_metadata_at_its_least(sync):
    """Without names and types in the log the tracked tables decide."""
    setting = "NO_LOG" if sync.source.flavor == "mariadb" else "MINIMAL"
    sync.source.execute(f"SET GLOBAL binlog_row_metadata = {setting}")
    try:
        sync.execute("CREATE TABLE t (id BIGINT UNSIGNED PRIMARY KEY, u TINYINT UNSIGNED, s "
                     "VARCHAR(20) CHARACTER SET gbk, e ENUM('a','ü'), d DECIMAL(20,5), "
                     "f SET('x','y'))",
                     "INSERT INTO t VALUES (1, 200, '中', 'ü', 1.5, 'x,y')")
        sync.agent().start().wait_streaming()
        sync.execute("INSERT INTO t VALUES (18446744073709551615, 255, '文', 'a', -1.5, 'y')",
                     "UPDATE t SET u = 250 WHERE id = 1",
                     "ALTER TABLE t ADD COLUMN late INT UNSIGNED FIRST",
                     "UPDATE t SET late = 4294967295", "ALTER TABLE t DROP COLUMN u",
                     "INSERT INTO t VALUES (7, 2, '中文', NULL, 0, '')")
        sync.wait_equal()
    finally:
        sync.source.execute("SET GLOBAL binlog_row_metadata = FULL")


def test_no_checksums(own_server, clickhouse, sync_for, flavor):
    server = own_server(flavor, binlog_checksum="NONE")
    sync = sync_for(server, clickhouse)
    sync.execute("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 1)")
    sync.agent().start().wait_streaming()
    sync.execute("INSERT INTO t VALUES (2, 2)", "ALTER TABLE t ADD w INT", "UPDATE t SET w = 3")
    sync.wait_equal()


def test_a_server_without_gtids(own_server, clickhouse, sync_for):
    """File and position instead."""
    server = own_server("mysql", gtid_mode="OFF", enforce_gtid_consistency="OFF")
    sync = sync_for(server, clickhouse)
    sync.execute("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 1)",
                 "CREATE TABLE m (v INT)", "INSERT INTO m VALUES (1), (1)")
    agent = sync.agent()
    code, text = agent.command("check")
    assert code != 0 and "GRANT LOCK TABLES" in text, text
    server.execute(f"GRANT LOCK TABLES ON *.* TO '{AGENT_USER}'@'%'")
    code, text = agent.command("check")
    assert "LOCK TABLES" not in text, text
    agent.start()
    agent.wait_streaming()
    sync.execute("INSERT INTO t VALUES (2, 2)", "FLUSH BINARY LOGS", "INSERT INTO m VALUES (1)")
    sync.wait_equal()
    agent.kill()
    sync.execute("DELETE FROM m LIMIT 1", "UPDATE t SET v = 9")
    agent.start()
    sync.wait_equal()


def test_system_versioned_tables(maria):
    maria.execute("CREATE TABLE v (id INT PRIMARY KEY, a INT) WITH SYSTEM VERSIONING",
                  "INSERT INTO v VALUES (1, 1), (2, 2)")
    maria.agent().start().wait_streaming()
    maria.execute("UPDATE v SET a = 5 WHERE id = 1", "DELETE FROM v WHERE id = 2",
                  "INSERT INTO v VALUES (3, 3)")
    maria.wait_equal()
    assert maria.value("SELECT count() FROM {db}.v FINAL") == "2"


def test_sequences_are_not_tables(maria):
    maria.execute("CREATE SEQUENCE s", "CREATE TABLE t (id INT PRIMARY KEY DEFAULT NEXTVAL(s))",
                  "INSERT INTO t VALUES (), ()")
    maria.agent().start().wait_streaming()
    maria.execute("INSERT INTO t VALUES (), ()", "SELECT NEXTVAL(s)")
    maria.wait_equal()


def test_statements_in_the_log_are_noticed(sync):
    """Rows changed by a statement that was logged as text: seen, and the table read again."""
    sync.execute("CREATE TABLE t (id INT PRIMARY KEY, v INT)",
                 "INSERT INTO t VALUES (1, 1), (2, 2)", "CREATE TABLE o (id INT PRIMARY KEY)")
    agent = sync.agent().start()
    agent.wait_streaming()
    sync.execute("SET SESSION binlog_format = STATEMENT", "UPDATE t SET v = v + 100",
                 "SET SESSION binlog_format = ROW", "INSERT INTO o VALUES (1)")
    sync.wait_equal(tables=["o"])
    sync.wait_equal(timeout=30)
    assert "statement" in agent.log().lower()
