# SPDX-License-Identifier: Apache-2.0
"""Runs each program over the same log and the same tables, and prints what it cost."""

import argparse
import itertools
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

from support import process
from support.agent import ROOT, Agent
from support.clickhouse_server import ClickHouse, ClickHouseError
from support.database import FLAVORS
from support.process import wait_for
from support.sample_shop import numbers

BUILD = os.path.join(ROOT, "build")
SCHEMA = "bench"

# name: (columns, share of the rows, expressions for a row n)
NARROW = (["id INT PRIMARY KEY", "v BIGINT NOT NULL"], ["n", "n * 7"])
MIXED = ([
    "id BIGINT UNSIGNED PRIMARY KEY", "customer INT NOT NULL", "placed DATETIME(3) NOT NULL",
    "state ENUM('new','paid','sent') NOT NULL", "total DECIMAL(14,4) NOT NULL",
    "note VARCHAR(120) NULL", "country CHAR(2) NOT NULL", "updated TIMESTAMP(6) NOT NULL",
    "weight DOUBLE NULL", "flags BIT(8) NOT NULL", "born DATE NULL", "tag VARBINARY(16) NULL"],
    ["n", "n % 5000", "'2024-01-01' + INTERVAL n SECOND", "1 + n % 3", "n / 100",
     "IF(n % 3, CONCAT('note of order ', n), NULL)", "'DE'", "'2024-01-01' + INTERVAL n SECOND",
     "n / 7", "n % 256", "'1970-01-01' + INTERVAL n % 9000 DAY", "LEFT(SHA2(n, 256), 16)"])
_WIDE = ["INT NULL", "BIGINT NOT NULL", "VARCHAR(60) NOT NULL", "DECIMAL(18,4) NULL",
         "DATETIME NOT NULL", "DOUBLE NOT NULL", "TINYINT NOT NULL", "CHAR(10) NULL"]
_WIDE_VALUES = ["IF(n % 4, n, NULL)", "n * 1000003", "CONCAT('some text of row ', n)", "n / 10000",
                "'2023-01-01' + INTERVAL n SECOND", "n / 3", "n % 100", "LPAD(n, 10, '0')"]
WIDE = (["id INT PRIMARY KEY"] + [f"c{i} {_WIDE[i % 8]}" for i in range(39)],
        ["n"] + [_WIDE_VALUES[i % 8] for i in range(39)])
TABLES = {"narrow": (NARROW, 5), "mixed": (MIXED, 4), "wide": (WIDE, 3)}
CHANGED = {"narrow": "v", "mixed": "customer", "wide": "c1"}  # the column that UPDATEs change
MINUTES = 20  # for all of it
IDLE_SECONDS = 20
STARTS = 9
STEADY_COMMITS, STEADY_PAUSE = 200, 0.04  # of 1000 rows each


@dataclass
class Cost:
    rows: int
    seconds: float
    cpu: float
    rss: int

    @property
    def cpu_per_million(self):
        return self.cpu * 1e6 / self.rows

    @property
    def speed(self):
        return self.rows / self.seconds


def run_child(arguments):
    """Runs a program to its end: (output, seconds, CPU seconds, peak memory)."""
    began, peak, status = time.monotonic(), 0, None
    with tempfile.TemporaryFile("w+") as output:
        child = subprocess.Popen([str(a) for a in arguments], stdout=output, stderr=output)
        # The kernel's figure of a finished process would count what we hold, too: it was forked.
        while status is None:
            time.sleep(0.01)
            peak = peak_memory(child.pid) or peak
            pid, ended, usage = os.wait4(child.pid, os.WNOHANG)
            status = ended if pid else None
        seconds = time.monotonic() - began
        output.seek(0)
        text = output.read()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise RuntimeError(f"{arguments[0]} ended with status {child.returncode}: {text}")
    return text, seconds, usage.ru_utime + usage.ru_stime, peak


def peak_memory(pid):
    """The most that a process has held so far; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/status") as file:
            found = re.search(r"^VmHWM:\s+(\d+) kB", file.read(), re.M)
    except OSError:
        return 0
    return int(found.group(1)) * 1024 if found else 0


def thread_seconds(pid):
    """CPU seconds of the threads of now, which the kernel tells finer than those of a process."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
            total += int(file.read().split()[0])
    return total / 1e9


def median(costs):
    """The run whose CPU is in the middle."""
    return sorted(costs, key=lambda cost: cost.cpu)[len(costs) // 2]


class Bench:
    """The servers, the log and the tables; each measure_... gives a Cost."""

    tables = TABLES

    def __init__(self, folder, source, rows):
        self.folder, self.rows = folder, rows
        self.source = source.start()
        self.start_targets()
        self.agents = 0
        self.events = 0
        self.new_rows = itertools.count(10 ** 8)

    def start_targets(self):
        self.clickhouse = ClickHouse(os.path.join(self.folder, "clickhouse")).start()

    def remove(self):
        self.source.remove()
        self.clickhouse.remove()

    # ---- the data ----

    def fill(self):
        """Makes the tables and a log of inserts, updates and deletes."""
        self.source.execute(f"CREATE DATABASE {SCHEMA}", f"CREATE DATABASE {SCHEMA}_numbers",
                            f"CREATE TABLE {SCHEMA}_numbers.n (n INT PRIMARY KEY)",
                            f"INSERT INTO {SCHEMA}_numbers.n SELECT n FROM {numbers(1000)}")
        for name, ((columns, _), _) in self.tables.items():
            self.source.execute(f"CREATE TABLE {SCHEMA}.{name} ({', '.join(columns)})")
        self.begin_log()
        with self.source.connect(database=SCHEMA) as connection:
            cursor = connection.cursor()
            cursor.execute("SET time_zone = '+00:00'")
            for piece in self.pieces():
                cursor.execute("BEGIN")
                self.write_piece(cursor, *piece)
                cursor.execute("COMMIT")

    def begin_log(self):
        self.source.execute("FLUSH BINARY LOGS")
        self.begin = self.source.binlog_position()

    def pieces(self):
        """(table, first row, rows) for each transaction: of 1 to 1000 rows, small ones mostly."""
        chance, pieces = random.Random(1), []
        for name, (_, share) in self.tables.items():
            # Ten parts of events: seven inserts, two updates and one delete.
            rows = self.rows * share // sum(s for _, s in self.tables.values()) * 7 // 10
            first = 0
            while first < rows:
                count = min(int(1000 ** chance.random()), rows - first)
                pieces.append((name, first, count))
                first += count
        chance.shuffle(pieces)
        return pieces

    def write_piece(self, cursor, name, first, count):
        (_, values), _ = self.tables[name]
        column = CHANGED[name]
        between = f"id BETWEEN {first + 1} AND {first + count}"
        for statement in (
                f"INSERT INTO {name} {self.select(values, first, count)}",
                f"UPDATE {name} SET {column} = {column} + 1 WHERE {between} AND id % 7 < 2",
                f"DELETE FROM {name} WHERE {between} AND id % 7 = 6"):
            self.events += self.write(cursor, statement)

    def write(self, cursor, statement):
        return cursor.execute(statement)

    def select(self, values, first, count):
        return (f"SELECT {', '.join(values)} FROM (SELECT n + {first} AS n FROM "
                f"{SCHEMA}_numbers.n WHERE n <= {count}) numbers")

    def count_rows(self):
        return sum(self.source.value(f"SELECT COUNT(*) FROM {SCHEMA}.{name}") for name in TABLES)

    # ---- the limits ----

    def login(self):
        return ["127.0.0.1", self.source.port, "admin", "admin"]

    def raw_walk(self):
        output, seconds, cpu, rss = run_child([f"{BUILD}/tests/bench/raw_walk", *self.login(),
                                               *self.begin])
        rows = int(re.search(r"rows=(\d+)", output).group(1))
        if rows != self.events:
            raise RuntimeError(f"the raw walk saw {rows} row events of {self.events}")
        return Cost(rows, seconds, cpu, rss)

    def use_result(self):
        output, seconds, cpu, rss = run_child([f"{BUILD}/tests/bench/use_result", *self.login(),
                                               SCHEMA, *TABLES])
        return Cost(int(re.search(r"rows=(\d+)", output).group(1)), seconds, cpu, rss)

    # ---- Millrace ----

    def source_options(self):
        return self.source.source_options(**{"tables": rf"{SCHEMA}.\.*", "ssl.mode": "disabled"})

    def log_begin(self):
        file, position = self.begin
        return {"scan.startup.mode": "specific-offset",
                "scan.startup.specific-offset.file": file,
                "scan.startup.specific-offset.pos": position}

    def agent(self, sink, source=None, pipeline=None):
        self.agents += 1
        return Agent(os.path.join(self.folder, f"agent{self.agents}"),
                     {**self.source_options(), **(source or {})},
                     sink, pipeline={"checkpoint.interval": "1s", **(pipeline or {})},
                     binary=os.path.join(BUILD, "millrace"))

    def log(self, sink, pipeline=None, flushed=False):
        """Reads the whole log from where it began; ended by a signal once all is durable."""
        agent = self.agent(sink, self.log_begin(), pipeline)
        began = time.monotonic()
        agent.start(wait=False)

        def done():
            agent.check_alive()
            try:
                status = agent.sink_status()
            except (OSError, LookupError):
                return False
            return (status["rows"] if flushed else status["source_events"]) >= self.events
        wait_for(done, 600, "the log to be read", interval=0.1)
        seconds, peak = time.monotonic() - began, agent.peak_rss()
        os.kill(agent.process.pid, signal.SIGTERM)
        _, status, usage = os.wait4(agent.process.pid, 0)
        agent.process.child.returncode = os.waitstatus_to_exitcode(status)
        if status != 0:
            raise RuntimeError(f"the agent ended with status {status}:\n{agent.log(20)}")
        return Cost(self.events, seconds, usage.ru_utime + usage.ru_stime, peak)

    def snapshot(self, sink, pipeline=None):
        agent = self.agent(sink, pipeline=pipeline)
        agent.write()
        _, seconds, cpu, rss = run_child([agent.binary, "backfill", agent.path])
        return Cost(self.count_rows(), seconds, cpu, rss)

    def into_clickhouse(self, read):
        self.clickhouse.execute(f"DROP DATABASE IF EXISTS {SCHEMA}")
        cost = read(self.clickhouse.sink_options())
        for name, column in CHANGED.items():
            query = f"SELECT count(*), sum(id), sum({column}) FROM {SCHEMA}.{name}"
            there = self.clickhouse.text(f"{query} FINAL").decode().split()
            here = [str(number) for number in self.source.query(query)[0]]
            if there != here:
                raise RuntimeError(f"{name} is {there} in ClickHouse and {here} in the source")
        return cost

    # ---- what is not a rate ----

    def following(self):
        """An agent that has nothing to read, started again and again on its checkpoint: (agent,
        seconds from its execution to its going on, CPU seconds until then), in the middle."""
        self.clickhouse.execute(f"DROP DATABASE IF EXISTS {SCHEMA}")
        sink = self.clickhouse.sink_options(**{"sink.buffer-flush.interval": "100ms"})
        agent = self.agent(sink, {"scan.startup.mode": "latest-offset"})
        agent.start().wait_log("streaming begins")
        starts = []
        for _ in range(STARTS):
            agent.stop()
            before, began = len(agent.log()), time.monotonic()
            agent.start(wait=False)
            wait_for(lambda: "streaming goes on" in agent.log()[before:], 60, "the agent",
                     interval=0.001)
            starts.append((time.monotonic() - began, agent.cpu_seconds()))
        return agent, *sorted(starts)[STARTS // 2]

    def latencies(self, count):
        """Seconds from the return of a COMMIT to the row's being seen in ClickHouse."""
        seconds = []
        for _ in range(count):
            row = next(self.new_rows)
            self.source.execute(f"INSERT INTO {SCHEMA}.narrow VALUES ({row}, 0)")
            began = time.monotonic()
            query = f"SELECT count() FROM {SCHEMA}.narrow WHERE id = {row}"
            wait_for(lambda: self.seen(query), 60, "a row in ClickHouse", interval=0.001)
            seconds.append(time.monotonic() - began)
        return sorted(seconds)

    def steady(self, interval_ms):
        """An agent that follows a steady load and flushes at this interval, which writes the
        position down each time: (CPU seconds, seconds)."""
        sink = {"type": "blackhole", "sink.buffer-flush.interval": f"{interval_ms}ms"}
        agent = self.agent(sink, {"scan.startup.mode": "latest-offset"})
        agent.start().wait_log("streaming begins")
        pid = agent.process.pid
        cpu, began, rows = thread_seconds(pid), time.monotonic(), 0
        with self.source.connect(database=SCHEMA) as connection:
            cursor = connection.cursor()
            for _ in range(STEADY_COMMITS):
                rows += cursor.execute("UPDATE steady SET v = v + 1")
                time.sleep(STEADY_PAUSE)
        wait_for(lambda: agent.sink_status()["source_events"] >= rows, 60, "the rows")
        cpu, seconds = thread_seconds(pid) - cpu, time.monotonic() - began
        agent.stop()
        return cpu, seconds

    def seen(self, query):
        try:
            return self.clickhouse.text(query).strip() == b"1"
        except ClickHouseError:
            return False  # the table is not there yet


def print_header():
    print(f"\n  {'':<44} {'CPU s/M rows':>12} {'rows/s':>10} {'RSS MB':>7}  to the limit")


def print_line(name, cost, limit=None, by="cpu"):
    ratio = ""
    if limit and by == "cpu":
        times = cost.cpu_per_million / limit.cpu_per_million
        ratio = f"{times:.2f} x its CPU" if times > 1 else f"its CPU / {1 / times:.1f}"
    elif limit:
        ratio = (f"{cost.speed / limit.speed * 100:.0f} % of its rows/s, "
                 f"{cost.cpu_per_million / limit.cpu_per_million:.2f} x its CPU")
    print(f"  {name:<44} {cost.cpu_per_million:>12.3f} {cost.speed:>10,.0f} "
          f"{cost.rss / 1e6:>7.0f}  {ratio}", flush=True)


def often(repeat, function, *arguments, **options):
    return median([function(*arguments, **options) for _ in range(repeat)])


def measure_log(bench, repeat):
    bench.use_result()  # warms the caches
    print(f"\nLog: {bench.events:,} row events", end="")
    print_header()
    walk = often(repeat, bench.raw_walk)
    print_line("raw walk of the binlog (limit)", walk)
    print_line("log into blackhole", often(repeat, bench.log, {"type": "blackhole"}), walk)
    print_line("log into ClickHouse",
               bench.into_clickhouse(lambda sink: bench.log(sink, flushed=True)), walk)


def measure_snapshot(bench, repeat):
    print(f"\nSnapshot: {bench.count_rows():,} rows", end="")
    print_header()
    plain = often(repeat, bench.use_result)
    print_line("mysql_use_result (limit)", plain)
    for connections in (1, 2):
        print_line(f"snapshot into blackhole, {connections} connection"
                   f"{'s' if connections > 1 else ''}",
                   often(repeat, bench.snapshot, {"type": "blackhole"},
                         {"snapshot.parallelism": connections}),
                   plain, by="speed")
    print_line("snapshot into ClickHouse", bench.into_clickhouse(bench.snapshot), plain,
               by="speed")


def measure_start(bench, _repeat):
    """Twice: MariaDB looks for a GTID from its file's beginning, in its time, not ours."""
    agent, seconds, _ = bench.following()
    agent.stop()
    print(f"\nStart with a checkpoint, far into the server's file: {seconds * 1000:.0f} ms")
    bench.source.execute("FLUSH BINARY LOGS")
    agent, seconds, cpu = bench.following()
    bench.latencies(2)
    times = bench.latencies(20)
    before = agent.cpu_seconds()
    time.sleep(IDLE_SECONDS)
    idle = agent.cpu_seconds() - before
    agent.stop()
    print(f"Start with a checkpoint: {seconds * 1000:.0f} ms, {cpu * 1000:.0f} ms of CPU")
    print(f"Committed to seen in ClickHouse, flushed each 100 ms: median "
          f"{times[len(times) // 2] * 1000:.0f} ms, longest {times[-1] * 1000:.0f} ms")
    print(f"Idle: {idle / IDLE_SECONDS * 100:.2f} % of a core", flush=True)


def measure_checkpoint(bench, repeat):
    """The same load twice, with many checkpoints and with the default's one a second."""
    bench.source.execute(f"CREATE TABLE {SCHEMA}.steady (id INT PRIMARY KEY, v INT NOT NULL)",
                         f"INSERT INTO {SCHEMA}.steady SELECT n, 0 FROM {SCHEMA}_numbers.n")
    costs = []
    for _ in range(repeat):
        (cpu, seconds), (own_cpu, own_seconds) = bench.steady(20), bench.steady(1000)
        each = (cpu - own_cpu) / (seconds / 0.02 - own_seconds)
        costs.append((each, each * own_seconds / own_cpu))
    each, share = sorted(costs)[repeat // 2]
    pace = STEADY_COMMITS * 1000 / own_seconds
    print(f"\nCheckpoint: {each * 1e6:.0f} us of CPU; one a second is {share * 100:.1f} % of an "
          f"agent that follows {pace:,.0f} rows a second", flush=True)


PARTS = {"log": measure_log, "snapshot": measure_snapshot, "start": measure_start,
         "checkpoint": measure_checkpoint}


def out_of_time(_signal, _frame):
    raise TimeoutError(f"not done within {MINUTES} minutes")


def in_folder(make, measure):
    """measure(make(folder)), bounded in time, with nothing left behind: the exit status."""
    process.die_with_us = True
    signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm(MINUTES * 60)
    folder = tempfile.mkdtemp(prefix="mr-bench-")
    bench = None
    try:
        bench = make(folder)
        print(f"{bench.source.label}, {os.cpu_count()} cores; tables of 2, 12 and 40 columns")
        bench.fill()
        measure(bench)
    except (RuntimeError, TimeoutError, AssertionError) as error:
        print(f"tests/bench/run: {error}", file=sys.stderr)
        return 1
    finally:
        if bench:
            bench.remove()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def main(kind=Bench, rows=2000000, measures=PARTS):
    parser = argparse.ArgumentParser(prog="tests/bench/run")
    parser.add_argument("parts", nargs="*", metavar="PART",
                        help=f"{', '.join(measures)}; all of them where none is given")
    parser.add_argument("--source", choices=sorted(FLAVORS), default="mariadb")
    parser.add_argument("--rows", type=int, default=rows, help="row events, about")
    parser.add_argument("--repeat", type=int, default=3, help="runs of which the median is shown")
    options = parser.parse_args()
    for part in options.parts:
        if part not in measures:
            parser.error(f"'{part}' is none of {', '.join(measures)}")

    def make(folder):
        server = FLAVORS[options.source](os.path.join(folder, "source"),
                                         {"max_binlog_size": "1G"})
        return kind(folder, server, options.rows)

    def measure(bench):
        for part in options.parts or measures:
            measures[part](bench, options.repeat)

    return in_folder(make, measure)


if __name__ == "__main__":
    sys.exit(main())
