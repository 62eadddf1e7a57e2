# SPDX-License-Identifier: Apache-2.0
"""Tables of PostgreSQL whose columns come, go and change all the time, in transactions with rows,
while others write to them and the agent is killed: equal at the end."""

import contextlib
import random
import threading
import time

import psycopg2
import pytest

TABLES = ("t0", "t1", "t2")
TYPES = ("integer", "text", "bigint", "numeric(12,2)", "boolean", "date")
# A column of another type in the place of one that went, with the values of each type.
VALUES = {"integer": "{n}", "text": "'text {n}'", "bigint": "{n}000000007", "numeric": "{n}.25",
          "boolean": "{n} % 2 = 0", "date": "date '2020-01-01' + {n} % 1000"}


class Worker(threading.Thread):
    """Transactions of rows, and of statements that change tables where it may make them."""

    def __init__(self, sync, seed, evolves, ended):
        super().__init__(daemon=True)
        self.sync, self.random, self.evolves, self.ended = sync, random.Random(seed), evolves, ended
        self.number = seed * 100000
        self.error = None
        self.altered = self.committed = 0

    def run(self):
        while not self.ended.is_set() and not self.error:
            try:
                with contextlib.closing(self.sync.connect()) as connection:
                    connection.autocommit = False
                    with connection.cursor() as cursor:
                        self.work(connection, cursor)
            except Exception as error:
                self.error = error

    def work(self, connection, cursor):
        while not self.ended.is_set():
            try:
                for _ in range(self.random.randrange(1, 5)):
                    self.step(cursor, self.random.choice(TABLES))
                if self.random.randrange(8) == 0:
                    connection.rollback()
                else:
                    connection.commit()
                    self.committed += 1
            except (psycopg2.errors.LockNotAvailable, psycopg2.errors.DeadlockDetected,
                    psycopg2.IntegrityError, psycopg2.DataError, psycopg2.ProgrammingError):
                connection.rollback()  # another one altered the table between two statements
            if self.evolves:
                time.sleep(0.03)

    def columns(self, cursor, table):
        cursor.execute("SELECT attname, split_part(format_type(atttypid, NULL), '(', 1) FROM "
                       f"pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT "
                       "attisdropped AND attname <> 'id' AND attname <> 'kept' ORDER BY attnum")
        return cursor.fetchall()

    def step(self, cursor, table):
        if self.evolves and self.random.randrange(3) == 0:
            self.alter(cursor, table)
        else:
            self.write(cursor, table)

    def alter(self, cursor, table):
        cursor.execute("SET LOCAL lock_timeout = '2s'")
        columns = self.columns(cursor, table)
        self.number += 1
        name = f"c{self.random.randrange(8)}"
        there = name in [column for column, _ in columns]
        action = self.random.randrange(6)
        if columns and (there or action >= 3):
            column, kind = self.random.choice(columns)
            change = (f"DROP COLUMN {column}" if action < 2 or len(columns) > 6 else
                      f"ALTER COLUMN {column} TYPE text" if action == 2 and kind != "text" else
                      f"RENAME COLUMN {column} TO {name}" if not there else
                      f"ALTER COLUMN {column} SET DEFAULT NULL")
        else:
            kind = self.random.choice(TYPES)
            value = VALUES[kind.split("(")[0]].format(n=self.number % 100)
            change = f"ADD COLUMN {name} {kind}" + self.random.choice(
                ("", "", f" DEFAULT {value}", f" NOT NULL DEFAULT {value}"))
        cursor.execute(f"ALTER TABLE {table} {change}")
        self.altered += 1

    def write(self, cursor, table):
        columns = [column for column in self.columns(cursor, table) if self.random.randrange(3)]
        self.number += 1
        values = [VALUES[kind].format(n=self.number % 100) for _, kind in columns]
        row = self.random.randrange(400)
        action = self.random.randrange(5)
        if action == 0:
            cursor.execute(f"DELETE FROM {table} WHERE id = {row}")
        elif action < 3:
            names = "".join(f", {name}" for name, _ in columns)
            cursor.execute(f"INSERT INTO {table} (id{names}) VALUES ({row}"
                           f"{''.join(', ' + value for value in values)}) ON CONFLICT DO NOTHING")
        else:
            cursor.execute(f"UPDATE {table} SET kept = kept + 1" + "".join(
                f", {name} = {value}" for (name, _), value in zip(columns, values)) +
                f" WHERE id BETWEEN {row} AND {row + 3}")


def evolve(pg, agent, seconds, seed, kills):
    ended = threading.Event()
    workers = [Worker(pg, seed * 10 + n, n == 0, ended) for n in range(4)]
    for worker in workers:
        worker.start()
    end = time.monotonic() + seconds
    while time.monotonic() < end and not any(worker.error for worker in workers):
        time.sleep(1.3 if kills else 0.5)
        if kills:
            agent.kill()
            agent.start()
    ended.set()
    for worker in workers:
        worker.join(60)
        assert worker.error is None, worker.error
    assert workers[0].altered > seconds and all(worker.committed > seconds for worker in workers)


@pytest.mark.parametrize("kills", [False, True], ids=["running", "killed"])
@pytest.mark.parametrize("detection", ["infer", "trigger"])
def test_tables_that_evolve_all_the_time(pg_for, detection, kills, full):
    pg = pg_for("postgres17")
    for table in TABLES:
        pg.execute(f"CREATE TABLE {table} (id int PRIMARY KEY, kept int NOT NULL DEFAULT 0)",
                   f"INSERT INTO {table} SELECT n FROM generate_series(1, 300) n")
    source = {"schema-change.detection": detection}
    if detection == "trigger":
        pg.source.execute("ALTER ROLE millrace SUPERUSER")
    try:
        agent = pg.agent(source=source).start()
        agent.wait_streaming()
        for seed in range(10 if full else 1):
            evolve(pg, agent, 8, seed, kills)
            for table in TABLES:  # a shape shows with the next row
                pg.execute(f"UPDATE {table} SET kept = kept + 1 WHERE id = "
                           f"(SELECT min(id) FROM {table})")
            pg.wait_equal(60)
    finally:
        if detection == "trigger":
            pg.source.execute("ALTER ROLE millrace NOSUPERUSER")
