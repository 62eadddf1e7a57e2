# SPDX-License-Identifier: Apache-2.0
"""What ./quickstart does once the program is built."""

import argparse
import json
import os
import shutil
import signal
import sys
import threading
import time

from . import postgres_shop, quickstart_kafka, sample_shop
from .agent import ROOT, Agent
from .clickhouse_server import ClickHouse
from .compare import Comparison, explain
from .compare_postgres import PostgresComparison, PostgresDatabase
from .database import FLAVORS
from .postgres import PostgreSQL
from .process import StartError, end_process, started_at, wait_for

LAB = os.path.abspath(os.environ.get("MILLRACE_LAB", os.path.join(ROOT, ".lab")))
STATE = os.path.join(LAB, "running.json")
WRITERS, WRITING_SECONDS = 3, 3


def say(text):
    print(text, flush=True)


# ---- what runs, remembered for `stop` and for the next run ----

def remember(processes, folders):
    with open(STATE + ".new", "w") as file:
        json.dump({"processes": [[name, pid, started_at(pid)] for name, pid in processes],
                   "folders": folders}, file)
    os.rename(STATE + ".new", STATE)


def stop_earlier():
    """Ends what an earlier run left, the agent first; True if there was something."""
    try:
        with open(STATE) as file:
            state = json.load(file)
    except (OSError, ValueError):
        state = {"processes": [], "folders": []}
    ended = [end_process(pid, began) for _, pid, began in state["processes"] if began]
    for folder in state["folders"]:
        shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(LAB, ignore_errors=True)
    return any(ended)


class Lab:
    """The servers and the agent."""

    place, things = "ClickHouse", "tables"  # where the rows go
    shop, tables = sample_shop, r"shop.\.*"

    def __init__(self, flavor):
        os.makedirs(LAB)
        self.database = self.make_source(flavor)
        self.target = self.make_target()
        self.agent = Agent(
            os.path.join(LAB, "millrace"),
            source=self.database.source_options(tables=self.tables),
            sink=self.target.sink_options(),
            pipeline={"name": "shop", "checkpoint.interval": "1s"},
            binary=os.path.join(ROOT, "build", "millrace"))
        self.comparison = self.make_comparison()

    def make_source(self, flavor):
        return FLAVORS[flavor](os.path.join(LAB, flavor))

    def make_target(self):
        self.clickhouse = ClickHouse(os.path.join(LAB, "clickhouse"))
        return self.clickhouse

    def make_comparison(self):
        return Comparison(self.database, self.clickhouse)

    def change_schema(self):
        self.shop.change_schema(self.database)

    def how_to_change(self):
        return (f"mariadb -h 127.0.0.1 -P {self.database.port} -u admin -padmin"
                f"{' --ssl' if self.database.flavor == 'mysql' else ''} shop")

    def start_servers(self):
        problems = []

        def start(server):
            try:
                server.start()
            except (StartError, TimeoutError, OSError) as error:
                problems.append(error)

        threads = [threading.Thread(target=start, args=(server,))
                   for server in (self.database, self.target)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.remember()
        if problems:
            raise problems[0]

    def remember(self):
        parts = [("agent", self.agent.process), ("database", self.database.process),
                 ("target", self.target.process)]
        remember([(name, part.pid) for name, part in parts if part and part.child],
                 [self.database.short])

    def end(self):
        if self.agent.alive():
            self.agent.process.stop(30)
        for server in (self.database, self.target):
            server.remove()
        shutil.rmtree(LAB, ignore_errors=True)

    def has_setting(self, name):
        return self.clickhouse.value(
            "SELECT count() FROM shop.settings FINAL WHERE name = {n:String}",
            param_n=name) == "1"

    def how_to_look(self):
        return f"""\
  curl -s '{self.clickhouse.sink_options()['url']}/?database=shop' \\
      --data-binary 'SELECT * FROM customers FINAL ORDER BY id DESC LIMIT 3 FORMAT PrettyCompact'"""


class KafkaLab(quickstart_kafka.KafkaTarget, Lab):
    folder = LAB


class PostgresLab(Lab):
    """Every session of its database is the agent's user, who must own new tables."""

    shop, tables = postgres_shop, r"shop.shop.\.*"

    def make_source(self, flavor):
        return PostgreSQL(os.path.join(LAB, flavor))

    def make_comparison(self):
        return PostgresComparison(PostgresDatabase(self.database, "shop"), self.clickhouse)

    def how_to_change(self):
        return f"psql -h {self.database.folder} -p {self.database.port} -U postgres shop"


# ---- the show ----

def snapshot(lab):
    """Starts the agent and waits for the tables; seconds that it took."""
    began = time.monotonic()
    lab.agent.start()
    lab.remember()
    lab.agent.wait_streaming(300)
    return time.monotonic() - began


def change(lab):
    """Changes rows and schemas under load; rows changed by the writers."""
    writers = [lab.shop.Writer(lab.database, seed=i, pause=0.001) for i in range(WRITERS)]
    for writer in writers:
        writer.start()
    time.sleep(WRITING_SECONDS / 2)
    lab.shop.change_rows(lab.database)
    lab.change_schema()
    time.sleep(WRITING_SECONDS / 2)
    for writer in writers:
        writer.stop()
    return sum(writer.rows for writer in writers)


def probe_lag(lab, name):
    """Seconds from the commit of one row until the other side shows it."""
    lab.database.execute(("INSERT INTO settings (name, value) VALUES (%s, 'lag')", (name,)),
                         database="shop")
    began = time.monotonic()
    wait_for(lambda: lab.has_setting(name), 30, f"a new row in {lab.place}", interval=0.005)
    return time.monotonic() - began


def print_tables(results, place):
    width = max(len(result.name) for result in results)
    say(f"\n  {'table':<{width}}  {'rows':>8} {'checksum':>16}   {'rows':>8} {'checksum':>16}")
    say(f"  {'':<{width}}  {'in the source':^25}   {'in ' + place:^25}")
    for result in results:
        say(f"  {result.name:<{width}}  {result.source_rows:>8} {result.source_checksum:>16}   "
            f"{result.target_rows:>8} {result.target_checksum:>16}   "
            f"{'equal' if result.equal else 'DIFFERENT'}")


def show(lab):
    """True when every table is equal at the end."""
    say(f"Starting {lab.database.label} and {lab.target.label} in {os.path.relpath(LAB)}/")
    lab.start_servers()
    rows = lab.shop.ROWS
    say(f"Loading the shop: {len(lab.shop.TABLES)} tables, {rows:,} rows")
    lab.shop.load(lab.database)
    say(f"Starting Millrace: it makes the {lab.things} in {lab.place} and reads the tables")
    seconds = snapshot(lab)
    say(f"Read {rows:,} rows in {seconds:.1f} s; now the shop changes: rows, keys, "
        "columns, tables")
    changed = change(lab)
    began = time.monotonic()
    try:
        results = lab.comparison.wait_equal("shop", timeout=60, alive=lab.agent.check_alive)
    except AssertionError as error:
        say(f"\n{error}")
        say(f"\nThe agent's log ends:\n{lab.agent.log(15)}")
        results = lab.comparison.all_tables("shop")
    behind = time.monotonic() - began
    lags = [probe_lag(lab, f"lag.{i}") for i in range(5)] if lab.agent.alive() else [float("nan")]
    results_equal = all(result.equal for result in results)
    print_tables(results, lab.place)
    say(f"\n  snapshot     {rows / seconds:,.0f} rows per second")
    say(f"  live         {changed:,} rows changed by {WRITERS} writers in {WRITING_SECONDS} s; all "
        f"compared equal {behind:.1f} s after the last")
    say(f"  lag          {sorted(lags)[len(lags) // 2] * 1000:.0f} ms from a commit to its row in "
        f"{lab.place} (median of 5)")
    if lab.agent.alive():
        say(f"  memory       {lab.agent.peak_rss() / 1e6:.0f} MB at most "
            f"({lab.agent.cpu_seconds():.1f} s of CPU in all)")
    bad = [result for result in results if not result.equal]
    say(f"\n{len(results) - len(bad)} of {len(results)} tables are equal.")
    if bad:
        say(explain(bad))
    return results_equal


def say_how_to_play(lab):
    config = os.path.relpath(lab.agent.path, ROOT)
    say(f"""
Everything is still running. Change something and look at it on the other side:

  {lab.how_to_change()}
{lab.how_to_look()}
  build/millrace status {config}
  build/millrace tables {config}
  curl -s http://127.0.0.1:{lab.agent.port}/metrics

  config  {config}
  log     {os.path.relpath(lab.agent.folder, ROOT)}/millrace.log
  end     ./quickstart stop""")


def main():
    parser = argparse.ArgumentParser(prog="./quickstart")
    parser.add_argument("command", nargs="?", choices=["stop"])
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--source", choices=["mariadb", "mysql", "postgres"],
                        default="mariadb")
    parser.add_argument("--sink", choices=["clickhouse", "kafka"], default="clickhouse")
    options = parser.parse_args()
    ended = stop_earlier()
    if options.command == "stop":
        say("Stopped." if ended else "Nothing was running.")
        return 0
    if ended:
        say("Ended what an earlier --keep left running")
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    if (options.source, options.sink) == ("postgres", "kafka"):
        parser.error("--source postgres goes into ClickHouse only")
    kind = KafkaLab if options.sink == "kafka" else \
        PostgresLab if options.source == "postgres" else Lab
    lab, equal, kept = kind(options.source), False, False
    try:
        equal = show(lab)
        if options.keep:
            say_how_to_play(lab)
            kept = True
    except KeyboardInterrupt:
        say("\nInterrupted")
        return 130
    except (StartError, TimeoutError, AssertionError) as error:
        say(f"\nquickstart: {error}")
    finally:
        if not kept:
            lab.end()
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
