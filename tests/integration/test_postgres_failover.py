# SPDX-License-Identifier: Apache-2.0
"""A streaming standby of PostgreSQL is promoted: its log goes on from ours, with a slot that it
kept up with, or that is noticed before anything is sent."""

import shutil
import time

import pytest

from support.compare_postgres import PostgresComparison, PostgresDatabase
from support.postgres import POSTGRES, PostgreSQL
from support.process import wait_for
from test_network import FAST
from test_postgres import start_changers, stop_changers, fill

SLOTS = {"synchronized_standby_slots": "standby"}
FOLLOWER = {"synchronized_standby_slots": "", "primary_slot_name": "standby",
            "sync_replication_slots": "on", "hot_standby_feedback": "on"}


class Pair:
    def __init__(self, version, folder):
        self.primary = POSTGRES[version](folder).start()
        self.primary.execute("SELECT pg_create_physical_replication_slot('standby')")
        self.slots = version != "postgres15"
        if self.slots:
            self.primary.restart(**SLOTS)
        self.standby = self.primary.make_standby(FOLLOWER if self.slots else
                                                 {"primary_slot_name": "standby"})

    def catch_up(self):
        end = self.primary.value("SELECT pg_current_wal_flush_lsn()")
        wait_for(lambda: self.standby.value(f"SELECT pg_last_wal_replay_lsn() >= '{end}'"), 30,
                 "the standby to follow")

    def remove(self):
        self.primary.remove()
        self.standby.remove()


@pytest.fixture
def pair_of(lab_folder):
    made = []

    def make(version):
        made.append(Pair(version, lab_folder))
        return made[-1]

    yield make
    for pair in made:
        pair.remove()


def lab_of(pair, pg_for, proxy, **options):
    """A database on the pair with an agent, whose way to the primary can be turned."""
    pg = pg_for(server=pair.primary)
    pg.pair, pg.way = pair, proxy(pair.primary.port)
    pg.lab = pg.agent(source={"port": pg.way.port, **options}, pipeline=FAST)
    return pg


def turn(pg):
    """The primary dies, the standby leads, and the agent's way leads to it."""
    pg.pair.primary.kill()
    pg.pair.standby.promote()
    pg.source = pg.pair.standby
    pg.comparison = PostgresComparison(PostgresDatabase(pg.source, pg.schema), pg.clickhouse)
    pg.way.target = pg.source.port
    pg.way.drop()


def follow_lost(pg, pattern):
    """It has ended with one line, and nothing of the new server was sent; then with resync."""
    assert pg.lab.wait_end(60) == 2
    last = [line for line in pg.lab.log().splitlines() if line.strip()][-1]
    assert pattern in last and "on-lost-position" in last, pg.lab.log(10)
    assert pg.value("SELECT count() FROM {db}.t FINAL WHERE v = 1234") == "0"
    pg.lab.configuration["pipeline"]["on-lost-position"] = "resync"
    pg.lab.start()
    pg.wait_equal(90)


def begin(pg):
    pg.execute("CREATE TABLE t (id int PRIMARY KEY, v int)",
               "INSERT INTO t SELECT n, n FROM generate_series(1, 500) n")
    pg.lab.start().wait_streaming()
    pg.execute("UPDATE t SET v = 7 WHERE id < 10")
    pg.wait_equal()


@pytest.mark.parametrize("version", ["postgres17", "postgres18"])
def test_a_slot_that_the_standby_kept_up_with(pair_of, pg_for, proxy, version):
    """Under load; each row once, in order, across the change of servers."""
    pg = lab_of(pair_of(version), pg_for, proxy, **{"slot.failover": "true"})
    fill(pg, 5000)
    pg.lab.start().wait_streaming()
    pg.pair.primary.execute("SELECT pg_log_standby_snapshot()")
    wait_for(lambda: pg.pair.standby.value(
        "SELECT count(*) FROM pg_replication_slots WHERE synced AND NOT temporary AND "
        f"slot_name = '{pg.schema}'") == 1, 60, "the slot on the standby")
    changers = start_changers(pg, 3, 5000, lost=True)
    time.sleep(2)
    turn(pg)
    time.sleep(2)
    stop_changers(changers)
    pg.execute("INSERT INTO plain VALUES (99, 'last')")
    pg.wait_equal(90)
    pg.lab.check_alive()
    assert "the log goes on at another server: timeline 2" in pg.lab.log()
    pg.lab.stop()
    pg.execute("INSERT INTO plain VALUES (100, 'last')", "DELETE FROM big WHERE id < 50")
    pg.lab.start()  # the position is one of the new timeline now
    pg.wait_equal(90)


def test_a_standby_without_the_slot(pair_of, pg_for, proxy):
    pg = lab_of(pair_of("postgres15"), pg_for, proxy)
    begin(pg)
    pg.pair.catch_up()
    turn(pg)
    pg.execute("INSERT INTO t VALUES (1001, 1234)", "DELETE FROM t WHERE id = 5")
    follow_lost(pg, f"the slot '{pg.schema}' is gone")


def test_delivered_rows_that_the_promoted_standby_lacks(pair_of, pg_for, proxy):
    """A slot of that name was made there, and the server would answer as if nothing had been."""
    pg = lab_of(pair_of("postgres15"), pg_for, proxy)
    begin(pg)
    pg.pair.catch_up()
    pg.pair.standby.stop()
    pg.execute("INSERT INTO t VALUES (1000, 77)", "UPDATE t SET v = 78 WHERE id = 3")
    pg.wait_equal()
    pg.lab.stop()
    pg.pair.primary.kill()
    pg.pair.standby.start()
    turn(pg)
    pg.source.execute(f"SELECT pg_create_logical_replication_slot('{pg.schema}', 'pgoutput')",
                      database=pg.schema)
    pg.execute("INSERT INTO t VALUES (1001, 1234)", "DELETE FROM t WHERE id = 5")
    pg.lab.start(wait=False)
    follow_lost(pg, "the server was promoted at")


def test_an_older_copy_of_the_server(pg_for, lab_folder):
    """Its log ends before what was delivered, and would go on over it with other rows."""
    server = PostgreSQL(lab_folder, {"fsync": "on"}).start()
    copy = server.folder + "-copy"
    try:
        pg = pg_for(server=server)
        pg.execute("CREATE TABLE t (id int PRIMARY KEY, v int)",
                   "INSERT INTO t SELECT n, n FROM generate_series(1, 500) n")
        pg.lab = pg.agent().start()
        pg.lab.wait_streaming()
        pg.wait_equal()
        server.stop()
        shutil.copytree(server.folder, copy)
        server.start()
        pg.execute("INSERT INTO t SELECT n, n FROM generate_series(501, 20000) n",
                   "UPDATE t SET v = 1")
        pg.wait_equal(60)
        pg.lab.stop()
        server.stop()
        server.restore(copy)
        server.start()
        pg.execute("INSERT INTO t VALUES (30000, 1234)")
        pg.lab.start(wait=False)
        follow_lost(pg, "an older copy of the server was restored")
    finally:
        for agent in pg.agents:
            agent.stop()
        server.remove()
        shutil.rmtree(copy, ignore_errors=True)


@pytest.mark.parametrize("version", ["postgres17", "postgres18"])
def test_a_standby_as_the_source(pair_of, pg_for, version):
    """The primary is left alone: snapshot and log come from the standby, through restarts."""
    pair = pair_of(version)
    pg = pg_for(server=pair.primary)
    fill(pg, 5000)
    pair.primary.execute(
        f"CREATE PUBLICATION by_hand FOR TABLE {pg.schema}.big, {pg.schema}.plain, "
        f"{pg.schema}.parts WITH (publish_via_partition_root = true)", database=pg.schema)
    pair.catch_up()
    agent = pg.agent(source={"port": pair.standby.port, "publication.name": "by_hand"})
    status, text = agent.command("check")
    assert status == 0, text
    agent.start(wait=False)

    def streams():  # a slot on a standby waits for the primary to say what runs there
        pair.primary.execute("SELECT pg_log_standby_snapshot()")
        agent.check_alive()
        return "streaming begins" in agent.log()

    wait_for(streams, 60, "the slot on the standby", interval=0.5)
    changers = start_changers(pg, 3, 5000)
    for _ in range(3):
        time.sleep(1)
        agent.kill()
        agent.start(wait=False)
    stop_changers(changers)
    pg.wait_equal(120, tables=["big", "plain", "parts"])
    assert pair.primary.value("SELECT count(*) FROM pg_replication_slots WHERE slot_type = "
                              "'logical'") == 0
