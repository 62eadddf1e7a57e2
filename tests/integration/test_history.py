# SPDX-License-Identifier: Apache-2.0
"""A history that checks itself: writers put rows (writer, sequence, previous), and what arrives in
an append-only place must hold each of them once, in the order of its writer, while the agent is
killed again and again."""

import collections
import json
import os
import random
import threading
import time

import pytest

from support.agent import RELEASE_BINARY, Agent
from support.process import Process, wait_for
from test_network import FAST

WRITERS = 3
KILLS = 12


class Writer(threading.Thread):
    """Its own key at each row of `log`; its one row of `state` is replaced each time, too."""

    def __init__(self, source, schema, number):
        super().__init__(daemon=True)
        self.source, self.schema, self.number = source, schema, number
        self.ended, self.last, self.error = threading.Event(), 0, None

    def run(self):
        try:
            with self.source.connect(database=self.schema) as connection:
                self.write(connection.cursor(), random.Random(self.number))
        except Exception as error:
            self.error = error

    def write(self, cursor, pick):
        while not self.ended.is_set():
            cursor.execute("BEGIN")
            for _ in range(pick.randint(1, 5)):
                cursor.execute("INSERT INTO log VALUES (%s, %s, %s)",
                               (self.number, self.last + 1, self.last))
                cursor.execute("REPLACE INTO state VALUES (%s, %s, %s)",
                               (self.number, self.last + 1, self.last))
                self.last += 1
            cursor.execute("COMMIT")
            time.sleep(0.003)


TABLES = ("CREATE TABLE log (writer INT, sequence INT, previous INT)",
          "CREATE TABLE state (writer INT PRIMARY KEY, sequence INT, previous INT)")


FIRST = 99  # a row of nobody: once it is there the tables are read to their end, and durably


def put_first(execute, arrived):
    execute(f"INSERT INTO log VALUES ({FIRST}, 0, 0)", f"INSERT INTO state VALUES ({FIRST}, 0, 0)")
    wait_for(arrived, 60, "the first rows", interval=0.2)


def write_under_kills(source, schema, agent, kills=KILLS):
    """Gives {writer: its last sequence}; the agent runs at the end."""
    writers = [Writer(source, schema, number) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    moments = random.Random(5)
    try:
        for _ in range(kills):
            time.sleep(moments.uniform(0.1, 0.7))
            agent.kill()
            agent.start(wait=False)
    finally:
        for writer in writers:
            writer.ended.set()
            writer.join(60)
    assert not any(writer.error for writer in writers), [writer.error for writer in writers]
    return {writer.number: writer.last for writer in writers}


def check_chain(rows, last):
    """`rows`: (writer, sequence, previous) as they came. None where rows are still to come."""
    newest = collections.Counter()
    for writer, sequence, previous in rows:
        assert newest[writer] == previous, \
            f"writer {writer}: {sequence} came after {newest[writer]}, not after {previous}"
        newest[writer] = sequence
    return dict(newest) == last


def check_once(rows, last):
    """The same without an order."""
    counts = collections.Counter(rows)
    doubled = [row for row, count in counts.items() if count > 1]
    assert not doubled, f"rows came twice: {doubled[:5]}"
    wanted = {(writer, i, i - 1) for writer, end in last.items() for i in range(1, end + 1)}
    assert set(counts) <= wanted, f"rows that nobody wrote: {list(set(counts) - wanted)[:5]}"
    return set(counts) == wanted


def test_an_append_only_table(maria):
    """A keyless table of ClickHouse: each row once, its marks in the order of its writer."""
    maria.execute(*TABLES)
    agent = maria.agent(pipeline=FAST, sink={"sink.parallelism": 2}, binary=RELEASE_BINARY)
    agent.start().wait_streaming()
    put_first(maria.execute, lambda: all(maria.value_or_none(
        f"SELECT count() FROM {{db}}.{name}") == "1" for name in ("log", "state")))
    last = write_under_kills(maria.source, maria.schema, agent)

    def arrived():
        agent.check_alive()
        rows = [tuple(map(int, row)) for row in maria.rows(
            "SELECT writer, sequence, previous FROM {db}.log WHERE writer != 99 "
            "ORDER BY _version")]
        signs = maria.value("SELECT countIf(_sign != 1) FROM {db}.log")
        assert signs == "0"
        return check_once(rows, last) and check_chain(rows, last)

    wait_for(arrived, 60, "the history", interval=0.3)
    maria.wait_equal()


def test_topics(maria_feed):
    """Kafka: once each, and the rows of a key in their order inside its partition."""
    feed = maria_feed
    feed.execute(*TABLES)
    agent = feed.start(sink={"sink.parallelism": 2}, pipeline=FAST)
    agent.wait_streaming()
    put_first(feed.execute, lambda: all(feed.messages(name) for name in ("log", "state")))
    last = write_under_kills(feed.source, feed.name, agent)

    def images(name):
        for message in feed.messages(name):
            after = message.json["after"] if message.value is not None else None
            if after and after["writer"] != FIRST:
                yield after["writer"], after["sequence"], after["previous"]

    def arrived():
        agent.check_alive()
        return check_once(images("log"), last) and check_chain(images("state"), last)

    wait_for(arrived, 60, "the history", interval=0.5)


def test_lines_on_standard_output(maria, tmp_path):
    """It keeps no account of what it has printed, so a kill may repeat a tail: what is repeated is
    the same again, nothing is left out, and no order is lost."""
    maria.execute(*TABLES)
    agent = Agent(os.path.join(tmp_path, "lines"),
                  maria.source.source_options(tables=rf"{maria.schema}.\.*"), {"type": "stdout"},
                  pipeline={**FAST, "name": maria.schema}, binary=RELEASE_BINARY)
    maria.agents.append(agent)
    agent.start().wait_streaming()

    def rows():
        seen = set()
        for line in Process([], os.path.join(agent.folder, "millrace.log")).log().splitlines():
            try:
                change = json.loads(line)
            except ValueError:
                continue  # of the log, or cut by a kill
            if change["table"].endswith(".log") and change["mark"] not in seen:
                seen.add(change["mark"])
                yield tuple(change["after"].values())

    put_first(maria.execute, lambda: list(rows()))
    last = write_under_kills(maria.source, maria.schema, agent)

    def arrived():
        agent.check_alive()
        return check_chain((row for row in rows() if row[0] != FIRST), last)

    wait_for(arrived, 60, "the history", interval=0.5)
