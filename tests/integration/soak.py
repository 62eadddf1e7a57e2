# SPDX-License-Identifier: Apache-2.0
"""kill -9 of everything, for a long time: `tests/run soak --minutes M [--seed S]`.

Two pipelines, MariaDB and MySQL, go into one ClickHouse under load with schema changes, over tables
with a key and without. The agents, the sources and the sink are killed at random; then all must be
equal, and no row doubled in a table without a key. The seed makes the plan: who is killed, and
when. --full goes on until the agents were killed 300 times, and the sources and the sink 50 times
each.
"""

import random
import threading
import time

import pymysql

from support.agent import RELEASE_BINARY
from support.sample_shop import numbers

RATES = (("agent", 6), ("source", 1), ("sink", 1))
WANTED = {"agent": 300, "source": 50, "sink": 50}
PIPELINE = {"restart-strategy.exponential-delay.initial-backoff": "50ms",
            "restart-strategy.exponential-delay.max-backoff": "500ms",
            "checkpoint.interval": "100ms", "log.level": "warn"}
# A column or table that a kill, or the beginning, left away, or that is there already.
UNEXPECTED_SHAPES = (1050, 1051, 1060, 1091, 1146)
GONE = (pymysql.err.OperationalError, pymysql.err.InterfaceError, pymysql.err.InternalError,
        OSError)


class Writer(threading.Thread):
    """Rows and schema changes; a source that is killed is waited for."""

    def __init__(self, sync, seed):
        super().__init__(daemon=True)
        self.sync, self.random = sync, random.Random(seed)
        self.ended, self.error, self.turn, self.shape = threading.Event(), None, 0, 3
        sync.writers.append(self)

    def run(self):
        try:
            while not self.ended.is_set():
                try:
                    with self.sync.source.connect(database=self.sync.schema) as connection:
                        self.write(connection.cursor())
                except GONE:
                    time.sleep(0.1)
        except Exception as error:
            self.error = error

    def write(self, cursor):
        while not self.ended.is_set():
            self.turn += 1
            self.change_rows(cursor, self.random.randrange)
            if self.turn % 60 == 0:
                self.change_shape(cursor)
            time.sleep(0.005)

    def change_rows(self, cursor, pick):
        for statement, values in (
                ("BEGIN", ()),
                ("INSERT INTO keyed (v) VALUES (%s), (%s)", (pick(99), pick(99))),
                ("UPDATE keyed SET v = v + 1 WHERE MOD(id, 97) = %s LIMIT 20", (pick(97),)),
                ("DELETE FROM keyed WHERE v > 90 AND MOD(id, 3) = 0 LIMIT 3", ()),
                ("INSERT INTO keyless (v) VALUES (%s), (%s)", (pick(9), pick(9))),
                ("UPDATE keyless SET v = v + 1 WHERE v = %s LIMIT 3", (pick(9),)),
                ("DELETE FROM keyless WHERE v > 8 LIMIT 4", ()),
                ("INSERT INTO emptied VALUES (%s)", (pick(5),)),
                ("COMMIT" if pick(10) else "ROLLBACK", ())):
            cursor.execute(statement, values)

    def change_shape(self, cursor):
        """Names are never used again: a kill leaves open whether a statement was carried out."""
        self.shape += 1
        n = self.shape
        for statement in (
                f"ALTER TABLE keyed ADD COLUMN c{n} INT DEFAULT {n}",
                f"ALTER TABLE keyless ADD COLUMN c{n} INT DEFAULT {n}",
                "TRUNCATE TABLE emptied",
                f"CREATE TABLE IF NOT EXISTS made{n} AS SELECT * FROM keyless LIMIT 5",
                f"ALTER TABLE keyed DROP COLUMN c{n - 3}, ALGORITHM=COPY",
                f"ALTER TABLE keyless DROP COLUMN c{n - 3}, ALGORITHM=COPY",
                f"RENAME TABLE made{n - 1} TO renamed{n - 1}",
                f"DROP TABLE IF EXISTS renamed{n - 3}"):
            try:
                cursor.execute(statement)
            except pymysql.err.MySQLError as error:
                if error.args[0] not in UNEXPECTED_SHAPES:
                    raise

    def stop(self):
        self.ended.set()
        self.join(120)
        if self.error:
            raise self.error


class Lab:
    def __init__(self, sync, seed):
        self.sync = sync
        sync.execute("CREATE TABLE keyed (id INT AUTO_INCREMENT PRIMARY KEY, v INT)",
                     f"INSERT INTO keyed (v) SELECT n % 80 FROM {numbers(3000)}",
                     "CREATE TABLE keyless (v INT)",
                     f"INSERT INTO keyless SELECT n % 9 FROM {numbers(3000)}",
                     "CREATE TABLE emptied (v INT)")
        self.agent = sync.agent(
            source={"scan.incremental.snapshot.chunk.size": 300},
            sink={"sink.buffer-flush.interval": "50ms", "sink.parallelism": 2},
            pipeline=PIPELINE, binary=RELEASE_BINARY)
        self.writer = Writer(sync, seed)


def plan(seed):
    """(victim, which of the two, pause before in seconds), without an end."""
    pick = random.Random(seed)
    names, weights = zip(*RATES)
    while True:
        yield (pick.choices(names, weights)[0], pick.randrange(2), pick.uniform(0.02, 0.6))


def strike(victim, lab, clickhouse):
    if victim == "agent":
        lab.agent.kill()
        lab.agent.start(wait=False)
        return
    server = clickhouse if victim == "sink" else lab.sync.source
    server.kill()
    server.start()


def is_over(kills, full, end):
    enough = full and all(kills[name] >= wanted for name, wanted in WANTED.items())
    return enough or (not full and time.monotonic() > end)


def test_soak(own_server, own_clickhouse, sync_for, full, request, capsys):
    minutes = request.config.getoption("--minutes")
    seed = request.config.getoption("--seed")
    seed = random.SystemRandom().randrange(1 << 32) if seed is None else seed
    with capsys.disabled():
        print(f"\nsoak: seed {seed}", flush=True)
    durable = {"sync_binlog": 1, "innodb_flush_log_at_trx_commit": 1}
    labs = [Lab(sync_for(own_server(flavor, **durable), own_clickhouse), seed + i)
            for i, flavor in enumerate(("mariadb", "mysql"))]
    for lab in labs:
        lab.agent.start(wait=False)
        lab.writer.start()
    kills = {"agent": 0, "source": 0, "sink": 0}
    begin = time.monotonic()
    for victim, which, pause in plan(seed):
        if is_over(kills, full, begin + 60 * minutes):
            break
        time.sleep(pause)
        for lab in labs:
            lab.agent.check_alive()
        strike(victim, labs[which], own_clickhouse)
        kills[victim] += 1
    for lab in labs:
        lab.writer.stop()
    seconds = time.monotonic() - begin
    for lab in labs:
        lab.sync.wait_equal(300, agent=lab.agent)
    counts = ", ".join(f"{name} {count}" for name, count in kills.items())
    with capsys.disabled():
        print(f"soak: seed {seed}, {seconds:.0f} s, kills: {counts}; "
              f"{sum(lab.writer.turn for lab in labs)} transactions and "
              f"{sum(lab.writer.shape - 3 for lab in labs)} rounds of schema changes; all equal",
              flush=True)
