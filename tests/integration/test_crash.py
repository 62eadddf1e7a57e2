# SPDX-License-Identifier: Apache-2.0
"""kill -9 at any moment: nothing is lost and nothing comes twice."""

import os
import random
import re
import subprocess
import threading
import time

import pytest

from support.agent import ROOT
from support.process import wait_for
from support.sample_shop import numbers

# Steps that this workload never comes to: Kafka's transactions (test_kafka.py), copies of the
# checkpoint and what is done with a damaged one (test_checkpoint.c, test_crash_points.py).
ELSEWHERE = ("kafka.", "copy.", "home.after_adopt", "home.between", "home.before_set_aside",
             "delivery.before_commit", "delivery.before_learn", "delivery.before_change_done")


def fault_points():
    """The names of the fault points in the source of the program, but for those elsewhere."""
    found = set()
    for folder in ("agent", "engine", "schema", "sources", "sinks"):
        for base, _, files in os.walk(os.path.join(ROOT, folder)):
            for name in files:
                if name.endswith(".c"):
                    with open(os.path.join(base, name)) as file:
                        found |= set(re.findall(r'fault_point\("([^"]+)"\)', file.read()))
    return sorted(name for name in found if not name.startswith(ELSEWHERE))


class Load(threading.Thread):
    """Small transactions over a keyed and a keyless table, with a schema change now and then."""

    def __init__(self, sync, seed=1, schema_changes=True):
        super().__init__(daemon=True)
        self.sync, self.random, self.schema_changes = sync, random.Random(seed), schema_changes
        self.ended, self.error = threading.Event(), None
        sync.writers.append(self)

    def run(self):
        try:
            with self.sync.source.connect(database=self.sync.schema) as connection:
                self.write(connection.cursor())
        except Exception as error:
            self.error = error

    def write(self, cursor):
        pick, turn = self.random.randrange, 0
        while not self.ended.is_set():
            turn += 1
            cursor.execute("BEGIN")
            cursor.execute("INSERT INTO keyed (v) VALUES (%s), (%s)", (pick(99), pick(99)))
            cursor.execute("UPDATE keyed SET v = v + 1 WHERE MOD(id, 7) = %s LIMIT 20", (pick(7),))
            cursor.execute("DELETE FROM keyed WHERE v > 90 AND MOD(id, 3) = 0 LIMIT 2")
            cursor.execute("INSERT INTO keyless (v) VALUES (%s), (%s)", (pick(9), pick(9)))
            cursor.execute("UPDATE keyless SET v = v + 1 WHERE v = %s LIMIT 3", (pick(9),))
            cursor.execute("DELETE FROM keyless WHERE v = %s LIMIT 1", (pick(9),))
            cursor.execute("COMMIT")
            if self.schema_changes and turn % 150 == 0:
                cursor.execute(f"ALTER TABLE keyed ADD COLUMN c{turn} INT DEFAULT {turn}")
                cursor.execute(f"ALTER TABLE keyless ADD COLUMN c{turn} INT DEFAULT {turn}")
                if turn % 300 == 0:
                    cursor.execute(f"ALTER TABLE keyed DROP COLUMN c{turn - 150}")
                    cursor.execute(f"CREATE TABLE t{turn} AS SELECT * FROM keyless LIMIT 5")
            time.sleep(0.002)

    def stop(self):
        self.ended.set()
        self.join(60)
        if self.error:
            raise self.error


def prepare(sync, rows=3000):
    sync.execute("CREATE TABLE keyed (id INT AUTO_INCREMENT PRIMARY KEY, v INT)",
                 f"INSERT INTO keyed (v) SELECT n % 80 FROM {numbers(rows)}",
                 "CREATE TABLE keyless (v INT)",
                 f"INSERT INTO keyless SELECT n % 9 FROM {numbers(rows)}")


def test_killed_at_random_moments(sync, full):
    """Under load with schema changes; ClickHouse and the source stay up."""
    kills = 50 if full else 8
    prepare(sync)
    agent = sync.agent(source={"scan.incremental.snapshot.chunk.size": 300})
    load = Load(sync)
    load.start()
    moments = random.Random(7)
    for _ in range(kills):
        agent.start(wait=False)
        time.sleep(moments.uniform(0.05, 1.2))
        agent.kill()
    load.stop()
    agent.start()
    sync.wait_equal(120)


def test_killed_while_a_text_key_is_read(sync):
    """Only the database can order its keys, so changes of delivered rows wait for the next
    chunk."""
    rows, ended = 20000, threading.Event()
    sync.execute("CREATE TABLE t (k VARCHAR(20) PRIMARY KEY, v INT)",
                 f"INSERT INTO t SELECT CONCAT('Key ', LPAD(n, 6, '0')), 0 FROM {numbers(rows)}")
    agent = sync.agent(source={"scan.incremental.snapshot.chunk.size": 50},
                       pipeline={"snapshot.parallelism": 1})
    agent.environment["MILLRACE_FAULT"] = "kill@delivery.after_write:60"

    def change():
        with sync.source.connect(database=sync.schema) as connection:
            cursor, pick = connection.cursor(), random.Random(5)
            while not ended.wait(0.001):
                cursor.execute("UPDATE t SET v = v + 1 WHERE k = %s",
                               (f"Key {pick.randint(1, rows):06}",))

    writer = threading.Thread(target=change, daemon=True)
    writer.start()
    try:
        for _ in range(3):
            agent.start(wait=False)
            agent.process.child.wait(60)
    finally:
        ended.set()
        writer.join(30)
    del agent.environment["MILLRACE_FAULT"]
    agent.start()
    sync.wait_equal()


@pytest.mark.parametrize("flavor", ["mariadb"], indirect=True)
@pytest.mark.parametrize("point", fault_points())
def test_killed_at_each_durable_step(sync, point):
    """The program ends itself at a named point, early and late; then it goes on."""
    prepare(sync, 300)
    agent = sync.agent()
    reached = False
    for turn in (1, 2, 5):
        agent.environment["MILLRACE_FAULT"] = f"kill@{point}:{turn}"
        agent.start(wait=False)
        sync.execute("INSERT INTO keyed (v) VALUES (1)", "INSERT INTO keyless VALUES (1), (1)",
                     "UPDATE keyless SET v = 3 WHERE v = 2 LIMIT 4",
                     f"ALTER TABLE keyed ADD COLUMN c{turn} INT", "DELETE FROM keyed LIMIT 3")
        try:
            agent.process.child.wait(6)
            reached = True
        except subprocess.TimeoutExpired:
            agent.kill()
    # A step of recovery is met only where there is something to recover.
    if not reached and "resolve" not in point:
        pytest.fail(f"{point} was never met")
    del agent.environment["MILLRACE_FAULT"]
    agent.start()
    sync.execute("INSERT INTO keyless VALUES (7)")
    sync.wait_equal(60)


def test_everything_is_killed(own_server, own_clickhouse, sync_for, flavor, full):
    """The agent, the source and ClickHouse by turns, each with kill -9."""
    server = own_server(flavor, sync_binlog=1, innodb_flush_log_at_trx_commit=1)
    sync = sync_for(server, own_clickhouse)
    prepare(sync, 500)
    agent = sync.agent(pipeline={"restart-strategy.exponential-delay.initial-backoff": "50ms",
                                 "restart-strategy.exponential-delay.max-backoff": "500ms"})
    agent.start().wait_streaming()
    for turn in range(6 if full else 2):
        for victim in ("agent", "clickhouse", "source"):
            load = Load(sync, turn, schema_changes=False)
            load.start()
            time.sleep(0.3)
            if victim == "source":
                load.stop()
                server.kill()
                server.start()
            elif victim == "clickhouse":
                own_clickhouse.kill()
                time.sleep(0.2)
                own_clickhouse.start()
            else:
                agent.kill()
                agent.start()
            if victim != "source":
                load.stop()
    sync.wait_equal(120)


def test_a_second_agent_is_refused(maria):
    """Two agents on one checkpoint would both write: the second says which process has it."""
    prepare(maria, 10)
    agent = maria.agent().start()
    agent.wait_streaming()
    second = maria.agent(pipeline={"checkpoint.directory":
                                   agent.configuration["pipeline"]["checkpoint.directory"]})
    second.start(wait=False)
    status = second.wait_end()
    maria.agents.remove(second)
    assert status == 2, second.log(10)
    assert str(agent.process.pid) in second.log(), second.log(10)


def test_two_interrupts_end_it_at_once(maria):
    prepare(maria, 10)
    agent = maria.agent().start()
    agent.wait_streaming()
    import signal
    status = agent.process.stop(30, signal.SIGINT)
    assert status == 0, agent.log(10)
    agent.process = None


def test_a_checkpoint_of_another_source_is_refused(maria, servers):
    prepare(maria, 10)
    agent = maria.agent().start()
    agent.wait_streaming()
    agent.stop()
    other = servers.get("mysql")
    agent.configuration["source"].update(type="mysql", port=other.port)
    agent.start(wait=False)
    assert agent.wait_end() == 2, agent.log(10)
    assert "checkpoint" in agent.log(5), agent.log(5)


def test_a_damaged_checkpoint_falls_back_to_its_copy(maria):
    """The copy of a clean end is older than the target: nothing is lost, and nothing comes
    twice."""
    prepare(maria, 100)
    agent = maria.agent().start()
    agent.wait_streaming()
    agent.stop()
    agent.start()
    maria.execute("INSERT INTO keyless VALUES (41), (41)", "INSERT INTO keyed (v) VALUES (41)",
                  "UPDATE keyless SET v = 42 WHERE v = 3 LIMIT 2",
                  "ALTER TABLE keyless ADD COLUMN w INT DEFAULT 4", "TRUNCATE TABLE keyed",
                  "INSERT INTO keyed (v) VALUES (43)")
    maria.wait_equal()
    agent.kill()
    folder = agent.configuration["pipeline"]["checkpoint.directory"]
    damaged = 0
    for base, _, files in os.walk(folder):
        for name in files:
            if name.endswith((".log", ".sst")) or name.startswith("MANIFEST"):
                with open(os.path.join(base, name), "r+b") as file:
                    data = bytearray(file.read())
                    for i in range(len(data) // 3, len(data) // 3 * 2):
                        data[i] ^= 0x5a
                    file.seek(0)
                    file.write(data)
                    damaged += len(data) > 0
    assert damaged
    maria.execute("INSERT INTO keyless VALUES (44, 1)")
    agent.start()
    maria.wait_equal()
    agent.wait_log("is damaged .* going on from its copy", 5)


def test_a_damaged_checkpoint_without_a_copy_is_refused(maria):
    """One line that says what to do; and nothing is made up, however often it is tried."""
    prepare(maria, 10)
    agent = maria.agent().start()
    agent.wait_streaming()
    agent.kill()
    folder = agent.configuration["pipeline"]["checkpoint.directory"]
    [current] = [os.path.join(base, "CURRENT") for base, _, files in os.walk(folder)
                 if "CURRENT" in files]
    os.unlink(current)
    for _ in range(2):
        agent.start(wait=False)
        status = agent.wait_end()
        assert status == 2, agent.log(10)
        assert "--from-savepoint" in agent.log(1), agent.log(5)
