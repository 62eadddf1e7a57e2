# SPDX-License-Identifier: Apache-2.0
"""What the rows of PostgreSQL from before a new column hold: no event of the log tells it, and the
default that the catalog shows may be another one by the time that it is looked up."""

import pytest

from test_postgres import DECLARED, types_of

SOME = "UPDATE t SET id = -id WHERE id % 10 = 3"
# name: (statements, is the table read again where the catalog is ahead of the log?)
CHANGES = {
    "default that goes": (("ALTER TABLE t ADD a int DEFAULT 21",
                           "ALTER TABLE t ALTER a DROP DEFAULT", SOME), False),
    "default of a migration": (("ALTER TABLE t ADD a text DEFAULT 'it''s' NOT NULL",
                                "ALTER TABLE t ALTER a DROP DEFAULT", "UPDATE t SET a = 'x' "
                                "WHERE id % 10 = 3"), False),
    "default that changes": (("ALTER TABLE t ADD a numeric(8,2) DEFAULT 1.50",
                              "ALTER TABLE t ALTER a SET DEFAULT 3", SOME), False),
    "default that comes later": (("ALTER TABLE t ADD a int", "ALTER TABLE t ALTER a SET DEFAULT 5",
                                  SOME), True),
    "default of the day": (("ALTER TABLE t ADD a date DEFAULT current_date",
                            "ALTER TABLE t ADD b boolean DEFAULT true", SOME), False),
    "default of each row": (("ALTER TABLE t ADD a float8 DEFAULT random()",
                             "ALTER TABLE t ALTER a DROP DEFAULT", SOME), True),
    "default of a domain": (("ALTER TABLE t ADD a preset", SOME), None),
    "default of a domain with a check": (("ALTER TABLE t ADD a checked", SOME), True),
    "column made anew": (("ALTER TABLE t DROP c", "ALTER TABLE t ADD c int", SOME), True),
    "column made anew behind others": (("ALTER TABLE t ADD a int", "ALTER TABLE t DROP c",
                                        "ALTER TABLE t ADD c int DEFAULT 4", SOME), True),
    "column made twice": (("ALTER TABLE t ADD a int DEFAULT 1",
                           "UPDATE t SET a = 7 WHERE id % 10 = 4", "ALTER TABLE t DROP a",
                           "ALTER TABLE t ADD a int DEFAULT 2",
                           "UPDATE t SET last = 0 WHERE id % 10 = 5"), True),
    "columns that come one by one": (("ALTER TABLE t ADD a int DEFAULT 1", SOME,
                                      "ALTER TABLE t ADD b int DEFAULT 2", "DELETE FROM t "
                                      "WHERE id = 1"), False),
    "last column replaced": (("ALTER TABLE t DROP last", SOME, "ALTER TABLE t ADD a int DEFAULT 8",
                              "DELETE FROM t WHERE id = 1"), None),
}


@pytest.mark.parametrize("detection", ["infer", "trigger"])
@pytest.mark.parametrize("when", ["running", "stopped"])
def test_rows_from_before(pg, when, detection):
    tables = {name: name.replace(" ", "_") for name in CHANGES}
    pg.execute("CREATE DOMAIN preset AS int DEFAULT 5",
               "CREATE DOMAIN checked AS int DEFAULT 6 CHECK (value > 0)",
               *(statement for table in tables.values() for statement in (
                   f"CREATE TABLE {table} (id int PRIMARY KEY, c int, last int)",
                   f"INSERT INTO {table} SELECT n, n, n FROM generate_series(1, 100) n")))
    if detection == "trigger":
        pg.source.execute("ALTER ROLE millrace SUPERUSER")
    try:
        agent = pg.agent(source={"schema-change.detection": detection}).start()
        agent.wait_streaming()
        if when == "stopped":
            agent.stop()
        for name, (statements, _) in CHANGES.items():
            for statement in (*statements, "DELETE FROM t WHERE id = 100"):
                pg.execute(statement.replace(" t ", f" {tables[name]} "))
        if when == "stopped":
            agent.start()
        pg.wait_equal()
    finally:
        pg.source.execute("ALTER ROLE millrace NOSUPERUSER")
    for name, (_, reads) in CHANGES.items():
        if when == "stopped" and reads is not None:
            again = f"'{pg.schema}.{tables[name]}' is read again"
            assert (again in agent.log()) == reads, name
    for table in tables.values():
        pg.execute(f"ALTER TABLE {table} ADD z int DEFAULT 9",
                   f"DELETE FROM {table} WHERE id = 20")
    pg.wait_equal()


def test_a_partitioned_table(pg):
    pg.execute("CREATE TABLE t (id int, day int, PRIMARY KEY (id, day)) PARTITION BY LIST (day)",
               *(f"CREATE TABLE t_{day} PARTITION OF t FOR VALUES IN ({day})" for day in (1, 2)),
               "INSERT INTO t SELECT n, 1 + n % 2 FROM generate_series(1, 100) n")
    agent = pg.agent().start()
    agent.wait_streaming()
    agent.stop()
    pg.execute("ALTER TABLE t ADD a int DEFAULT 21 NOT NULL", "ALTER TABLE t ALTER a DROP DEFAULT",
               "ALTER TABLE t ADD b text DEFAULT 'b'", "DELETE FROM t WHERE id = 7")
    agent.start()
    pg.wait_equal()
    assert "is read again" not in agent.log()


def test_defaults_of_every_type(pg):
    """Those that the target cannot be told as a constant are read."""
    types = types_of(pg.source)
    pg.execute(*DECLARED, *(statement for name in types for statement in (
        f"CREATE TABLE t_{name} (id int PRIMARY KEY)", f"INSERT INTO t_{name} VALUES (1), (2)")))
    pg.agent().start().wait_streaming()
    for name, (kind, values, _) in types.items():
        value = next((value for value in values if "generate_series" not in value), "NULL")
        pg.execute(f"ALTER TABLE t_{name} ADD v {kind} DEFAULT {value}",
                   f"ALTER TABLE t_{name} ADD w {kind} DEFAULT {value}",
                   f"ALTER TABLE t_{name} ALTER w DROP DEFAULT", f"DELETE FROM t_{name} "
                   "WHERE id = 1")
    pg.wait_equal()
