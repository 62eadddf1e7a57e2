# SPDX-License-Identifier: Apache-2.0
"""Several databases of one PostgreSQL server in one process: a pipeline, a slot and a checkpoint
each."""

import os
import time

import pytest

from support.process import wait_for
from test_postgres import fill, start_changers, stop_changers

ROWS = "INSERT INTO t SELECT n, 'v' || n FROM generate_series(1, 100) n"


class Two:
    """Two databases of a server, and agents for both. `other` has a capital and a dash in its
    name: no slot can be called so."""

    def __init__(self, pg, make):
        self.pg, self.other = pg, make(pg)
        for lab in (self.pg, self.other):
            lab.execute("CREATE TABLE t (id int PRIMARY KEY, v text)", ROWS)

    def agent(self, names=None, **more):
        names = names or [self.pg.schema, self.other.schema]
        source = {"slot.name": "two", "databases": names,
                  "tables": ",".join(rf"{name}.\.*.\.*" for name in names),
                  **more.pop("source", {})}
        agent = self.pg.agent(source=source, **more)
        self.other.agents = self.pg.agents
        return agent

    def wait_equal(self):
        self.pg.wait_equal()
        self.other.wait_equal()

    def slots(self):
        return sorted(name for (name,) in self.pg.source.query(
            "SELECT slot_name FROM pg_replication_slots WHERE database IN "
            f"('{self.pg.schema}', '{self.other.schema}')"))


@pytest.fixture
def two(pg):
    from conftest import PostgresSync
    made = []

    def make(first):
        name = f"{first.schema}-B"
        first.source.execute(f'CREATE DATABASE "{name}" OWNER millrace')
        first.source.execute(f'CREATE SCHEMA "{name}" AUTHORIZATION millrace', database=name)
        made.append(Quoted(first.source, first.clickhouse, name, first.folder))
        return made[0]

    class Quoted(PostgresSync):
        def connect(self):
            connection = self.source.connect(self.schema)
            with connection.cursor() as cursor:
                cursor.execute(f'SET search_path = "{self.schema}"')
                cursor.execute("SET ROLE millrace")
            return connection

    yield Two(pg, make)
    for agent in pg.agents:
        agent.stop()
    pg.agents.clear()
    for lab in made:
        lab.agents = []
        lab.end()


def names(agent):
    return [sink["name"] for sink in agent.status()["sinks"]]


def test_two_databases_in_one_process(two):
    agent = two.agent()
    status, text = agent.command("check")
    assert status == 0, text
    assert f"source '{two.pg.schema}': " in text and f"source '{two.other.schema}': " in text
    agent.start().wait_streaming()
    two.wait_equal()
    plain, other = two.slots()
    assert plain == f"two_{two.pg.schema}" and other.startswith(f"two_{two.pg.schema}_b_")
    for lab in (two.pg, two.other):
        lab.execute("UPDATE t SET v = 'x' WHERE id < 10", "DELETE FROM t WHERE id > 90",
                    "CREATE TABLE late (id int PRIMARY KEY)", "INSERT INTO late VALUES (1)")
    agent.kill()
    agent.start().wait_streaming()
    two.wait_equal()
    assert names(agent) == [f"clickhouse@{two.pg.schema}", f"clickhouse@{two.other.schema}"]
    sinks = {key.split('sink="')[1].split('"')[0] for key in agent.metrics() if 'sink="' in key}
    assert sinks == set(names(agent))
    for command in ("status", "tables"):
        status, text = agent.command(command)
        assert status == 0 and two.other.schema in text, text
    agent.stop()
    state = os.path.join(agent.folder, "state")
    status, text = agent.command("checkpoint export", state)
    assert status == 0, text
    status, text = agent.command("checkpoint import", state, "--force")
    assert status == 0 and text.count("imported into") == 2, text
    status, text = agent.command("checkpoint show")
    assert status == 0 and all(f"sink {sink}" in text for sink in [
        f"clickhouse@{two.pg.schema}", f"clickhouse@{two.other.schema}"]), text
    status, text = agent.command("savepoint", os.path.join(agent.folder, "save"))
    assert status == 0, text
    two.other.execute("INSERT INTO t VALUES (500, 'later')")
    agent.start(arguments=["--from-savepoint", os.path.join(agent.folder, "save")])
    agent.wait_streaming()
    two.wait_equal()


def test_killed_under_load(two, full):
    """Both databases under writers: each row once in both, whatever was cut."""
    for lab in (two.pg, two.other):
        fill(lab, 2000)
    agent = two.agent().start()
    agent.wait_streaming(60)
    changers = [start_changers(lab, 2, 2000) for lab in (two.pg, two.other)]
    for run in range(20 if full else 4):
        time.sleep(0.3 + run % 5 * 0.2)
        agent.kill()
        agent.start(wait=False)
    for some in changers:
        stop_changers(some)
    for lab in (two.pg, two.other):
        lab.wait_equal(120)
    assert "SAME_ID" not in agent.log(), "labels of two pipelines are two"


def test_the_trouble_of_one_database_is_its_own(two):
    agent = two.agent().start()
    agent.wait_streaming()
    two.wait_equal()
    agent.stop()
    two.other.source.execute(f'ALTER DATABASE "{two.other.schema}" RENAME TO gone_{os.getpid()}')
    try:
        agent.start()
        two.pg.execute("INSERT INTO t VALUES (1000, 'goes on')")
        two.pg.wait_equal()
        agent.wait_log(f"sink=clickhouse@{two.other.schema}")
    finally:
        agent.kill()
        two.other.source.execute(f'ALTER DATABASE gone_{os.getpid()} RENAME TO '
                                 f'"{two.other.schema}"')


def test_a_target_is_of_one_database(two):
    """The first to have it keeps it, after restarts too, and nothing is done to its rows."""
    route = [{"source-table": r"\.*.\.*.t", "sink-table": f"{two.pg.schema}.shared"}]
    agent = two.agent([two.pg.schema], route=route).start()
    agent.wait_streaming()
    two.pg.execute("UPDATE t SET v = 'of the first'")
    agent.stop()
    two.other.execute("CREATE TABLE fine (id int PRIMARY KEY)", "INSERT INTO fine VALUES (1)")
    # The other comes first in the list.
    source = agent.configuration["source"]
    source["databases"] = [two.other.schema, two.pg.schema]
    source["tables"] = ",".join(rf"{name}.\.*.\.*" for name in source["databases"])
    count = f"SELECT count(), countIf(v = 'of the first') FROM {two.pg.schema}.shared FINAL"
    for _ in range(2):
        agent.start()
        wait_for(lambda: "parked" in [table["state"] for table in
                                      agent.status()["sinks"][0]["tables"]], 30, "a parked table")
        two.other.execute("INSERT INTO t SELECT max(id) + 1 FROM t", "ALTER TABLE t ADD n int",
                          "TRUNCATE t", "ALTER TABLE t DROP n")
        two.other.execute("INSERT INTO t VALUES (7, 'of the other')")
        two.other.wait_equal(tables=["fine"])
        assert [int(cell) for cell in two.pg.clickhouse.rows(count)[0]] == [100, 100]
        assert f"its target is filled from database '{two.pg.schema}' already" in agent.log()
        agent.stop()


def test_a_route_keeps_databases_apart(two):
    two.other.execute("DROP TABLE t", f'CREATE SCHEMA {two.pg.schema}',
                      f"CREATE TABLE {two.pg.schema}.t AS SELECT 5 id",
                      f"ALTER TABLE {two.pg.schema}.t ADD PRIMARY KEY (id)")
    route = [{"source-table": rf"{two.other.schema}.(\.*).(\.*)",
              "sink-table": f"{two.pg.schema}.b_$1_$2"}]
    two.agent(route=route).start().wait_streaming()
    two.pg.wait_equal(tables=["t"])
    found = f"SELECT groupArray(id) FROM {two.pg.schema}.b_{two.pg.schema}_t"
    wait_for(lambda: two.pg.value_or_none(found) == "[5]", 30, "the other's table beside it")


def test_a_database_more_and_one_less(two):
    agent = two.agent([two.pg.schema]).start()
    agent.wait_streaming()
    agent.stop()
    slots = two.slots()
    two.pg.execute("INSERT INTO t VALUES (1000, 'meanwhile')")
    both = [two.pg.schema, two.other.schema]
    agent.configuration["source"].update(
        databases=both, tables=",".join(rf"{name}.\.*.\.*" for name in both))
    after = len(agent.log())
    agent.start().wait_streaming()
    two.wait_equal()
    assert "not read any more" not in agent.log()[after:]
    assert set(slots) < set(two.slots())
    agent.stop()
    agent.configuration["source"].update(databases=[two.other.schema],
                                         tables=rf"{two.other.schema}.\.*.\.*")
    status, text = agent.command("check")
    assert status == 0 and f"SELECT pg_drop_replication_slot('{slots[0]}')" in text, text
    agent.start().wait_streaming()
    assert f"pg_drop_replication_slot('{slots[0]}')" in agent.log()[after:]


def test_a_backfill_of_a_table_of_one_database(two):
    agent = two.agent()
    status, text = agent.command("backfill", "--table", rf"{two.pg.schema}.{two.pg.schema}.t")
    assert status == 0, text
    two.pg.wait_equal()
    assert two.slots() == []
    assert not two.other.clickhouse.tables(two.other.schema)
    status, text = agent.command("backfill", "--table", "elsewhere.x.t")
    assert status == 2 and "of a database that 'databases' does not name" in text


@pytest.mark.parametrize("change, words", [
    ({"databases": ["a", "a"]}, "databases: 'a' stands there twice"),
    ({"databases": ["a", "b", ""]}, "databases: a name is empty"),
    ({"databases": ["a", "c"]}, "no pattern of 'tables' is for 'c'"),
    ({"databases": ["a"]}, "'b.public.x' is of a database that 'databases' does not name"),
    ({"databases": ["a", "b"], "database": "a"}, "write either 'database' or 'databases'"),
    ({}, r"list them, as in databases: [a, b]"),
    ({"databases": ["a", "b"], "slot.name": "s" * 63}, "give a shorter one"),
])
def test_what_does_not_fit(pg, change, words):
    agent = pg.agent(source={"tables": "a.public.x, b.public.x", **change})
    status, text = agent.command("check")
    assert status == 2 and words in text, text


@pytest.mark.parametrize("sinks, databases, words", [
    (("x", "x_y"), ["y_z", "z"], "'s_x_y_z' would be the slot of 'x@y_z' and of 'x_y@z'"),
    (("A", "a"), ["d"], "'s_a_d' would be the slot of 'A@d' and of 'a@d'"),
])
def test_two_readers_of_one_slot(pg, sinks, databases, words):
    agent = pg.agent(source={"tables": r"\.*.public.x", "databases": databases, "slot.name": "s"})
    del agent.configuration["sink"]
    agent.configuration["sinks"] = [{"type": "blackhole", "name": name} for name in sinks]
    status, text = agent.command("check")
    assert status == 2 and words in text, text


def test_the_budget_is_shared(pg):
    many = [f"d{n}" for n in range(9)]
    agent = pg.agent(source={"databases": many, "tables": r"d\d.public.x"},
                     pipeline={"memory.budget": "64mb"})
    status, text = agent.command("check")
    assert status == 2 and "memory.budget: 9 databases share it: give at least 72mb" in text, text
