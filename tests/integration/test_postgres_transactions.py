# SPDX-License-Identifier: Apache-2.0
"""Transactions of PostgreSQL: large ones within bounded memory, parts that are rolled back, and
prepared ones."""

import os

import pytest

from support.agent import RELEASE_BINARY
from support.process import wait_for

LIMIT = 64 << 20


@pytest.mark.skipif(not os.path.exists(RELEASE_BINARY), reason="no release build")
def test_a_transaction_larger_than_memory(pg, full):
    """The server keeps it until its commit (logical_decoding_work_mem), we a batch of it."""
    rows = 10000000 if full else 300000
    pg.execute("CREATE TABLE t (id int PRIMARY KEY, v bigint, s varchar(40))")
    agent = pg.agent(binary=RELEASE_BINARY)
    agent.configuration["sink"] = {"type": "blackhole"}
    agent.start().wait_streaming()
    half = rows // 2
    pg.execute(f"BEGIN; INSERT INTO t SELECT n, n * 3, 'row ' || n FROM generate_series(1, {half}) "
               f"n; SAVEPOINT s; INSERT INTO t SELECT -n, n, '' FROM generate_series(1, {half}) n; "
               f"ROLLBACK TO s; INSERT INTO t SELECT n, n, 'x' FROM generate_series({half + 1}, "
               f"{rows}) n; COMMIT")

    def read():
        agent.check_alive()
        return agent.sink_status()["rows"] >= rows
    wait_for(read, 60 + rows // 5000, f"{rows} rows", interval=0.2)
    assert agent.sink_status()["rows"] == rows  # none of what was rolled back
    assert agent.peak_rss() < LIMIT, f"{agent.peak_rss() >> 20} MB"
    print(f"{rows} rows in one transaction: {agent.peak_rss() / 1e6:.0f} MB")


def test_prepared_transactions(pg):
    """Rows come with COMMIT PREPARED, those of ROLLBACK PREPARED never; a restart in between."""
    pg.execute("CREATE TABLE t (id int PRIMARY KEY, v int)", "INSERT INTO t VALUES (0, 0), (1, 1)")
    agent = pg.agent().start()
    agent.wait_streaming()
    pg.execute("BEGIN; INSERT INTO t VALUES (10, 1); UPDATE t SET v = 5 WHERE id = 0; SAVEPOINT s; "
               "INSERT INTO t VALUES (11, 1); ROLLBACK TO s; INSERT INTO t VALUES (12, 1); "
               "PREPARE TRANSACTION 'keep'")
    pg.execute("BEGIN; INSERT INTO t VALUES (20, 2); DELETE FROM t WHERE id = 1; "
               "PREPARE TRANSACTION 'drop'")
    pg.execute("INSERT INTO t VALUES (30, 3)")
    pg.wait_equal()
    assert pg.rows("SELECT id, v FROM {db}.t FINAL ORDER BY id") == [["0", "0"], ["1", "1"],
                                                                     ["30", "3"]]
    agent.stop()
    agent.start()
    pg.execute("INSERT INTO t VALUES (31, 3)")
    pg.wait_equal()
    pg.execute("COMMIT PREPARED 'keep'")
    pg.execute("ROLLBACK PREPARED 'drop'")
    pg.wait_equal()
    assert pg.rows("SELECT id, v FROM {db}.t FINAL ORDER BY id") == [
        ["0", "5"], ["1", "1"], ["10", "1"], ["12", "1"], ["30", "3"], ["31", "3"]]
    agent.stop()
