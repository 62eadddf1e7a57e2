# SPDX-License-Identifier: Apache-2.0
"""Tables of PostgreSQL that are altered all the time, in transactions with rows, while others write
to them and the agent is killed: equal at the end."""

import psycopg2
import pytest

from support.evolution import TABLES, Evolver, evolve


class Writer(Evolver):
    types = ("integer", "text", "bigint", "numeric(12,2)", "boolean", "date")
    values = {"integer": "{n}", "text": "'text {n}'", "bigint": "{n}000000007",
              "numeric": "{n}.25", "boolean": "{n} % 2 = 0", "date": "date '2020-01-01' + {n}"}
    insert = "INSERT INTO {table} (id{names}) VALUES ({values}) ON CONFLICT DO NOTHING"
    refusals = (psycopg2.errors.LockNotAvailable, psycopg2.errors.DeadlockDetected,
                psycopg2.IntegrityError, psycopg2.DataError, psycopg2.ProgrammingError)

    def connect(self):
        connection = self.sync.connect()
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '2s'")
        connection.autocommit = False
        return connection

    def columns(self, cursor, table):
        cursor.execute("SELECT attname, split_part(format_type(atttypid, NULL), '(', 1) FROM "
                       f"pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT "
                       "attisdropped AND attname NOT IN ('id', 'kept') ORDER BY attnum")
        return cursor.fetchall()

    def change(self, column, kind, name, action, many):
        if action < 2 or many:
            return f"DROP COLUMN {column}"
        if action == 2 and kind != "text":
            return f"ALTER COLUMN {column} TYPE text"
        return (f"RENAME COLUMN {column} TO {name}" if name else
                f"ALTER COLUMN {column} SET DEFAULT NULL")


@pytest.mark.parametrize("kills", [False, True], ids=["running", "killed"])
@pytest.mark.parametrize("detection", ["infer", "trigger"])
def test_tables_that_evolve_all_the_time(pg_for, detection, kills, full):
    if not full:
        pytest.skip("a search for what is not known, with --full")
    pg = pg_for("postgres17")
    for table in TABLES:
        pg.execute(f"CREATE TABLE {table} (id int PRIMARY KEY, kept int NOT NULL DEFAULT 0)",
                   f"INSERT INTO {table} SELECT n FROM generate_series(1, 300) n")
    if detection == "trigger":
        pg.source.execute("ALTER ROLE millrace SUPERUSER")
    try:
        agent = pg.agent(source={"schema-change.detection": detection}).start()
        agent.wait_streaming()
        for seed in range(10):
            evolve(Writer, pg, agent, seed, kills)
            for table in TABLES:  # a shape shows with the next row
                pg.execute(f"UPDATE {table} SET kept = kept + 1 WHERE id = "
                           f"(SELECT min(id) FROM {table})")
            pg.wait_equal(60)
    finally:
        pg.source.execute("ALTER ROLE millrace NOSUPERUSER")
