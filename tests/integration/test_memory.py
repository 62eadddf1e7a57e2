# SPDX-License-Identifier: Apache-2.0
"""Memory stays bounded whatever the table or transaction; measured without sanitizers."""

import os
import re

import pytest

from support.agent import RELEASE_BINARY
from support.process import wait_for
from support.sample_shop import numbers

LIMIT = 64 << 20

pytestmark = pytest.mark.skipif(not os.path.exists(RELEASE_BINARY), reason="no release build")


def release_agent(sync, **more):
    return sync.agent(binary=RELEASE_BINARY, **more)


def peak(agent):
    size = agent.peak_rss()
    assert size < LIMIT, f"{size >> 20} MB\n{agent.log(10)}"
    return size


def blackhole(agent):
    agent.configuration["sink"] = {"type": "blackhole"}
    return agent


def test_a_transaction_of_two_million_rows(sync):
    rows = 2000000
    sync.execute("CREATE TABLE t (id INT PRIMARY KEY, v BIGINT, s VARCHAR(40))")
    agent = release_agent(sync).start()
    agent.wait_streaming()
    with sync.source.connect(database=sync.schema) as connection:
        cursor = connection.cursor()
        cursor.execute("BEGIN")
        cursor.execute(f"INSERT INTO t SELECT n, n * 3, CONCAT('row ', n) FROM {numbers(rows)}")
        cursor.execute("COMMIT")
    wait_for(lambda: sync.value_or_none("SELECT count() FROM {db}.t FINAL") == str(rows), 180,
             "two million rows", interval=0.5)
    peak(agent)
    sync.execute("UPDATE t SET v = -v WHERE id % 20 = 0")
    sums = sync.source.query("SELECT COUNT(*), SUM(v), SUM(LENGTH(s)) FROM t",
                             database=sync.schema)[0]
    wait_for(lambda: sync.rows("SELECT count(), sum(v), sum(length(s)) FROM {db}.t FINAL")[0] ==
             [str(number) for number in sums], 120, "the update", interval=0.5)
    peak(agent)


def test_a_snapshot_of_a_million_rows(sync):
    sync.execute("CREATE TABLE t (id INT PRIMARY KEY, v BIGINT, s VARCHAR(100))",
                 f"INSERT INTO t SELECT n, n, REPEAT('x', n % 100) FROM {numbers(1000000)}")
    agent = release_agent(sync, pipeline={"snapshot.parallelism": 4}).start()
    agent.wait_streaming(180)
    wait_for(lambda: sync.value_or_none("SELECT count() FROM {db}.t FINAL") == "1000000", 60,
             "the rows")
    peak(agent)


def test_large_values(sync):
    """Rows of 4 MB each, in the snapshot and in the log: bounded by bytes, not by rows."""
    sync.execute("CREATE TABLE t (id INT PRIMARY KEY, b LONGBLOB)",
                 *[f"INSERT INTO t VALUES ({i}, REPEAT('0123456789abcdef', 262144))"
                   for i in range(12)])
    agent = release_agent(sync).start()
    agent.wait_streaming(120)
    sync.execute(*[f"INSERT INTO t VALUES ({i}, REPEAT('fedcba9876543210', 262144))"
                   for i in range(100, 112)])
    sync.wait_equal(120)
    # A row is in the library's packet, in the batch and in the load at the same time.
    assert agent.peak_rss() < 2 * LIMIT, f"{agent.peak_rss() >> 20} MB"


def test_many_tables(sync):
    sync.execute(*[f"CREATE TABLE t{i} (id INT PRIMARY KEY, v INT, s VARCHAR(20))"
                   for i in range(300)])
    agent = blackhole(release_agent(sync)).start()
    agent.wait_streaming(120)
    sync.execute(*[f"INSERT INTO t{i} VALUES (1, 1, 'x')" for i in range(300)])
    wait_for(lambda: agent.sink_status()["rows"] >= 300, 60, "the rows")
    peak(agent)


def test_memory_does_not_grow(sync):
    """The same work again and again, schema changes too: what it takes is given back."""
    sync.execute("CREATE TABLE t (id INT PRIMARY KEY, v INT)",
                 f"INSERT INTO t SELECT n, n FROM {numbers(20000)}")
    agent = blackhole(release_agent(sync)).start()
    agent.wait_streaming()

    def work(turn):
        before = agent.sink_status()["rows"]
        sync.execute("UPDATE t SET v = v + 1", f"ALTER TABLE t ADD COLUMN c{turn} INT",
                     f"ALTER TABLE t DROP COLUMN c{turn}", "UPDATE t SET v = v - 1")
        wait_for(lambda: agent.sink_status()["rows"] >= before + 40000, 60, "the rows")
        return agent.rss()
    for turn in range(4):
        early = work(turn)
    for turn in range(4, 14):
        late = work(turn)
    assert late < early + (6 << 20), f"from {early >> 20} to {late >> 20} MB"
    with open(f"/proc/{agent.process.pid}/status") as file:
        assert int(re.search(r"Threads:\s+(\d+)", file.read()).group(1)) < 20
