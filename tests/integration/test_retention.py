# SPDX-License-Identifier: Apache-2.0
"""How long the server keeps its log: a warning while there is still time, and what status says."""

import os
import re
import signal
import time

from support.postgres import PostgreSQL
from support.process import pause, wait_for

OFTEN = {"retention.check.interval": "200ms"}


def percent(agent):
    return agent.sink_status()["log_retention_percent"]


def test_a_binlog_that_expires_soon(own_server, clickhouse, sync_for, flavor):
    """The sink stands still for as long as half of what the server keeps; then it goes on."""
    server = own_server(flavor)
    sync = sync_for(server, clickhouse)
    sync.execute("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 1)")
    agent = sync.agent(source=OFTEN)
    agent.start().wait_streaming()
    sync.execute("INSERT INTO t VALUES (2, 2)")
    sync.wait_equal()
    server.execute("SET GLOBAL binlog_expire_logs_seconds = 8")
    wait_for(lambda: "binlog_expire_logs_seconds=8" in agent.sink_status()["retention"], 20,
             "the server's limit")
    assert "0 % of binlog_expire_logs_seconds=8\n" in agent.command("status")[1]
    pause(clickhouse.process.pid)
    try:
        for key in (3, 4):
            sync.execute(f"INSERT INTO t VALUES ({key}, 1)")
            time.sleep(0.5)
        agent.wait_log(r"WARN.*the server may remove log that is not delivered yet.*"
                       r"binlog_expire_logs_seconds=8 allows.*behind_bytes=[1-9]")
        metrics = agent.metrics()
        assert [value for name, value in metrics.items()
                if name.startswith("millrace_source_log_retention_percent")][0] >= 50
        assert [value for name, value in metrics.items()
                if name.startswith("millrace_source_log_behind_bytes")][0] > 0
    finally:
        os.kill(clickhouse.process.pid, signal.SIGCONT)
    agent.wait_log("the server keeps its log long enough again")
    sync.wait_equal()


def test_a_binlog_without_a_limit(own_server, clickhouse, sync_for):
    server = own_server("mariadb")
    server.execute("SET GLOBAL expire_logs_days = 0")
    sync = sync_for(server, clickhouse)
    sync.execute("CREATE TABLE t (id INT PRIMARY KEY)")
    agent = sync.agent(source=OFTEN)
    agent.start().wait_streaming()
    sync.execute("INSERT INTO t VALUES (1)")
    wait_for(lambda: agent.sink_status()["retention"], 20, "a look")
    assert agent.sink_status()["retention"] == "no limit"
    assert percent(agent) == -1


def test_a_slot_that_may_lose_its_log(pg_for, lab_folder):
    """The server keeps 64 MB for it, and 40 MB and more come while the sink stands still."""
    server = PostgreSQL(lab_folder, {"max_slot_wal_keep_size": "64MB"}).start()
    try:
        pg = pg_for(server=server)
        pg.execute("CREATE TABLE t (id int PRIMARY KEY, v text)", "INSERT INTO t VALUES (1, 'a')")
        agent = pg.agent(source=OFTEN)
        agent.start().wait_streaming()
        pg.execute("INSERT INTO t VALUES (2, 'b')")
        pg.wait_equal()
        wait_for(lambda: "of max_slot_wal_keep_size=64MB" in agent.sink_status()["retention"], 20,
                 "the server's limit")
        pause(pg.clickhouse.process.pid)
        try:
            pg.execute("INSERT INTO t SELECT n, repeat('x', 1000) FROM generate_series(3, 45000) n")
            agent.wait_log(r"WARN.*max_slot_wal_keep_size=64MB allows")
        finally:
            os.kill(pg.clickhouse.process.pid, signal.SIGCONT)
        pg.wait_equal()
        agent.wait_log("the server keeps its log long enough again")
    finally:
        server.remove()


def test_a_look_that_is_refused(own_server, clickhouse, sync_for):
    """The user has lost the right to see the server's files since the start: the rows go on."""
    server = own_server("mariadb")
    sync = sync_for(server, clickhouse)
    sync.execute("CREATE TABLE t (id INT PRIMARY KEY)")
    agent = sync.agent(source=OFTEN)
    user = agent.configuration["source"]["username"]
    agent.start().wait_streaming()
    sync.execute("INSERT INTO t VALUES (1)")
    wait_for(lambda: agent.sink_status()["retention"], 20, "a look")
    server.execute(f"REVOKE BINLOG MONITOR ON *.* FROM '{user}'@'%'")
    wait_for(lambda: re.match("not known: .*privilege", agent.sink_status()["retention"]), 20,
             "a look that is refused")
    assert percent(agent) == -1
    sync.execute("INSERT INTO t VALUES (2)")
    sync.wait_equal()
