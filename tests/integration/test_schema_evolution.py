# SPDX-License-Identifier: Apache-2.0
"""Tables of MariaDB and MySQL that are altered all the time while others write to them and the
agent is killed: equal at the end."""

import pymysql
import pytest

from support.evolution import TABLES, Evolver, evolve


class Writer(Evolver):
    types = ("int", "varchar(40)", "bigint", "decimal(12,2)", "date")
    values = {"int": "{n}", "varchar": "'text {n}'", "bigint": "{n}000000007",
              "decimal": "{n}.25", "date": "date_add('2020-01-01', interval {n} day)"}
    insert = "INSERT IGNORE INTO {table} (id{names}) VALUES ({values})"
    places = ("", "", " FIRST", " AFTER id")
    refusals = (pymysql.err.OperationalError, pymysql.err.IntegrityError, pymysql.err.DataError,
                pymysql.err.ProgrammingError, pymysql.err.InternalError)

    def connect(self):
        connection = self.sync.source.connect(database=self.sync.schema, autocommit=False)
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION lock_wait_timeout = 2, innodb_lock_wait_timeout = 2")
        return connection

    def columns(self, cursor, table):
        cursor.execute("SELECT column_name, data_type FROM information_schema.columns WHERE "
                       "table_schema = database() AND table_name = %s AND column_name NOT IN "
                       "('id', 'kept') ORDER BY ordinal_position", (table,))
        return cursor.fetchall()

    def constant(self, kind):
        return f"'2020-03-{self.number % 28 + 1:02d}'" if kind == "date" else self.value(kind)

    def change(self, column, kind, name, action, many):
        declared = {"varchar": "varchar(90)", "decimal": "decimal(14,2)"}.get(kind, kind)
        if action < 2 or many:
            return f"DROP COLUMN {column}"
        if action == 2:
            return f"MODIFY {column} varchar(100)"
        if action == 6:
            return f"DROP COLUMN {column}, ADD COLUMN {column} {declared}"
        if name:
            return f"RENAME COLUMN {column} TO {name}"
        return (f"ALTER COLUMN {column} SET DEFAULT NULL" if action == 5 else
                f"MODIFY {column} {declared} FIRST")


@pytest.mark.parametrize("kills", [False, True], ids=["running", "killed"])
def test_tables_that_evolve_all_the_time(sync, kills, full):
    if not full:
        pytest.skip("a search for what is not known, with --full")
    for table in TABLES:
        sync.execute(f"CREATE TABLE {table} (id int PRIMARY KEY, kept int NOT NULL DEFAULT 0)",
                     f"INSERT INTO {table} (id) WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL "
                     "SELECT n + 1 FROM s WHERE n < 300) SELECT n FROM s")
    agent = sync.agent(pipeline={"schema.change.behavior": "evolve"}).start()
    agent.wait_streaming()
    for seed in range(10):
        evolve(Writer, sync, agent, seed, kills)
        sync.wait_equal(60)
