# SPDX-License-Identifier: Apache-2.0
"""Every durable step is a crash point: the agent kills itself at each, one by one, and goes on.

The steps are counted by the fault points (engine/base/fault.h): each write of the checkpoint before
and after, each request to the sink and its answer, each table made ready, each schema change, each
position confirmed. A workload is run once to count its steps, then once for each step N with
`kill@N`; the next start must end with the sink equal to the source. Then starts that are killed one
after the other, so that what a crash left is met by the next.

MILLRACE_CRASH_SECONDS bounds each test (150 unless --full, which has no bound).
"""

import os
import random
import re
import signal
import subprocess
import time

import pytest

from support.agent import RELEASE_BINARY
from support.sample_shop import numbers

FAST = {"sink.buffer-flush.interval": "20ms"}
SETTINGS = {"checkpoint.interval": "20ms", "log.level": "warn",
            "restart-strategy.exponential-delay.initial-backoff": "50ms"}


class Lab:
    """Tables of all kinds in one database, an agent for them, and changes in numbered rounds."""

    def __init__(self, sync, parallelism=1):
        self.sync = sync
        self.agent = sync.agent(
            source={"scan.incremental.snapshot.chunk.size": 40},
            sink={**FAST, "sink.parallelism": parallelism}, pipeline=SETTINGS,
            binary=RELEASE_BINARY)
        self.round = 10

    def create(self):
        self.sync.execute(
            "CREATE TABLE keyed (id INT AUTO_INCREMENT PRIMARY KEY, v INT, s VARCHAR(20))",
            f"INSERT INTO keyed (v, s) SELECT n, 'row' FROM {numbers(120)}",
            "CREATE TABLE keyless (v INT, s VARCHAR(20))",
            f"INSERT INTO keyless SELECT n % 5, 'row' FROM {numbers(30)}",
            "CREATE TABLE emptied (id INT PRIMARY KEY, v INT)",
            "INSERT INTO emptied VALUES (1, 1), (2, 2)",
            "CREATE TABLE heap (v INT)", "INSERT INTO heap VALUES (1), (1), (2)")

    def change(self):
        """Rows of every kind, and schema changes that would hurt when they came twice.
        ALGORITHM=COPY gives back what columns that were dropped in an instant still take of
        InnoDB's largest row."""
        self.round += 1
        turn = self.round
        self.sync.execute(
            "INSERT INTO keyed (v, s) VALUES (1, 'new'), (2, 'new')",
            "UPDATE keyed SET v = v + 1 ORDER BY id LIMIT 5",
            "INSERT INTO keyless (v, s) VALUES (7, 'new'), (7, 'new')",
            f"ALTER TABLE keyed ADD COLUMN a{turn} INT DEFAULT 3, DROP COLUMN s",
            "DELETE FROM keyed ORDER BY id LIMIT 2",
            "ALTER TABLE keyless DROP COLUMN s",
            "ALTER TABLE keyless ADD COLUMN s VARCHAR(20), ALGORITHM=COPY",
            "INSERT INTO keyless (v, s) VALUES (8, 'again'), (9, 'again')",
            "UPDATE keyless SET v = 10 WHERE v = 7 LIMIT 1",
            "TRUNCATE TABLE emptied",
            f"INSERT INTO emptied VALUES ({turn}, {turn})",
            "TRUNCATE TABLE heap",
            f"INSERT INTO heap VALUES ({turn}), ({turn})",
            "BEGIN", "INSERT INTO heap VALUES (5), (5)", "UPDATE keyed SET v = -v LIMIT 3",
            "COMMIT",
            f"ALTER TABLE keyed ADD COLUMN s VARCHAR(20), DROP COLUMN a{turn}, ALGORITHM=COPY",
            "UPDATE keyed SET s = 'late' ORDER BY id DESC LIMIT 4",
            f"CREATE TABLE made{turn} (id INT PRIMARY KEY, v INT)",
            f"INSERT INTO made{turn} VALUES (1, {turn})",
            f"DROP TABLE IF EXISTS made{turn - 1}",
            f"RENAME TABLE made{turn} TO renamed{turn}",
            f"UPDATE renamed{turn} SET v = 0",
            f"DROP TABLE IF EXISTS renamed{turn - 2}")

    def start(self, fault=None):
        if fault:
            self.agent.environment["MILLRACE_FAULT"] = fault
        else:
            self.agent.environment.pop("MILLRACE_FAULT", None)
        self.agent.start(wait=False)

    def died(self, seconds):
        """Whether the agent has killed itself within so many seconds."""
        try:
            status = self.agent.process.child.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        assert status == -signal.SIGKILL, f"ended with {status}:\n{self.agent.log(30)}"
        self.agent.process = None
        return True

    def settle(self):
        """A start without faults: all is equal, and the agent is gone again."""
        self.start()
        self.sync.wait_equal(60)
        self.agent.kill()

    def count(self):
        """How many steps a start takes until all is equal and it is told to end."""
        self.start("count")
        self.sync.wait_equal(60)
        time.sleep(0.3)
        self.agent.stop()
        return int(re.findall(r"(\d+) fault points met", self.agent.log())[-1])

    def reset(self, turn):
        """A database and a checkpoint that never saw anything."""
        folder = self.agent.configuration["pipeline"]["checkpoint.directory"]
        self.agent.configuration["pipeline"]["checkpoint.directory"] = \
            re.sub(r"(-\d+)?$", f"-{turn}", folder)
        self.sync.clickhouse.execute(f"DROP DATABASE IF EXISTS `{self.sync.schema}` SYNC")
        for name in [row[0] for row in self.sync.source.query("SHOW TABLES", self.sync.schema)]:
            self.sync.execute(f"DROP TABLE `{name}`")
        self.create()


def bounded(items, seconds):
    """Gives items as long as there is time for more."""
    end = time.monotonic() + seconds
    for item in items:
        if time.monotonic() > end:
            return
        yield item


@pytest.fixture
def seconds(full):
    return 1e9 if full else float(os.environ.get("MILLRACE_CRASH_SECONDS", "150"))


def report(capsys, what, done, of):
    with capsys.disabled():
        print(f"\n{what}: killed at {done} of {of}", flush=True)


@pytest.mark.parametrize("parallelism", [1, 3])
def test_killed_at_each_step_of_the_stream(maria, seconds, capsys, parallelism):
    """Changes wait in the log; each start is killed one step further on."""
    lab = Lab(maria, parallelism)
    lab.create()
    lab.settle()
    lab.change()
    steps = lab.count()
    done = tried = 0
    order = list(range(1, steps + 1))
    random.Random(1).shuffle(order)
    for step in bounded(order, seconds):
        lab.change()
        lab.start(f"kill@{step}")
        tried += 1
        done += lab.died(8)
        lab.agent.kill()
        try:
            lab.settle()
        except AssertionError as error:
            raise AssertionError(f"after kill@{step}: {error}") from None
    report(capsys, f"stream, {parallelism} workers", done, f"{steps} steps")
    assert tried and done > tried / 2


def test_killed_at_each_step_of_the_snapshot(maria, seconds, capsys):
    """From nothing, with changes to follow: a fresh database each time."""
    lab = Lab(maria)
    lab.create()
    steps = lab.count()
    done = tried = 0
    order = list(range(1, steps + 1))
    random.Random(2).shuffle(order)
    for turn, step in enumerate(bounded(order, seconds)):
        lab.reset(turn)
        lab.start(f"kill@{step}")
        lab.change()
        tried += 1
        done += lab.died(8)
        lab.agent.kill()
        try:
            lab.settle()
        except AssertionError as error:
            raise AssertionError(f"after kill@{step}: {error}") from None
    report(capsys, "snapshot", done, f"{steps} steps")
    assert tried and done > tried / 2


def test_killed_again_and_again(maria, full, seconds, capsys):
    """Each start after a crash is killed as well, a few steps on: at least 500 pairs in full."""
    lab = Lab(maria, 2)
    lab.create()
    lab.settle()
    pick = random.Random(3)
    pairs, wanted = 0, 500 if full else 10000
    for _ in bounded(range(10000), seconds):
        if pairs >= wanted:
            break
        lab.change()
        points = []
        for _ in range(12):
            points.append(pick.randint(1, 60))
            lab.start(f"kill@{points[-1]}")
            died = lab.died(4)
            lab.agent.kill()
            if not died:
                break  # all is delivered
            pairs += len(points) > 1
        try:
            lab.settle()
        except AssertionError as error:
            raise AssertionError(f"after kills at {points}: {error}") from None
    report(capsys, "one after the other", pairs, "as many pairs as there was time for")
    assert pairs >= (wanted if full else 5)
