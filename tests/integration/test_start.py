# SPDX-License-Identifier: Apache-2.0
"""Start modes, TLS, routes, several sinks, and what the commands print."""

import json
import os
import re
import time

import pytest

from support.process import wait_for
from support.sample_shop import numbers


@pytest.fixture
def table(sync):
    sync.execute("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 1)",
                 "CREATE TABLE m (v INT)", "INSERT INTO m VALUES (1), (1)")
    return sync


def ids(sync):
    if "t" not in sync.clickhouse.tables(sync.schema):
        return None
    return [int(row[0]) for row in sync.rows("SELECT id FROM {db}.t FINAL ORDER BY id")]


def wait_ids(sync, wanted):
    sync.agents[-1].check_alive()
    try:
        wait_for(lambda: ids(sync) == wanted, 30, f"ids {wanted}")
    except TimeoutError as error:
        raise AssertionError(f"{error}, found {ids(sync)}\n{sync.agents[-1].log(20)}") from None


def test_latest_offset(table):
    agent = table.agent(source={"scan.startup.mode": "latest-offset"}).start()
    wait_for(lambda: agent.sink_status()["connected"], 30, "the stream")
    time.sleep(0.3)
    table.execute("INSERT INTO t VALUES (2, 2)", "INSERT INTO t VALUES (3, 3)")
    wait_ids(table, [2, 3])
    agent.kill()
    table.execute("INSERT INTO t VALUES (4, 4)")
    agent.start()
    wait_ids(table, [2, 3, 4])


def test_earliest_offset(own_server, clickhouse, sync_for, flavor):
    sync = sync_for(own_server(flavor), clickhouse)
    sync.execute("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 1)",
                 "FLUSH BINARY LOGS", "INSERT INTO t VALUES (2, 2)", "UPDATE t SET v = 3",
                 "ALTER TABLE t ADD COLUMN w INT DEFAULT 8", "INSERT INTO t VALUES (4, 4, 4)",
                 "CREATE TABLE m (v INT)", "INSERT INTO m VALUES (5), (5)")
    sync.agent(source={"scan.startup.mode": "earliest-offset"}).start()
    sync.wait_equal()


def test_specific_offset_by_file_and_position(table):
    file, position = table.source.binlog_position()
    table.execute("INSERT INTO t VALUES (2, 2)", "INSERT INTO t VALUES (3, 3)")
    table.agent(source={"scan.startup.mode": "specific-offset",
                        "scan.startup.specific-offset.file": file,
                        "scan.startup.specific-offset.pos": position}).start()
    wait_ids(table, [2, 3])


def test_specific_offset_by_gtid(table):
    mysql = table.source.flavor == "mysql"
    gtid = table.source.value("SELECT @@GLOBAL.gtid_executed" if mysql
                              else "SELECT @@GLOBAL.gtid_binlog_pos")
    table.execute("INSERT INTO t VALUES (2, 2)", "INSERT INTO t VALUES (3, 3)")
    table.agent(source={"scan.startup.mode": "specific-offset",
                        "scan.startup.specific-offset.gtid-set": gtid.replace("\n", "")}).start()
    wait_ids(table, [2, 3])


def test_timestamp(table):
    time.sleep(1.2)  # the log's clock ticks in seconds
    now = table.source.value("SELECT UNIX_TIMESTAMP()")
    time.sleep(1.2)
    table.execute("INSERT INTO t VALUES (2, 2)", "INSERT INTO t VALUES (3, 3)")
    table.agent(source={"scan.startup.mode": "timestamp",
                        "scan.startup.timestamp-millis": int(now + 1) * 1000}).start()
    wait_ids(table, [2, 3])


# ---- run --from ----

def test_from_a_position(table):
    """Only with consent over a checkpoint; a service that starts again goes on, not back."""
    file, position = table.source.binlog_position()
    table.agent().start()
    table.wait_equal()
    agent = table.agents[0]
    agent.stop()
    table.execute("INSERT INTO t VALUES (2, 2)")
    for place, said in (("latest", "--discard-checkpoint"), ("nowhere", "is no place in a binary")):
        agent.start(wait=False, arguments=["--from", place])
        assert agent.wait_end() == 2
        assert said in agent.log(1), agent.log(3)
    table.clickhouse.execute(f"TRUNCATE TABLE `{table.schema}`.t")
    there = ["--from", f"{file}:{position}", "--discard-checkpoint"]
    agent.start(arguments=there)
    wait_ids(table, [2])  # and not the snapshot
    assert "beginning anew" in agent.log()
    agent.stop()
    table.clickhouse.execute(f"TRUNCATE TABLE `{table.schema}`.t")
    agent.start(arguments=there)
    table.execute("INSERT INTO t VALUES (3, 3)")
    wait_ids(table, [3])
    assert "goes on" in agent.log(20)
    agent.stop()
    agent.start()  # without: it goes on too
    table.execute("INSERT INTO t VALUES (4, 4)")
    wait_ids(table, [3, 4])


def test_from_where_another_was(table):
    """The position as `status` prints it, for an agent without a checkpoint."""
    first = table.agent().start()
    table.wait_equal()
    place = wait_for(lambda: first.sink_status()["position"], 10, "a position")
    first.stop()
    table.execute("INSERT INTO t VALUES (2, 2)")
    table.clickhouse.execute(f"TRUNCATE TABLE `{table.schema}`.t")
    table.agent().start(arguments=["--from", place])
    wait_ids(table, [2])


# ---- TLS and authentication ----

def authority(server, name="ca.pem"):
    return os.path.join(server.folder, "certificates", name)


@pytest.mark.parametrize("mode", ["disabled", "preferred", "required", "verify-ca",
                                  "verify-identity"])
def test_tls_modes(table, mode):
    settings = {"ssl.mode": mode}
    if mode.startswith("verify"):
        settings["ssl.ca"] = authority(table.source)
    table.source.execute("FLUSH PRIVILEGES")  # empties MySQL's cache: the long login without TLS
    table.agent(source=settings).start()
    table.wait_equal()
    table.execute("INSERT INTO t VALUES (2, 2)")
    table.wait_equal()


def test_tls_is_really_used(table):
    table.source.execute("CREATE USER tls IDENTIFIED BY 'tls' REQUIRE SSL",
                         "GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO tls")
    try:
        login = {"username": "tls", "password": "tls"}
        code, text = table.agent(source={**login, "ssl.mode": "disabled"}).command("check")
        assert code == 2, text
        table.agent(source={**login, "ssl.mode": "required"}).start()
        table.wait_equal()
        for agent in table.agents:
            agent.kill()
    finally:
        table.source.execute("DROP USER tls")


def test_tls_of_another_authority_is_refused(table):
    agent = table.agent(source={"ssl.mode": "verify-ca",
                                "ssl.ca": authority(table.source, "other-ca.pem")})
    code, text = agent.command("check")
    assert code == 2 and re.search("certificate|tls|ssl", text, re.I), text


def test_tls_of_another_name_is_refused(table):
    """The certificate is for localhost and 127.0.0.1."""
    agent = table.agent(source={"ssl.mode": "verify-identity", "hostname": "127.0.0.2",
                                "ssl.ca": authority(table.source)})
    code, text = agent.command("check")
    assert code == 2, text


# ---- routes and several databases ----

def test_routes(table):
    """Patterns, a symbol for the name, groups, and a table that no rule touches."""
    target = table.schema + "_ods"
    table.schemas.append(target)
    table.execute("CREATE TABLE part_1 (id INT PRIMARY KEY, v INT)",
                  "CREATE TABLE part_2 (id INT PRIMARY KEY, v INT)",
                  "INSERT INTO part_1 VALUES (1, 1)", "INSERT INTO part_2 VALUES (2, 2)")
    table.agent(route=[
        {"source-table": rf"{table.schema}.part_\.*", "sink-table": f"{target}.parts"},
        {"source-table": f"{table.schema}.t", "sink-table": f"{target}.ods_<>_x",
         "replace-symbol": "<>"},
    ]).start().wait_streaming()
    table.execute("INSERT INTO part_1 VALUES (11, 1)", "UPDATE part_2 SET v = 22",
                  "INSERT INTO t VALUES (2, 2)", "ALTER TABLE t ADD COLUMN w INT DEFAULT 6")
    table.wait_equal(tables=["m"])
    wait_for(lambda: table.clickhouse.rows(
        f"SELECT id, v FROM `{target}`.parts FINAL ORDER BY id") ==
        [["1", "1"], ["2", "22"], ["11", "1"]], 30, "the merged table")
    wait_for(lambda: table.comparison.table(table.schema, "t", (target, "ods_t_x")).equal, 30,
             "the renamed table")


def test_tables_that_are_excluded(maria):
    maria.execute("CREATE TABLE a (id INT PRIMARY KEY)", "CREATE TABLE b (id INT PRIMARY KEY)",
                  "CREATE TABLE b_log (id INT PRIMARY KEY)", "INSERT INTO a VALUES (1)")
    maria.agent(source={"tables.exclude": rf"{maria.schema}.b\.*"}).start().wait_streaming()
    maria.execute("INSERT INTO b VALUES (1)", "INSERT INTO a VALUES (2)",
                  "CREATE TABLE b_late (id INT PRIMARY KEY)")
    maria.wait_equal(tables=["a"])
    assert set(maria.clickhouse.tables(maria.schema)) == {"a"}


def test_tables_that_are_chosen_later(sync):
    """The config matches more at a restart: a view among it is none of ours, the table is read."""
    sync.execute("CREATE TABLE a (id INT PRIMARY KEY)", "CREATE TABLE b (id INT PRIMARY KEY)",
                 "INSERT INTO a VALUES (1)", "INSERT INTO b VALUES (2)",
                 "CREATE VIEW looked AS SELECT * FROM a")
    agent = sync.agent(source={"tables": f"{sync.schema}.a"}).start()
    sync.wait_equal(tables=["a"])
    agent.stop()
    agent.configuration["source"]["tables"] = rf"{sync.schema}.\.*"
    for row in (3, 4):  # once with a table that is new, once without
        agent.start()
        sync.execute(f"INSERT INTO b VALUES ({row})")
        sync.wait_equal(tables=["a", "b"])
        agent.stop()
    assert set(sync.clickhouse.tables(sync.schema)) == {"a", "b"}


def test_two_databases(maria):
    other = maria.schema + "_b"
    maria.schemas.append(other)
    maria.source.execute(f"CREATE DATABASE `{other}`",
                         f"CREATE TABLE `{other}`.t (id INT PRIMARY KEY, w TEXT)",
                         f"INSERT INTO `{other}`.t VALUES (1, 'other')")
    maria.execute("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 1)")
    maria.agent(source={"tables": rf"{maria.schema}.\.*, {other}.t"}).start().wait_streaming()
    maria.source.execute(
        f"UPDATE `{maria.schema}`.t a JOIN `{other}`.t b USING (id) SET a.v = 5, b.w = 'both'")
    maria.wait_equal()
    maria.comparison.wait_equal(other, 30)


def test_two_sinks(maria):
    """A blackhole beside ClickHouse: each has its own state."""
    maria.execute("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    agent = maria.agent()
    sink = agent.configuration.pop("sink")
    agent.configuration["sinks"] = [{"name": "olap", **sink},
                                    {"name": "nothing", "type": "blackhole"}]
    agent.start()
    maria.wait_equal()
    wait_for(lambda: len(agent.status()["sinks"]) == 2 and
             all(s["tables"] and s["tables"][0]["state"] == "streaming"
                 for s in agent.status()["sinks"]), 30, "both sinks to stream")
    assert {s["name"] for s in agent.status()["sinks"]} == {"olap", "nothing"}


def test_the_stdout_sink(maria, tmp_path):
    """Changes as JSON lines."""
    maria.execute("CREATE TABLE t (id INT PRIMARY KEY, s TEXT)", "INSERT INTO t VALUES (1, 'ü')")
    agent = maria.agent()
    agent.configuration["sink"] = {"type": "stdout"}
    code, text = agent.command("backfill")
    assert code == 0, text
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert any("ü" in json.dumps(line, ensure_ascii=False) for line in lines), text


# ---- commands ----

def test_commands_that_look(table):
    agent = table.agent()
    code, text = agent.command("check")
    assert code == 0, text
    doubts = re.findall(r"^(?:FAIL|WARN)  (.*?) is missing", text, re.M)
    assert doubts == ([] if table.source.flavor == "mariadb" else ["source: LOCK TABLES"]), text
    assert not re.search("^FAIL", text, re.M) and text.count("WARN") == len(doubts), text
    assert re.search("^OK    source: 2 tables match, 1 of them without a key", text, re.M), text
    agent.start().wait_streaming()
    code, text = agent.command("status")
    assert code == 0 and "running" in text and "streaming" in text, text
    code, text = agent.command("status", "--json")
    assert code == 0 and json.loads(text)["sinks"][0]["tables"], text
    code, text = agent.command("tables")
    assert code == 0 and f"{table.schema}.t" in text and f"{table.schema}.m" in text, text
    agent.stop()
    code, text = agent.command("status")
    assert "no agent" in text and "streaming" in text, text


def test_help_and_versions(maria):
    import subprocess
    from support.agent import BINARY
    for arguments, code, word in ((["version"], 0, r"\d+\.\d+\.\d+"), (["help"], 0, "backfill"),
                                  (["options"], 0, "scan.startup.mode"), ([], 64, "usage"),
                                  (["nonsense"], 64, "nonsense"), (["run"], 64, "config")):
        done = subprocess.run([BINARY, *arguments], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        assert done.returncode == code and re.search(word, done.stdout, re.I), \
            f"{arguments}: {done.returncode} {done.stdout[:300]}"


def test_http(maria):
    """Loopback only, and no page of the web can read it through a browser."""
    import http.client
    maria.execute("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    agent = maria.agent().start()
    agent.wait_streaming()
    assert agent.get("/healthz").startswith("ok")
    metrics = agent.metrics()
    for name in ("millrace_rows_total", "millrace_loads_total", "millrace_lag_milliseconds",
                 "millrace_table_state", "millrace_bytes_total", "millrace_up"):
        assert any(key.startswith(name + "{") for key in metrics), name

    def ask(method, path, host):
        connection = http.client.HTTPConnection("127.0.0.1", agent.port, timeout=5)
        connection.request(method, path, headers={"Host": host})
        status = connection.getresponse().status
        connection.close()
        return status
    assert ask("GET", "/status", "evil.example.org") in (400, 403, 421)
    assert ask("GET", "/nothing", "localhost") == 404
    assert ask("POST", "/status", "localhost") in (404, 405)


def test_systemd_is_told(maria):
    """READY=1 once it works, STOPPING=1 at the end."""
    import socket
    maria.execute("CREATE TABLE t (id INT PRIMARY KEY)")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        name = f"\0millrace-test-{os.getpid()}"
        server.bind(name)
        server.settimeout(20)
        agent = maria.agent(environment={"NOTIFY_SOCKET": "@" + name[1:]}).start()
        said = server.recv(1000).decode()
        while "READY=1" not in said:
            said += server.recv(1000).decode()
        agent.stop()
        while "STOPPING=1" not in said:
            said += server.recv(1000).decode()


def test_secrets_from_the_environment_and_files(maria, tmp_path):
    secret = tmp_path / "password"
    secret.write_text(maria.clickhouse.sink_options()["password"] + "\n")
    maria.execute("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    agent = maria.agent(source={"password": "${env:MILLRACE_TEST_PASSWORD}"},
                        sink={"password": f"${{file:{secret}}}"})
    agent.environment["MILLRACE_TEST_PASSWORD"] = maria.source.source_options()["password"]
    agent.start()
    maria.wait_equal()


def test_a_flink_cdc_pipeline_file(maria):
    """The words of a Flink CDC file for MySQL are taken as they are."""
    maria.execute("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    agent = maria.agent(source={"server-id": "5400-5404", "server-time-zone": "UTC",
                                "scan.startup.mode": "initial", "schema-change.enabled": True,
                                "scan.incremental.snapshot.chunk.size": 8096,
                                "heartbeat.interval": "30s"},
                        pipeline={"parallelism": 4})
    agent.start()
    maria.wait_equal()


def test_many_rows_arrive_quickly(maria):
    """A row is visible within the flush interval and a little."""
    maria.execute("CREATE TABLE t (id INT PRIMARY KEY)",
                  f"INSERT INTO t SELECT n FROM {numbers(1000)}")
    agent = maria.agent().start()
    agent.wait_streaming()
    maria.execute("INSERT INTO t VALUES (5000)")
    began = time.monotonic()
    read = "SELECT count() FROM {db}.t FINAL WHERE id = 5000"
    wait_for(lambda: maria.value_or_none(read) == "1", 10, "the row", interval=0.01)
    assert time.monotonic() - began < 2
