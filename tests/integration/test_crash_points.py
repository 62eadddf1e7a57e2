# SPDX-License-Identifier: Apache-2.0
"""Every durable step is a crash point: the agent kills itself at each, one by one, and goes on.

The steps are counted by the fault points (engine/base/fault.h): each write of the checkpoint before
and after, each request to the sink and its answer, each table made ready, each schema change, each
position confirmed. A workload is run once to count its steps, those of its clean end too, then
once for each step N with `kill@N`; the next start must end with the sink equal to the source. Then
starts that are killed one after the other, so that what a crash left is met by the next. Several
pipelines are killed side by side, for most of a restart is waiting. A run may take fewer steps than
the one that was counted: a number that it never came to is tried again, with other changes.

MILLRACE_CRASH_SECONDS bounds each test (40 unless --full, which has no bound and takes all steps in
order; MILLRACE_CRASH_STEPS=200-300 are some of them). A pair of a source and a sink joins by a line
in LABS.
"""

import collections
import os
import random
import re
import signal
import subprocess
import time

import pytest

from support.agent import RELEASE_BINARY, Agent
from support.process import wait_for
from support.sample_shop import numbers

FAST = {"sink.buffer-flush.interval": "20ms"}
SETTINGS = {"checkpoint.interval": "20ms", "log.level": "warn",
            "restart-strategy.exponential-delay.initial-backoff": "50ms"}
SIDE_BY_SIDE = 4  # pipelines
PAIRS = 500
ATTEMPTS = 4  # at a step that a run did not come to


class Lab:
    """Tables of all kinds in one database, an agent for them, and changes in numbered rounds."""

    flavor = "mariadb"

    def __init__(self, request, parallelism=1):
        self.sync = self.make(request)
        self.agent = self.make_agent(parallelism)
        self.round = 10

    def make(self, request):
        servers = request.getfixturevalue("servers")
        return request.getfixturevalue("sync_for")(servers.get(self.flavor),
                                                   servers.get("clickhouse"))

    def make_agent(self, parallelism):
        return self.sync.agent(source={"scan.incremental.snapshot.chunk.size": 40},
                               sink={**FAST, "sink.parallelism": parallelism}, pipeline=SETTINGS,
                               binary=RELEASE_BINARY)

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
        self.round += 1
        self.sync.execute(*self.statements(self.round))

    def statements(self, turn):
        """Rows of every kind, and schema changes that would hurt when they came twice.
        ALGORITHM=COPY gives back what columns that were dropped in an instant still take of
        InnoDB's largest row."""
        return (
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

    def wait_equal(self):
        self.sync.wait_equal(90, agent=self.agent)

    def start(self, fault=None):
        if fault:
            self.agent.environment["MILLRACE_FAULT"] = fault
        else:
            self.agent.environment.pop("MILLRACE_FAULT", None)
        self.agent.start(wait=False)

    def died(self, until):
        """Whether the agent kills itself; at that time it is told to end, which has steps too."""
        try:
            status = self.agent.process.child.wait(max(0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            status = self.agent.process.stop()
        assert status in (0, -signal.SIGKILL), f"ended with {status}:\n{self.agent.log(30)}"
        self.agent.process = None
        return status != 0

    def count(self):
        """How many steps a start takes until all is equal and it is told to end."""
        self.start("count")
        self.wait_equal()
        time.sleep(0.3)
        self.agent.stop()
        return int(re.findall(r"(\d+) fault points met", self.agent.log())[-1])

    def reset(self):
        """A database and a checkpoint that never saw anything."""
        self.round += 1
        folder = self.agent.configuration["pipeline"]["checkpoint.directory"]
        self.agent.configuration["pipeline"]["checkpoint.directory"] = \
            re.sub(r"(-\d+)?$", f"-{self.round}", folder)
        self.sync.clickhouse.execute(f"DROP DATABASE IF EXISTS `{self.sync.schema}` SYNC")
        for name in [row[0] for row in self.sync.source.query("SHOW TABLES", self.sync.schema)]:
            self.sync.execute(f"DROP TABLE `{name}`")
        self.create()


class MySQLLab(Lab):
    flavor = "mysql"


class PostgresLab(Lab):
    def make(self, request):
        return request.getfixturevalue("pg_for")()

    def create(self):
        self.sync.execute(
            "CREATE TABLE keyed (id SERIAL PRIMARY KEY, v INT, s TEXT)",
            "INSERT INTO keyed (v, s) SELECT n, 'row' FROM generate_series(1, 120) n",
            "CREATE TABLE keyless (v INT, s TEXT)", "ALTER TABLE keyless REPLICA IDENTITY FULL",
            "INSERT INTO keyless SELECT n % 5, 'row' FROM generate_series(1, 30) n",
            "CREATE TABLE emptied (id INT PRIMARY KEY, v INT)",
            "INSERT INTO emptied VALUES (1, 1), (2, 2)")

    def statements(self, turn):
        return (
            "INSERT INTO keyed (v, s) VALUES (1, 'new'), (2, 'new')",
            "UPDATE keyed SET v = v + 1 WHERE id % 7 = 3",
            "INSERT INTO keyless (v, s) VALUES (7, 'new'), (7, 'new')",
            f"ALTER TABLE keyed ADD COLUMN a{turn} INT DEFAULT 3",
            "DELETE FROM keyed WHERE id IN (SELECT min(id) FROM keyed)",
            "UPDATE keyless SET v = 10 WHERE ctid IN (SELECT min(ctid) FROM keyless)",
            "DELETE FROM keyless WHERE v = 7",
            "TRUNCATE TABLE emptied", f"INSERT INTO emptied VALUES ({turn}, {turn})",
            "BEGIN", "INSERT INTO keyless VALUES (5, 'x'), (5, 'x')",
            "UPDATE keyed SET v = -v WHERE id % 7 = 1", "COMMIT",
            f"ALTER TABLE keyed DROP COLUMN a{turn}",
            f"CREATE TABLE made{turn} (id INT PRIMARY KEY, v INT)",
            f"INSERT INTO made{turn} VALUES (1, {turn})",
            f"DROP TABLE IF EXISTS made{turn - 2}")


class KafkaLab(Lab):
    """Rows only: a topic keeps each message in the shape that its row had then. What was read of a
    message's place in the log is there once, and all of them together make the source's rows."""

    def make(self, request):
        servers = request.getfixturevalue("servers")
        self.kafka = servers.get("kafka")
        return request.getfixturevalue("feed_for")(servers.get("mariadb"), self.kafka)

    def make_agent(self, parallelism):
        feed = self.sync
        feed.agent = Agent(
            os.path.join(feed.folder, "agent"),
            feed.source.source_options(tables=rf"{feed.name}.\.*"),
            self.kafka.sink_options(**FAST, **{"sink.parallelism": parallelism}),
            pipeline={**SETTINGS, "name": feed.name}, binary=RELEASE_BINARY)
        return feed.agent

    def create(self):
        self.sync.execute("CREATE TABLE keyed (id INT AUTO_INCREMENT PRIMARY KEY, v INT)",
                          f"INSERT INTO keyed (v) SELECT n FROM {numbers(60)}",
                          "CREATE TABLE keyless (v INT)")

    def statements(self, turn):
        return ("INSERT INTO keyed (v) VALUES (1), (2)",
                "UPDATE keyed SET v = v + 1 ORDER BY id LIMIT 5",
                "INSERT INTO keyless VALUES (7), (7), (8)",
                "DELETE FROM keyed ORDER BY id LIMIT 1",
                "BEGIN", "UPDATE keyless SET v = 10 WHERE v = 7 LIMIT 1",
                "INSERT INTO keyed (v) VALUES (3)", "DELETE FROM keyless WHERE v = 8 LIMIT 1",
                "COMMIT", f"UPDATE keyed SET v = {turn} ORDER BY id DESC LIMIT 2")

    def rows_of(self, name):
        """A multiset of rows, as the messages add and take them away; and doubled places."""
        rows, places = collections.Counter(), collections.Counter()
        for message in self.sync.messages(name):
            if message.value is None:
                continue
            change = message.json
            for image, number in ((change["before"], -1), (change["after"], 1)):
                if image:
                    rows[tuple(image.values())] += number
            if change["op"] != "r":
                places[(change["source"]["gtid"], change["source"]["pos"],
                        change["source"]["row"])] += 1
        return +rows, [place for place, count in places.items() if count > 1]

    def difference(self):
        for name in ("keyed", "keyless"):
            found, doubled = self.rows_of(name)
            assert not doubled, f"{name}: messages came twice: {doubled[:5]}"
            wanted = collections.Counter(
                self.sync.source.query(f"SELECT * FROM {name}", self.sync.name))
            if found != wanted:
                return f"{name}: missing {wanted - found}, too many {found - wanted}"
        return None

    def wait_equal(self):
        try:
            wait_for(lambda: self.difference() is None, 90, "the messages", interval=0.3)
        except TimeoutError:
            raise AssertionError(f"{self.difference()}\n{self.agent.log(20)}") from None


LABS = {"mariadb-clickhouse": Lab, "mysql-clickhouse": MySQLLab,
        "postgres-clickhouse": PostgresLab, "mariadb-kafka": KafkaLab}


def bounded(items, seconds):
    """Gives items as long as there is time for more."""
    end = time.monotonic() + seconds
    for item in items:
        if time.monotonic() > end:
            return
        yield item


@pytest.fixture
def seconds(full):
    return 1e9 if full else float(os.environ.get("MILLRACE_CRASH_SECONDS", "40"))


@pytest.fixture
def labs_of(request, full):
    """A function that makes labs of a kind: several only where there is time for all steps."""
    return lambda kind, parallelism=1: [
        LABS[kind](request, parallelism) for _ in range(SIDE_BY_SIDE if full else 2)]


def report(capsys, what, done, of, began):
    took = time.monotonic() - began
    with capsys.disabled():
        print(f"\n{what}: killed at {done} of {of}, all survived, in {took:.0f} s", flush=True)


def settle(labs, killed_at):
    """Starts without faults: all is equal, and the agents are gone again."""
    for lab in labs:
        lab.start()
    for lab, step in zip(labs, killed_at):
        try:
            lab.wait_equal()
        except AssertionError as error:
            raise AssertionError(f"after kills at {step}: {error}") from None
        lab.agent.kill()


def chosen(steps, full):
    """The steps to kill at, in order; a few of all of them where there is no time for all."""
    if not full:
        return random.Random(1).sample(range(1, steps + 1), steps)
    first, last = os.environ.get("MILLRACE_CRASH_STEPS", f"1-{steps}").split("-")
    return list(range(int(first), min(int(last), steps) + 1))


def kill_each(labs, steps, seconds, prepare):
    """Kills at each of the steps, as many side by side as there are labs: (killed at, tried)."""
    killed, tried, tries = set(), set(), collections.Counter()
    waiting = collections.deque(steps)
    end = time.monotonic() + seconds
    while waiting and time.monotonic() < end:
        group = [waiting.popleft() for _ in range(min(len(labs), len(waiting)))]
        used = labs[:len(group)]
        for lab, step in zip(used, group):
            prepare(lab, f"kill@{step}")
        until = time.monotonic() + 8
        for lab, step in zip(used, group):
            tries[step] += 1
            if lab.died(until):
                killed.add(step)
            elif tries[step] < ATTEMPTS:
                waiting.append(step)
        tried.update(group)
        settle(used, group)
    return len(killed), len(tried)


@pytest.mark.parametrize("kind, parallelism", [
    ("mariadb-clickhouse", 1), ("mariadb-clickhouse", 3), ("mysql-clickhouse", 1),
    ("postgres-clickhouse", 1), ("mariadb-kafka", 1)])
def test_killed_at_each_step_of_the_stream(labs_of, full, seconds, capsys, kind, parallelism):
    """Changes wait in the log; each start is killed one step further on."""
    labs = labs_of(kind, parallelism)
    for lab in labs:
        lab.create()
    settle(labs, ["no step"] * len(labs))
    labs[0].change()
    steps = labs[0].count()

    def prepare(lab, fault):
        lab.change()
        lab.start(fault)

    began = time.monotonic()
    killed, tried = kill_each(labs, chosen(steps, full), seconds, prepare)
    report(capsys, f"stream, {kind}, {parallelism} workers", killed,
           f"{tried} tried of {steps} steps", began)
    assert killed > tried * 0.9


def test_killed_at_each_step_of_the_snapshot(labs_of, full, seconds, capsys):
    """From nothing, with changes to follow: a fresh database each time."""
    labs = labs_of("mariadb-clickhouse")
    labs[0].create()
    steps = labs[0].count()

    def prepare(lab, fault):
        lab.reset()
        lab.start(fault)
        lab.change()

    began = time.monotonic()
    killed, tried = kill_each(labs, chosen(steps, full), seconds, prepare)
    report(capsys, "snapshot", killed, f"{tried} tried of {steps} steps", began)
    assert killed > tried * 0.9


def test_killed_again_and_again(labs_of, full, seconds, capsys):
    """Each start after a crash is killed as well, a few steps on: at least 500 pairs in full."""
    labs = labs_of("mariadb-clickhouse", 2)
    for lab in labs:
        lab.create()
    settle(labs, ["no step"] * len(labs))
    pick = random.Random(3)
    pairs, began = 0, time.monotonic()
    for _ in bounded(range(10000), seconds):
        if full and pairs >= PAIRS:
            break
        for lab in labs:
            lab.change()
        points = {lab: [] for lab in labs}
        alive = labs
        for turn in range(12):
            for lab in alive:
                points[lab].append(pick.randint(1, 60))
                lab.start(f"kill@{points[lab][-1]}")
            until = time.monotonic() + 4
            alive = [lab for lab in alive if lab.died(until)]  # the others have delivered all
            pairs += len(alive) if turn else 0
        settle(labs, points.values())
    report(capsys, "one after the other", pairs, "as many pairs as there was time for", began)
    assert pairs >= (PAIRS if full else 5)
