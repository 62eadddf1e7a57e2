# SPDX-License-Identifier: Apache-2.0
"""Another server takes the source's place: followed where its log goes on from ours, and noticed
before anything is sent where it does not."""

import os
import random
import signal
import time

import pytest

from support.compare import Comparison
from support.database import FLAVORS
from support.process import wait_for
from support.sample_shop import numbers
from test_bad_input import refused
from test_crash import Load, prepare
from test_network import FAST

RESET = {"mysql": "RESET BINARY LOGS AND GTIDS", "mariadb": "RESET MASTER"}


class Pair:
    """Two servers, one a replica of the other; file names and ids of servers differ."""

    def __init__(self, flavor, folder):
        kind = FLAVORS[flavor]
        self.flavor = flavor
        strict = {"gtid_strict_mode": "OFF"} if flavor == "mariadb" else {}
        self.servers = [
            kind(os.path.join(folder, f"pair-{flavor}-0"), strict).start(),
            kind(os.path.join(folder, f"pair-{flavor}-1"),
                 {**strict, "server-id": 333, "log-bin": "elsewhere"}).start()]

    def begin(self):
        """Both empty and without a past; the first leads."""
        for server in self.servers:
            if not server.process.alive():
                server.start()
            self.leave(server)
            server.execute(RESET[self.flavor])
            if self.flavor == "mariadb":
                server.execute("SET GLOBAL gtid_slave_pos = ''")
        self.primary, self.replica = self.servers
        self.follow(self.replica, self.primary)

    def follow(self, replica, primary):
        if self.flavor == "mysql":
            replica.execute(
                f"CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={primary.port},"
                " SOURCE_USER='admin', SOURCE_PASSWORD='admin', SOURCE_AUTO_POSITION=1, "
                "SOURCE_SSL=1, SOURCE_CONNECT_RETRY=1", "START REPLICA")
        else:
            replica.execute(
                "SET GLOBAL gtid_slave_pos = @@global.gtid_current_pos",
                f"CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={primary.port}, "
                "MASTER_USER='admin', MASTER_PASSWORD='admin', MASTER_CONNECT_RETRY=1, "
                "MASTER_USE_GTID=slave_pos", "START SLAVE")

    def leave(self, server):
        server.execute(*(["STOP REPLICA", "RESET REPLICA ALL"] if self.flavor == "mysql" else
                         ["STOP SLAVE", "RESET SLAVE ALL"]))

    def pause(self):
        self.replica.execute("STOP REPLICA" if self.flavor == "mysql" else "STOP SLAVE")

    def resume(self):
        self.replica.execute("START REPLICA" if self.flavor == "mysql" else "START SLAVE")

    def catch_up(self):
        """Until the replica has all that the primary has."""
        if self.flavor == "mysql":
            done = self.primary.value("SELECT @@global.gtid_executed").replace("\n", "")
            ask = f"SELECT WAIT_FOR_EXECUTED_GTID_SET('{done}', 30)"
        else:
            done = self.primary.value("SELECT @@global.gtid_binlog_pos")
            ask = f"SELECT MASTER_GTID_WAIT('{done}', 30)"
        assert self.replica.value(ask) == 0, "the replica does not follow"

    def promote(self):
        self.leave(self.replica)
        self.primary, self.replica = self.replica, self.primary

    def remove(self):
        for server in self.servers:
            server.remove()


@pytest.fixture(scope="module")
def pairs(lab_folder):
    made = {}

    def get(flavor):
        if flavor not in made:
            made[flavor] = Pair(flavor, lab_folder)
        return made[flavor]

    yield get
    for pair in made.values():
        pair.remove()


@pytest.fixture
def pair(pairs, flavor):
    pair = pairs(flavor)
    pair.begin()
    return pair


@pytest.fixture
def lab(pair, sync_for, clickhouse, proxy):
    """A database on the pair, and a way to its primary that can be turned."""
    sync = sync_for(pair.primary, clickhouse)
    sync.way = proxy(pair.primary.port)
    sync.pair = pair
    yield sync
    for server in pair.servers:
        if server.process.alive() and server is not sync.source:
            server.execute(f"DROP DATABASE IF EXISTS `{sync.schema}`")


def agent_of(lab, **pipeline):
    return lab.agent(source={"port": lab.way.port, "scan.incremental.snapshot.chunk.size": 50},
                     pipeline={**FAST, **pipeline})


def turn(lab):
    """The replica leads, and the agent's way leads to it."""
    lab.pair.promote()
    lab.source = lab.pair.primary
    lab.comparison = Comparison(lab.source, lab.clickhouse)
    lab.way.target = lab.source.port
    lab.way.drop()


def test_a_replica_is_promoted(lab, full):
    """Under load with schema changes, first while tables are read, then back again."""
    prepare(lab, 20000 if full else 3000)
    agent = agent_of(lab)
    agent.start()
    moments = random.Random(11)
    for number in range(20 if full else 3):
        load = Load(lab, number)
        load.start()
        time.sleep(moments.uniform(0.1, 1.0))
        load.stop()
        lab.pair.catch_up()
        turn(lab)
        lab.pair.follow(lab.pair.replica, lab.pair.primary)
        if number == 1:
            lab.wait_equal()
    load = Load(lab, 99)
    load.start()
    time.sleep(0.5)
    load.stop()
    lab.wait_equal()
    agent.check_alive()


@pytest.mark.parametrize("restarted", [False, True])
def test_promoted_while_reading_and_then_quiet(lab, restarted):
    """The place that was reached in the first log is behind the end of the other, and nothing is
    written any more that would bring the other to it."""
    lab.source.execute(*["FLUSH BINARY LOGS"] * 3)
    prepare(lab, 300)
    lab.pair.catch_up()
    lab.pair.replica.execute("FLUSH BINARY LOGS")
    agent = agent_of(lab)
    with lab.source.connect(database=lab.schema) as holder:
        holder.cursor().execute("LOCK TABLES keyed WRITE")
        agent.start(wait=False)
        agent.wait_log("streaming begins")
        if restarted:
            agent.stop()
        turn(lab)
        if restarted:
            agent.start(wait=False)
        lab.wait_equal(15)
    agent.check_alive()
    assert "the log goes on at another server" in agent.log()


@pytest.mark.parametrize("flavor", ["mariadb"], indirect=True)
def test_what_was_given_is_not_visible_yet_at_the_other_server(lab):
    """Its log has a row that the first one gave, its tables do not: a commit waits for semi-sync in
    between. A chunk that is read there meanwhile would lack the row for ever."""
    prepare(lab, 300)
    lab.pair.catch_up()
    agent, other = agent_of(lab), lab.pair.replica
    visible = f"SELECT COUNT(*) FROM `{lab.schema}`.keyed WHERE v = 4711"
    other.execute(*[f"SET GLOBAL rpl_semi_sync_master_{setting}" for setting in (
        "wait_point = AFTER_SYNC", "wait_no_slave = ON", "timeout = 8000", "enabled = ON")])
    try:
        with lab.source.connect(database=lab.schema) as holder:
            cursor = holder.cursor()
            cursor.execute("LOCK TABLES keyed WRITE")
            agent.start(wait=False)
            agent.wait_log("streaming begins")
            cursor.execute("INSERT INTO keyed (v) VALUES (4711)")
            wait_for(lambda: agent.sink_status()["source_events"] > 0, 10, "the row to be given")
            place = lab.source.value("SELECT @@global.gtid_binlog_pos")
            wait_for(lambda: other.value("SELECT @@global.gtid_binlog_pos") == place, 10,
                     "the other's log to have it", interval=0.02)
            assert other.value(visible) == 0
            lab.source, lab.comparison = other, Comparison(other, lab.clickhouse)
            lab.way.target = other.port
            lab.way.drop()
            agent.wait_log("is not visible yet")
            wait_for(lambda: other.value(visible) == 1, 20, "the row to be visible")
            lab.wait_equal(30)
    finally:
        other.execute("SET GLOBAL rpl_semi_sync_master_enabled = OFF")


def test_a_promoted_server_is_met_at_a_start(lab):
    """Stopped, not killed: nothing is behind the stored position."""
    prepare(lab, 200)
    agent = agent_of(lab).start()
    agent.wait_streaming()
    lab.execute("INSERT INTO keyless VALUES (3)")
    lab.wait_equal()
    agent.stop()
    lab.execute("INSERT INTO keyless VALUES (4), (4)", "UPDATE keyed SET v = 9 WHERE id < 9")
    lab.pair.catch_up()
    turn(lab)
    lab.execute("INSERT INTO keyless VALUES (5)", "DELETE FROM keyed WHERE id = 3")
    agent.start()
    lab.wait_equal()


def ready(lab, **pipeline):
    prepare(lab, 100)
    agent = agent_of(lab, **pipeline).start()
    agent.wait_streaming()
    lab.execute("INSERT INTO keyless VALUES (3)")
    lab.wait_equal()
    lab.pair.catch_up()
    return agent


def follow_lost(lab, agent, pattern):
    """It has ended with one line, and nothing of the new server was sent; then with resync."""
    status = agent.wait_end(30)
    log = agent.log()
    assert status != 0 and "on-lost-position" in log, log
    refused(agent, pattern, "on-lost-position")
    assert lab.value("SELECT count() FROM {db}.keyed FINAL WHERE v = 1234") == "0"
    agent.configuration["pipeline"]["on-lost-position"] = "resync"
    agent.start()
    lab.wait_equal(90)


def test_delivered_transactions_that_the_promoted_server_lacks(lab):
    agent = ready(lab)
    lab.pair.pause()
    lab.execute("INSERT INTO keyed (v) VALUES (77)", "INSERT INTO keyless VALUES (77)")
    lab.wait_equal()
    turn(lab)
    lab.execute("INSERT INTO keyed (v) VALUES (1234), (1234)")
    follow_lost(lab, agent, "lacks|not in the master's binlog|more GTIDs")


def test_a_promoted_server_with_transactions_of_its_own(lab, flavor):
    """It wrote as a replica, in the file of our position or before it, and replicated on."""
    rotated = flavor == "mariadb"
    agent = ready(lab)
    lab.pair.pause()
    lab.pair.replica.execute("UPDATE keyed SET v = 55 WHERE id = 5", database=lab.schema)
    if rotated:
        lab.pair.replica.execute("FLUSH BINARY LOGS")
    lab.pair.resume()
    lab.execute("INSERT INTO keyed (v) VALUES (77)", "UPDATE keyed SET v = 56 WHERE id = 5")
    lab.wait_equal()
    lab.pair.catch_up()
    turn(lab)
    lab.execute("INSERT INTO keyed (v) VALUES (1234), (1234)")
    follow_lost(lab, agent, "transactions of its own")


@pytest.mark.parametrize("flavor", ["mariadb"], indirect=True)
def test_what_was_delivered_behind_the_stored_position(lab):
    """Killed, and then led to another server: nothing tells whether its log is in our order."""
    agent = ready(lab)
    agent.stop()
    lab.execute(f"INSERT INTO keyless SELECT n FROM {numbers(30000)}")
    agent.configuration["sink"]["sink.buffer-flush.max-rows"] = 1000
    agent.environment["MILLRACE_FAULT"] = "kill@delivery.after_done:3"
    agent.start(wait=False)
    assert agent.wait_end(30) == -signal.SIGKILL  # in the middle of the transaction
    del agent.environment["MILLRACE_FAULT"]
    lab.pair.catch_up()
    turn(lab)
    lab.execute("INSERT INTO keyed (v) VALUES (1234), (1234)")
    agent.start(wait=False)
    follow_lost(lab, agent, "behind the stored position")


@pytest.mark.parametrize("flavor", ["mariadb"], indirect=True)
def test_what_is_lost_is_skipped_on_demand(lab):
    agent = ready(lab, **{"on-lost-position": "latest"})
    lab.pair.pause()
    lab.execute("INSERT INTO keyed (v) VALUES (77)")
    lab.wait_equal()
    turn(lab)
    agent.wait_log("latest: what was missed is skipped")
    wait_for(lambda: agent.sink_status()["connected"], 30, "the stream from the log's end")
    lab.execute("INSERT INTO keyed (id, v) VALUES (5000, 1)")
    wait_for(lambda: lab.value("SELECT count() FROM {db}.keyed FINAL WHERE id = 5000") == "1", 30,
             "the new row")


def test_a_log_that_was_reset_and_grew_beyond(lab):
    """The same server: the numbers of transactions and the names of files reach ours again."""
    agent = ready(lab)
    agent.stop()
    lab.pair.leave(lab.pair.replica)
    lab.source.execute(RESET[lab.source.flavor])
    time.sleep(1.1)  # files are told apart by the second in which they were made
    lab.source.execute("FLUSH BINARY LOGS", "FLUSH BINARY LOGS")
    lab.execute(*["UPDATE keyed SET v = v + 1 WHERE id = 3"] * 40)
    lab.execute("INSERT INTO keyed (v) VALUES (1234), (1234)")
    agent.start(wait=False)
    follow_lost(lab, agent, "was reset")
