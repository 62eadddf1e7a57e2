# SPDX-License-Identifier: Apache-2.0
"""Networks that are cut, connections that go silent, servers that restart."""

import os
import threading
import time

import pytest

from support.clickhouse_server import ClickHouseError
from support.process import wait_for
from test_crash import Load, prepare

FAST = {"restart-strategy.exponential-delay.initial-backoff": "50ms",
        "restart-strategy.exponential-delay.max-backoff": "500ms"}


def through(sync, proxy, side):
    """An agent one of whose sides goes through a proxy: (agent, proxy)."""
    middle = proxy(sync.source.port if side == "source" else sync.clickhouse.port)
    source = {"port": middle.port, "heartbeat.interval": "500ms"} if side == "source" else {}
    sink = {"url": f"http://127.0.0.1:{middle.port}"} if side == "sink" else {}
    return sync.agent(source=source, sink=sink, pipeline=FAST), middle


@pytest.mark.parametrize("side", ["source", "sink"])
def test_the_network_is_cut(sync, proxy, side):
    """One clear line while it is gone; everything is there once it is back."""
    prepare(sync, 500)
    agent, middle = through(sync, proxy, side)
    agent.start().wait_streaming()
    load = Load(sync, schema_changes=False)
    load.start()
    time.sleep(0.3)
    middle.cut()
    wait_for(lambda: agent.sink_status()["trouble"], 20, "the trouble in /status")
    with pytest.raises(Exception):
        agent.get("/healthz")
    time.sleep(1)
    middle.heal()
    load.stop()
    sync.wait_equal()
    wait_for(lambda: not agent.sink_status()["trouble"], 20, "the trouble to be over")
    agent.get("/healthz")
    lines = [line for line in agent.log().splitlines() if " error " in line or " warn " in line]
    assert 1 <= len(lines) < 40, "\n".join(lines)


@pytest.mark.parametrize("side", ["source", "sink"])
@pytest.mark.parametrize("strategy", ["none", "fixed-delay"])
def test_giving_up(maria, proxy, side, strategy):
    """The restart strategy ends the pipeline with one line and status 2; the next start goes on."""
    maria.execute("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    agent, middle = through(maria, proxy, side)
    agent.configuration["pipeline"].update({
        "restart-strategy.type": strategy, "restart-strategy.fixed-delay.attempts": 2,
        "restart-strategy.fixed-delay.delay": "100ms"})
    agent.start().wait_streaming()
    maria.wait_equal()
    middle.cut()
    maria.execute("INSERT INTO t VALUES (2)")
    assert agent.wait_end() == 2
    said = "restart-strategy.type is none" if strategy == "none" else "after 2 attempts"
    lines = [line for line in agent.log().splitlines() if "gave up" in line]
    assert len(lines) == 1 and said in lines[0], agent.log(8)
    middle.heal()
    agent.start()
    maria.wait_equal()
    agent.stop()


def test_a_slow_flush_is_told_once(maria, proxy):
    """With the part that is slow; it is not broken off, and the position waits for it."""
    maria.execute("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    agent, middle = through(maria, proxy, "sink")
    agent.configuration["pipeline"]["checkpoint.timeout"] = "600ms"
    agent.start().wait_streaming()
    maria.wait_equal()
    middle.freeze()
    maria.execute("INSERT INTO t VALUES (2)")
    agent.wait_log("takes longer than checkpoint.timeout")
    time.sleep(1.5)
    middle.drop()
    middle.heal()
    maria.wait_equal()
    agent.wait_log("the flush that took longer has ended")
    told = [line for line in agent.log().splitlines() if "longer than checkpoint.timeout" in line]
    assert len(told) == 1 and f"writing to the sink of '{maria.schema}.t'" in told[0], told


@pytest.mark.parametrize("side", ["source", "sink"])
def test_connections_end_again_and_again(sync, proxy, side):
    """After ever more bytes, in the middle of whatever was said."""
    prepare(sync, 2000)
    agent, middle = through(sync, proxy, side)
    load = Load(sync, schema_changes=False)
    load.start()
    agent.start()
    for i in range(12):
        if side == "source":
            middle.limit_answers(3000 * (i + 1) ** 2)
        time.sleep(0.15)
        middle.drop()
    middle.heal()
    load.stop()
    sync.wait_equal(120)


@pytest.mark.parametrize("side", ["source", "sink"])
def test_a_peer_that_closes_slowly(sync, proxy, side):
    """It says that it is done and keeps the connection, on which it takes all and answers nothing:
    whoever waits for the rest of the closing waits for ever."""
    prepare(sync, 500)
    agent, middle = through(sync, proxy, side)
    agent.start().wait_streaming()
    sync.wait_equal()
    for _ in range(4):
        before = middle.accepted
        middle.half_close()
        sync.execute("INSERT INTO keyless VALUES (1), (2)", "INSERT INTO keyed (v) VALUES (1)",
                     "UPDATE keyless SET v = 5 WHERE v = 1 LIMIT 1")
        wait_for(lambda: middle.accepted > before, 10, "another connection")
        sync.wait_equal(20)


@pytest.mark.parametrize("ends", [False, True])
def test_a_sink_that_reads_slowly(maria, proxy, ends):
    """A load takes seconds, or is never taken; the agent answers and ends meanwhile, at the latest
    when a request has taken too long, and the next one goes on."""
    maria.execute("CREATE TABLE t (id INT PRIMARY KEY, v LONGTEXT)", "INSERT INTO t VALUES (1, '')")
    agent, middle = through(maria, proxy, "sink")
    if ends:
        agent.configuration["sink"]["request.timeout"] = "3s"
    agent.start().wait_streaming()
    maria.wait_equal()
    if ends:
        middle.freeze()
    else:
        middle.read_slowly(1 << 20)
    maria.execute(*[("INSERT INTO t VALUES (%s, %s)", (i, os.urandom(1 << 20).hex()))
                    for i in range(10, 18)])  # nothing that compression makes small
    wait_for(lambda: agent.sink_status()["source_events"] >= 2, 30, "rows to be read")
    assert maria.value("SELECT count() FROM {db}.t WHERE id < 18") != "9"
    agent.stop(timeout=60)
    middle.drop()
    middle.heal()
    agent.start()
    maria.wait_equal()


def test_replies_that_are_lost(sync, proxy):
    """ClickHouse has the rows, the agent never hears so: they must not come twice."""
    prepare(sync, 500)
    agent, middle = through(sync, proxy, "sink")
    agent.start().wait_streaming()
    for i in range(8):
        middle.limit_answers(1)
        sync.execute("INSERT INTO keyless VALUES (1), (2)", "INSERT INTO keyed (v) VALUES (1)",
                     "UPDATE keyless SET v = 5 WHERE v = 4 LIMIT 2")
        time.sleep(0.25)
        middle.heal()
        time.sleep(0.1)
    sync.wait_equal(120)


def test_a_connection_that_goes_silent(sync, proxy):
    """Packets are lost without a word: heartbeats notice, and the stream goes on elsewhere."""
    prepare(sync, 100)
    agent, middle = through(sync, proxy, "source")
    agent.start().wait_streaming()
    sync.wait_equal()
    middle.freeze()
    sync.execute("INSERT INTO keyed (v) VALUES (77)")
    began = time.monotonic()
    wait_for(lambda: agent.sink_status()["trouble"] or middle.accepted > 3 and
             agent.sink_status()["reconnects"] > 0, 30, "the silence to be noticed")
    assert time.monotonic() - began < 20
    middle.drop()
    middle.heal()
    sync.wait_equal()


def test_the_source_restarts(own_server, clickhouse, sync_for, flavor):
    server = own_server(flavor)
    sync = sync_for(server, clickhouse)
    prepare(sync, 500)
    agent = sync.agent(pipeline=FAST).start()
    agent.wait_streaming()
    for _ in range(2):
        sync.execute("INSERT INTO keyless VALUES (1)")
        server.restart()
        sync.execute("INSERT INTO keyless VALUES (2)", "UPDATE keyed SET v = v + 1")
        sync.wait_equal()


def test_clickhouse_restarts(own_clickhouse, servers, sync_for):
    sync = sync_for(servers.get("mariadb"), own_clickhouse)
    prepare(sync, 500)
    agent = sync.agent(pipeline=FAST).start()
    agent.wait_streaming()
    load = Load(sync)
    load.start()
    own_clickhouse.stop()
    time.sleep(1.5)
    own_clickhouse.start()
    time.sleep(0.5)
    load.stop()
    sync.wait_equal()


def start_again_if_aborted(server):
    """ClickHouse 26.7 aborts itself at some of the cuts: it is started again, as by its service."""
    try:
        server.rows("SELECT 1")
    except ClickHouseError:
        server.stop()
        server.start()


def test_requests_that_are_cut(own_clickhouse, servers, sync_for, proxy):
    """Ever later, in the middle of a statement or of the rows that follow it."""
    maria = sync_for(servers.get("mariadb"), own_clickhouse)
    prepare(maria, 500)
    agent, middle = through(maria, proxy, "sink")
    agent.start().wait_streaming()
    for i in range(10):
        middle.limit_requests(200 + 400 * i)
        maria.execute("INSERT INTO keyless SELECT v FROM keyed LIMIT 200",
                      "INSERT INTO keyed (v) VALUES (1)")
        time.sleep(0.15)
        middle.drop()
        middle.heal()
        time.sleep(0.05)
        start_again_if_aborted(own_clickhouse)
    maria.wait_equal(120)


def test_both_sides_are_away_at_the_start(own_server, own_clickhouse, sync_for):
    """A service that starts before its servers waits for them."""
    server = own_server("mariadb")
    sync = sync_for(server, own_clickhouse)
    prepare(sync, 50)
    server.stop()
    own_clickhouse.stop()
    agent = sync.agent(pipeline=FAST).start()
    wait_for(lambda: agent.sink_status()["trouble"], 20, "the trouble in /status")
    server.start()
    own_clickhouse.start()
    sync.wait_equal()


def test_other_users_of_a_server_id_are_avoided(maria):
    """Two agents on one server choose ids of their own and do not end each other's stream."""
    prepare(maria, 10)
    agents = [maria.agent(sink={"type": "blackhole"}) for _ in range(3)]
    for agent in agents:
        for key in [k for k in agent.configuration["sink"] if k not in
                    ("type", "sink.buffer-flush.interval")]:
            del agent.configuration["sink"][key]
        agent.start()
    for agent in agents:
        agent.wait_streaming()
    time.sleep(2)
    assert all(agent.sink_status()["reconnects"] == 0 for agent in agents)


def test_inserts_that_the_server_slows(own_clickhouse, servers, sync_for):
    """Memory limits and too many parts are answered by waiting, not by ending."""
    sync = sync_for(servers.get("mariadb"), own_clickhouse)
    sync.execute("CREATE TABLE t (id INT PRIMARY KEY, v INT)")
    agent = sync.agent(sink={"table.create.properties.parts_to_throw_insert": "6",
                             "table.create.properties.parts_to_delay_insert": "5",
                             "sink.buffer-flush.interval": "20ms"}, pipeline=FAST).start()
    agent.wait_streaming()
    own_clickhouse.execute("SYSTEM STOP MERGES")
    ended = threading.Event()

    def write():
        with sync.source.connect(database=sync.schema) as connection:
            cursor, i = connection.cursor(), 0
            while not ended.is_set():
                i += 1
                cursor.execute("INSERT INTO t VALUES (%s, 1)", (i,))
                time.sleep(0.01)
    writer = threading.Thread(target=write)
    writer.start()
    wait_for(lambda: agent.sink_status()["trouble"] or "252" in agent.log(), 30,
             "the server to refuse inserts")
    own_clickhouse.execute("SYSTEM START MERGES")
    ended.set()
    writer.join()
    sync.wait_equal()
