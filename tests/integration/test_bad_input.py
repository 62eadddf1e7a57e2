# SPDX-License-Identifier: Apache-2.0
"""What users get wrong: one clear line that says what to do, and nothing is lost."""

import re

import pytest

from support.agent import Agent
from support.process import free_port, wait_for

FAST = {"restart-strategy.exponential-delay.initial-backoff": "50ms",
        "restart-strategy.exponential-delay.max-backoff": "500ms"}


@pytest.fixture
def table(sync):
    sync.execute("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 1)",
                 "CREATE TABLE u (id INT PRIMARY KEY)", "INSERT INTO u VALUES (1)")
    return sync


def refused(agent, *words, status=2):
    """`run` ends with `status` and its last line has each of the words (alternatives by |)."""
    agent.start(wait=False)
    code = agent.wait_end(60)
    text = agent.log()
    assert code == status, f"status {code}:\n{text}"
    last = [line for line in text.splitlines() if line.strip()][-1]
    for word in words:
        assert re.search(word, last, re.I), f"'{word}' is not in the last line:\n{text}"
    assert "secret-word" not in text
    return text


def test_wrong_password_of_the_source(table):
    agent = table.agent(source={"password": "secret-word"})
    refused(agent, "password|access denied", "millrace")
    code, text = agent.command("check")
    assert code == 2 and re.search("password|access denied", text, re.I), text
    assert "secret-word" not in text


def test_wrong_password_of_the_sink(table):
    agent = table.agent(sink={"password": "secret-word"})
    refused(agent, "password|authentication", "clickhouse|127.0.0.1")
    code, text = agent.command("check")
    assert code == 2 and re.search("password|authentication", text, re.I), text
    assert "secret-word" not in text


def test_a_host_that_does_not_exist(maria):
    maria.execute("CREATE TABLE t (id INT PRIMARY KEY)")
    agent = maria.agent(source={"hostname": "no-such-host.invalid"}, pipeline=FAST)
    code, text = agent.command("check")
    assert code == 2 and "no-such-host.invalid" in text, text


@pytest.mark.parametrize("side", ["source", "sink"])
def test_a_port_that_nobody_listens_on(maria, side):
    """`check` fails and says where; `run` waits for the server and says so."""
    maria.execute("CREATE TABLE t (id INT PRIMARY KEY)")
    port = free_port()
    agent = maria.agent(source={"port": port} if side == "source" else {},
                        sink={"url": f"http://127.0.0.1:{port}"} if side == "sink" else {},
                        pipeline=FAST)
    code, text = agent.command("check")
    assert code == 2 and str(port) in text, text
    agent.start()
    if side == "source":
        wait_for(lambda: str(port) in agent.sink_status()["trouble"], 20, "the trouble")
    else:
        agent.wait_log(str(port))


@pytest.mark.parametrize("missing,word", [("REPLICATION SLAVE", "REPLICATION SLAVE"),
                                          ("SELECT", "SELECT|tables")])
def test_missing_grants(table, missing, word):
    """The line names the right that is missing, as the GRANT that gives it."""
    grants = [grant for grant in ("SELECT", "REPLICATION SLAVE", "REPLICATION CLIENT")
              if grant != missing]
    table.source.execute("CREATE USER poor IDENTIFIED BY 'poor'",
                         f"GRANT {', '.join(grants)} ON *.* TO poor")
    try:
        agent = table.agent(source={"username": "poor", "password": "poor"}, pipeline=FAST)
        code, text = agent.command("check")
        assert code == 2 and re.search(word, text), text
        assert "GRANT" in text, text
        agent.start(wait=False)
        wait_for(lambda: re.search(word, agent.log()), 20, "the missing right in the log")
        agent.kill()
        # The right is given: work goes on.
        table.source.execute(f"GRANT {missing} ON *.* TO poor")
        agent.start()
        table.wait_equal()
    finally:
        table.source.execute("DROP USER poor")


def test_a_sink_user_that_may_not_write(table):
    agent = table.agent(sink={"username": "reader", "password": "reader"})
    code, text = agent.command("check")
    assert code == 2 and re.search("grant|right|privilege", text, re.I), text


def test_binlog_format_statement(own_server, clickhouse, sync_for, flavor):
    server = own_server(flavor, binlog_format="STATEMENT")
    sync = sync_for(server, clickhouse)
    sync.execute("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    agent = sync.agent()
    code, text = agent.command("check")
    assert code == 2 and "binlog_format" in text and "ROW" in text, text
    refused(agent, "binlog_format", "ROW")
    server.execute("SET GLOBAL binlog_format = ROW")
    agent.start()
    sync.wait_equal()


def test_the_log_is_off(own_server, clickhouse, sync_for):
    server = own_server("mariadb", **{"skip-log-bin": "ON"})
    sync = sync_for(server, clickhouse)
    sync.execute("CREATE TABLE t (id INT PRIMARY KEY)")
    agent = sync.agent()
    code, text = agent.command("check")
    assert code == 2 and re.search("log[_-]bin|binary log", text), text
    refused(agent, "log[_-]bin|binary log")


def purge_everything(server):
    server.execute("FLUSH BINARY LOGS", "FLUSH BINARY LOGS")
    file = server.binlog_position()[0]
    wait_for(lambda: server.execute(f"PURGE BINARY LOGS TO '{file}'") or
             len(server.query("SHOW BINARY LOGS")) == 1, 20, "the log to be purged", interval=0.3)


def lose_position(own_server, sync_for, clickhouse, flavor, **pipeline):
    server = own_server(flavor)
    sync = sync_for(server, clickhouse)
    sync.execute("CREATE TABLE t (id INT PRIMARY KEY, v INT)",
                 "INSERT INTO t VALUES (1, 1), (2, 2)",
                 "CREATE TABLE k (v INT)", "INSERT INTO k VALUES (1), (1)")
    agent = sync.agent(pipeline=pipeline).start()
    agent.wait_streaming()
    sync.wait_equal()
    agent.stop()
    sync.execute("DELETE FROM t WHERE id = 1", "INSERT INTO t VALUES (3, 3)",
                 "INSERT INTO k VALUES (2)")
    purge_everything(server)
    sync.execute("INSERT INTO t VALUES (4, 4)")
    return sync, agent


def test_a_purged_log_stops(own_server, clickhouse, sync_for, flavor):
    """Nothing is skipped in silence: it ends and names the ways out."""
    _, agent = lose_position(own_server, sync_for, clickhouse, flavor)
    refused(agent, "purged|no longer", "on-lost-position")


def test_a_purged_log_is_made_up_for(own_server, clickhouse, sync_for, flavor):
    sync, agent = lose_position(own_server, sync_for, clickhouse, flavor,
                                **{"on-lost-position": "resync"})
    agent.start()
    sync.wait_equal(90)


def test_a_purged_log_is_skipped_on_demand(own_server, clickhouse, sync_for, flavor):
    sync, agent = lose_position(own_server, sync_for, clickhouse, flavor,
                                **{"on-lost-position": "latest"})
    agent.start()
    agent.wait_log("skipped")  # what is written before this is a part of what was missed
    wait_for(lambda: agent.sink_status()["connected"], 30, "the stream from the log's end")
    sync.execute("INSERT INTO t VALUES (5, 5)")
    wait_for(lambda: sync.value_or_none("SELECT count() FROM {db}.t FINAL WHERE id = 5") == "1", 30,
             "the new row")
    assert re.search("lost|skip", agent.log(), re.I)


def test_a_server_that_began_anew(own_server, clickhouse, sync_for, flavor):
    """RESET MASTER: the positions of before mean nothing now."""
    server = own_server(flavor)
    sync = sync_for(server, clickhouse)
    sync.execute("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    agent = sync.agent().start()
    agent.wait_streaming()
    sync.execute(*[f"INSERT INTO t VALUES ({i})" for i in range(2, 12)])
    sync.wait_equal()
    agent.stop()
    server.execute("RESET BINARY LOGS AND GTIDS" if flavor == "mysql" else "RESET MASTER")
    sync.execute("INSERT INTO t VALUES (100)")
    refused(agent, "on-lost-position|position|log")


CONFIGS = {
    "unknown key": ("source", {"hostnam": "x"}, ["hostnam", "hostname"]),
    "unknown key of the sink": ("sink", {"sink.buffer-flush.max-row": 5},
                                ["sink.buffer-flush.max-rows"]),
    "unknown key of the pipeline": ("pipeline", {"checkpoint.intervall": "1s"},
                                    ["checkpoint.interval"]),
    "bad number": ("source", {"port": "many"}, ["port"]),
    "number out of range": ("source", {"port": 70000}, ["port", "65535"]),
    "bad duration": ("pipeline", {"checkpoint.interval": "soon"}, ["checkpoint.interval"]),
    "bad choice": ("source", {"scan.startup.mode": "intial"}, ["scan.startup.mode", "initial"]),
    "bad type": ("source", {"type": "oracle"}, ["oracle", "mysql"]),
    "bad sink type": ("sink", {"type": "clickhose"}, ["clickhose", "clickhouse"]),
    "bad pattern": ("source", {"tables": "db.(unclosed"}, ["unclosed|tables|parenthes"]),
    "missing variable": ("source", {"password": "${env:MILLRACE_TEST_NOT_SET}"},
                         ["MILLRACE_TEST_NOT_SET"]),
    "missing file": ("source", {"password": "${file:no/such/file}"}, ["no/such/file"]),
    "bad url": ("sink", {"url": "ftp://nowhere"}, ["url|ftp"]),
    "bad address": ("pipeline", {"http.listen": "everywhere"}, ["http.listen"]),
}


@pytest.mark.parametrize("part,change,words", CONFIGS.values(), ids=CONFIGS.keys())
def test_mistakes_in_the_config(maria, part, change, words):
    agent = maria.agent()
    agent.configuration[part].update(change)
    for command in ("check", "run"):
        code, text = agent.command(command)
        assert code == 2, text
        assert "millrace.yaml:" in text, f"no line is named:\n{text}"
        for word in words:
            assert re.search(word, text), text
        assert len(text.strip().splitlines()) <= 3, text


def test_texts_that_are_no_config(maria, tmp_path):
    agent = maria.agent()
    agent.write = lambda: None
    for text in ("", "source: [unclosed", "\tsource: x", "just text", "source:\n  type: mysql\n",
                 "a: &a [*a]", "source: 1\nsource: 2\n", "\0\1\2"):
        with open(agent.path, "w") as file:
            file.write(text)
        code, out = agent.command("check")
        assert code == 2 and "millrace.yaml" in out, f"{text!r}: {code} {out}"
    agent.path = str(tmp_path / "missing.yaml")
    code, out = agent.command("check")
    assert code == 2 and "missing.yaml" in out, out


def test_patterns_that_match_nothing(maria):
    agent = maria.agent(source={"tables": r"no_such_database.\.*"})
    code, text = agent.command("check")
    assert re.search("match|no table", text), text


SHAPES = {
    "other engine": "CREATE TABLE {t} (id Int32, v Nullable(Int32)) ENGINE = MergeTree ORDER BY id",
    "narrower column": "CREATE TABLE {t} (id Int32, v Nullable(Int8), _version UInt64, _is_deleted "
                       "UInt8) ENGINE = ReplacingMergeTree(_version, _is_deleted) ORDER BY id",
    "column never null": "CREATE TABLE {t} (id Int32, v Int32, _version UInt64, _is_deleted UInt8) "
                         "ENGINE = ReplacingMergeTree(_version, _is_deleted) ORDER BY id",
    "other key": "CREATE TABLE {t} (id Int32, v Int32, _version UInt64, _is_deleted UInt8) "
                 "ENGINE = ReplacingMergeTree(_version, _is_deleted) ORDER BY (id, v)",
}


@pytest.mark.parametrize("statement", SHAPES.values(), ids=SHAPES.keys())
def test_a_target_of_another_shape(table, statement):
    """The table parks with a reason, the others go on; `resync` is not needed once it fits."""
    table.clickhouse.execute(f"CREATE DATABASE `{table.schema}`")
    table.clickhouse.execute(statement.format(t=f"`{table.schema}`.t"))
    agent = table.agent().start()
    wait_for(lambda: agent.table_states().get(f"{table.schema}.t") == "parked", 30,
             "the table to park")
    table.execute("INSERT INTO u VALUES (2)")
    table.wait_equal(tables=["u"])
    reason = next(t["reason"] for t in agent.sink_status()["tables"] if t["source"].endswith(".t"))
    assert reason and f"{table.schema}.t" in agent.log()
    code, text = agent.command("tables")
    assert "parked" in text and reason[:40] in text, text
    code, text = agent.command("status")
    assert code == 1, text


def test_a_target_with_more_columns_and_another_order(table):
    """Columns meet by name; what the target has beyond them is left alone."""
    table.clickhouse.execute(f"CREATE DATABASE `{table.schema}`")
    table.clickhouse.execute(
        f"CREATE TABLE `{table.schema}`.t (extra String DEFAULT 'kept', v Nullable(Int64), "
        "_is_deleted UInt8, id Int64, _version UInt64, at DateTime DEFAULT now()) "
        "ENGINE = ReplacingMergeTree(_version, _is_deleted) ORDER BY id")
    table.agent().start().wait_streaming()
    table.execute("INSERT INTO t VALUES (2, NULL)", "UPDATE t SET v = 9 WHERE id = 1")
    table.wait_equal()
    assert table.value("SELECT DISTINCT extra FROM {db}.t FINAL") == "kept"


def test_a_target_that_somebody_changes(table):
    """A column dropped by hand is noticed; the table is mended or parked, rows are not lost."""
    agent = table.agent(pipeline=FAST).start()
    agent.wait_streaming()
    table.wait_equal()
    table.clickhouse.execute(f"ALTER TABLE `{table.schema}`.t DROP COLUMN v")
    table.execute("INSERT INTO t VALUES (2, 2)", "INSERT INTO u VALUES (2)")
    table.wait_equal(tables=["u"])
    wait_for(lambda: agent.table_states()[f"{table.schema}.t"] == "parked" or
             table.clickhouse.value(f"SELECT count() FROM `{table.schema}`.t FINAL") == "2", 30,
             "the row or the table parked")


def test_clickhouse_is_too_old(maria, servers):
    old = servers.get("old-clickhouse")
    maria.execute("CREATE TABLE t (id INT PRIMARY KEY)")
    agent = maria.agent(sink={"url": f"http://127.0.0.1:{old.port}"})
    code, text = agent.command("check")
    lines = [line for line in text.splitlines() if "18.16" in line]
    assert code == 2 and len(lines) == 1 and re.search("old|needs|23|24|25", lines[0]), text
    refused(agent, "18.16")


def test_a_source_of_the_wrong_kind(maria, clickhouse):
    """The port of another service."""
    agent = maria.agent(source={"port": clickhouse.port, "connect.timeout": "3s"}, pipeline=FAST)
    code, text = agent.command("check")
    assert code == 2 and str(clickhouse.port) in text, text


def test_an_address_that_is_taken(maria):
    maria.execute("CREATE TABLE t (id INT PRIMARY KEY)")
    first = maria.agent().start()
    second = maria.agent()
    second.configuration["pipeline"]["http.listen"] = f"127.0.0.1:{first.port}"
    refused(second, "http.listen|address", str(first.port))
    maria.agents.remove(second)


def test_a_checkpoint_folder_that_cannot_be_written(maria, tmp_path):
    file = tmp_path / "file"
    file.write_text("in the way")
    agent = maria.agent(pipeline={"checkpoint.directory": str(file / "checkpoint")})
    refused(agent, "checkpoint")


def test_secrets_are_not_shown(maria):
    maria.execute("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    agent = maria.agent(pipeline={"log.level": "debug"}).start()
    agent.wait_streaming()
    secrets = [agent.configuration["source"]["password"], agent.configuration["sink"]["password"]]
    with open(f"/proc/{agent.process.pid}/cmdline") as file:
        shown = file.read()
    shown += agent.get("/status") + agent.get("/metrics")
    for command in ("check", "status", "tables"):
        shown += agent.command(command)[1]
    agent.stop()
    shown += agent.log()
    assert not [secret for secret in secrets if secret in shown]


def test_an_agent_for_nothing(tmp_path):
    """Neither side is there and the config is right: `check` names both."""
    agent = Agent(str(tmp_path), {"type": "mysql", "hostname": "127.0.0.1", "port": free_port(),
                                  "username": "u", "password": "p", "tables": r"a.\.*"},
                  {"type": "clickhouse", "url": f"http://127.0.0.1:{free_port()}"})
    code, text = agent.command("check")
    assert code == 2
    assert str(agent.configuration["source"]["port"]) in text
    assert agent.configuration["sink"]["url"].rsplit(":", 1)[1] in text
