# SPDX-License-Identifier: Apache-2.0
"""The snapshot: exact while rows change, parallel, in bounded memory, resumed after a crash."""

import random
import threading
import time

import pytest

from support.process import wait_for
from support.sample_shop import numbers

DELAYED = {"mariadb": {"sync_binlog": 1, "binlog_commit_wait_count": 6,
                       "binlog_commit_wait_usec": 3000},
           "mysql": {"sync_binlog": 1, "binlog_group_commit_sync_delay": 2000,
                     "binlog_group_commit_sync_no_delay_count": 6}}
WRITERS = 8


@pytest.fixture
def delayed(source):
    """Group commit with a delay: the log tells of changes before the tables show them."""
    settings = DELAYED[source.flavor]
    before = {name: source.value(f"SELECT @@GLOBAL.{name}") for name in settings}
    source.execute(*[f"SET GLOBAL {name} = {value}" for name, value in settings.items()])
    yield
    source.execute(*[f"SET GLOBAL {name} = {value}" for name, value in before.items()])


class Changer(threading.Thread):
    """Inserts, updates, deletes and moves rows of the tables `big` and `plain`."""

    def __init__(self, sync, seed, rows, ended):
        super().__init__(daemon=True)
        self.sync, self.random, self.rows, self.ended = sync, random.Random(seed), rows, ended
        self.error = None
        sync.writers.append(self)

    def run(self):
        try:
            with self.sync.source.connect(database=self.sync.schema) as connection:
                cursor = connection.cursor()
                while not self.ended.is_set():
                    self.change(cursor)
        except Exception as error:
            if getattr(error, "args", [0])[0] not in (1213, 1205):  # deadlock, lock timeout
                self.error = error
            elif not self.ended.is_set():
                self.run()

    def change(self, cursor):
        pick = lambda: self.random.randrange(1, self.rows)  # noqa: E731
        kind = self.random.randrange(7)
        cursor.execute("BEGIN")
        if kind == 0:
            cursor.execute("INSERT IGNORE INTO big VALUES (%s, 1, 'new')",
                           (self.rows + self.random.randrange(self.rows),))
        elif kind == 1:
            cursor.execute("DELETE FROM big WHERE id = %s", (pick(),))
        elif kind == 2:
            cursor.execute("UPDATE IGNORE big SET id = %s WHERE id = %s", (pick(), pick()))
        elif kind == 3:
            cursor.execute("DELETE FROM big WHERE id = %s", (pick(),))
            cursor.execute("INSERT IGNORE INTO big VALUES (%s, 2, 'again')", (pick(),))
        elif kind == 4:
            cursor.execute("INSERT INTO plain VALUES (%s, 'w')", (self.random.randrange(50),))
            cursor.execute("DELETE FROM plain WHERE v = %s LIMIT 1", (self.random.randrange(50),))
        else:
            cursor.execute("UPDATE big SET v = v + 1 WHERE id BETWEEN %s AND %s",
                           2 * (pick(),))
        cursor.execute("ROLLBACK" if self.random.randrange(15) == 0 else "COMMIT")


def fill(sync, rows):
    sync.execute("CREATE TABLE big (id INT PRIMARY KEY, v INT NOT NULL, s VARCHAR(30))",
                 f"INSERT INTO big SELECT n, n % 1000, CONCAT('row ', n) FROM {numbers(rows)}",
                 "CREATE TABLE plain (v INT, s VARCHAR(10))",
                 f"INSERT INTO plain SELECT n % 50, 'w' FROM {numbers(rows // 10)}")


def test_rows_that_change_during_the_snapshot(sync, delayed, full):
    """Eight writers, group commit with a delay and sync_binlog=1: equal, every time."""
    rows, runs = (1000000, 20) if full else (40000, 3)
    fill(sync, rows)
    for run in range(runs):
        ended = threading.Event()
        changers = [Changer(sync, run * 100 + i, rows, ended) for i in range(WRITERS)]
        for changer in changers:
            changer.start()
        time.sleep(0.3)
        sync.clickhouse.execute(f"DROP DATABASE IF EXISTS `{sync.schema}`")
        agent = sync.agent(source={"scan.incremental.snapshot.chunk.size":
                                   32768 if full else 500}).start()
        agent.wait_streaming(600)
        time.sleep(0.3)
        ended.set()
        for changer in changers:
            changer.join(60)
            assert changer.error is None, changer.error
        sync.wait_equal(300)
        agent.stop()


def test_composite_keys_in_small_chunks(sync):
    sync.execute(
        "CREATE TABLE t (a VARCHAR(10), b INT, c DATE, v INT, PRIMARY KEY (a, c, b))",
        "INSERT INTO t SELECT ELT(1 + n % 5, 'x', 'X1', 'ä', 'b', ''), n, "
        f"'2024-01-01' + INTERVAL n % 7 DAY, n FROM {numbers(500)}")
    sync.agent(source={"scan.incremental.snapshot.chunk.size": 7}).start().wait_streaming()
    sync.wait_equal()


def test_a_unique_index_serves_as_the_key(sync):
    sync.execute("CREATE TABLE t (a INT NOT NULL, b VARCHAR(10) NOT NULL, v INT, UNIQUE (b, a))",
                 "INSERT INTO t VALUES (1, 'x', 1), (2, 'x', 2)",
                 "CREATE TABLE n (a INT NULL UNIQUE, v INT)",
                 "INSERT INTO n VALUES (1, 1), (NULL, 2), (NULL, 2)")
    sync.agent().start().wait_streaming()
    sync.execute("UPDATE t SET a = 5 WHERE a = 1", "DELETE FROM n WHERE a IS NULL LIMIT 1")
    sync.wait_equal()
    engines = sync.clickhouse.tables(sync.schema)
    assert "Replacing" in engines["t"] and "Replacing" not in engines["n"]


def test_empty_tables_and_single_rows(sync):
    sync.execute("CREATE TABLE e (id INT PRIMARY KEY)", "CREATE TABLE k (v INT)",
                 "CREATE TABLE one (id INT PRIMARY KEY)", "INSERT INTO one VALUES (-2147483648)")
    sync.agent().start().wait_streaming()
    sync.wait_equal()
    sync.execute("INSERT INTO e VALUES (1)", "INSERT INTO k VALUES (NULL)")
    sync.wait_equal()


def test_names_that_need_quoting(sync):
    for name in ("with space", "back`tick", "quote'\"s", "sélect", "数据", "select", "a.b", "100%"):
        quoted = "`" + name.replace("`", "``") + "`"
        sync.execute(f"CREATE TABLE {quoted} ({quoted} INT PRIMARY KEY, `k e y` TEXT, `%s` INT)",
                     f"INSERT INTO {quoted} VALUES (1, 'x', 5)")
    sync.agent().start().wait_streaming()
    sync.execute("UPDATE `back``tick` SET `k e y` = 'y'", "DELETE FROM `a.b`",
                 "ALTER TABLE `select` ADD COLUMN `from` INT")
    sync.wait_equal()


def test_a_snapshot_is_resumed(sync):
    """After kill -9 in the middle, finished chunks are not read again."""
    rows = 60000
    sync.execute("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(100))",
                 f"INSERT INTO t SELECT n, REPEAT('x', n % 100) FROM {numbers(rows)}")
    agent = sync.agent(source={"scan.incremental.snapshot.chunk.size": 500},
                       sink={"sink.buffer-flush.max-rows": 1000},
                       pipeline={"snapshot.parallelism": 1})

    def read_rows():
        return int(sync.source.query("SHOW GLOBAL STATUS LIKE 'Handler_read_next'")[0][1])

    agent.start()

    def delivered():
        agent.check_alive()
        tables = sync.clickhouse.tables(sync.schema)
        return "t" in tables and int(sync.value("SELECT count() FROM {db}.t")) > rows // 2
    wait_for(delivered, 60, "half of the snapshot", interval=0.01)
    agent.kill()
    before = read_rows()
    agent.start().wait_streaming()
    again = read_rows() - before
    sync.wait_equal()
    assert again < rows * 0.8, f"{again} rows were read after the restart"


def test_a_snapshot_alone(sync):
    """scan.startup.mode snapshot and `backfill` end by themselves."""
    sync.execute("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1), (2)",
                 "CREATE TABLE k (v INT)", "INSERT INTO k VALUES (1), (1)")
    agent = sync.agent()
    code, text = agent.command("backfill")
    assert code == 0, text
    sync.agents.clear()
    sync.wait_equal()
    sync.execute("INSERT INTO t VALUES (3)", "DELETE FROM k LIMIT 1")
    other = sync.agent(source={"scan.startup.mode": "snapshot"},
                       pipeline={"checkpoint.directory": sync.folder + "/other"})
    sync.clickhouse.execute(f"DROP DATABASE `{sync.schema}`")
    other.start(wait=False)
    assert other.wait_end() == 0, other.log(20)
    sync.agents.clear()
    sync.wait_equal()


def test_no_lock_is_taken(sync):
    """A snapshot waits for nobody and nobody waits for it: a table lock held by another session
    holds up at most its own table, and no global lock is asked for."""
    sync.execute("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    with sync.source.connect(database=sync.schema) as holder:
        cursor = holder.cursor()
        cursor.execute("BEGIN")
        cursor.execute("UPDATE t SET id = 2")
        sync.agent().start().wait_streaming()
        cursor.execute("COMMIT")
    sync.wait_equal()


def test_snapshot_shows_its_progress(maria):
    maria.execute("CREATE TABLE t (id INT PRIMARY KEY)",
                  f"INSERT INTO t SELECT n FROM {numbers(1000)}")
    agent = maria.agent().start()
    agent.wait_streaming()
    # A table streams once its last chunk is handed on; its rows count once they are durable.
    wait_for(lambda: agent.sink_status()["tables"][0]["snapshot_rows"] == 1000, 30, "all rows")
    assert agent.sink_status()["tables"][0]["state"] == "streaming"
    assert any(name.startswith("millrace_table_snapshot_rows{") and value == 1000
               for name, value in agent.metrics().items())
