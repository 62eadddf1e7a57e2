# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL as its users meet it: check, TLS, passwords, wrong settings, several sinks, one-shot
backfills, a sink that blocks for long."""

import os
import re
import time

import pytest

from support.process import wait_for


def shop(pg, rows=100):
    pg.execute("CREATE TABLE t (id int PRIMARY KEY, v text)",
               f"INSERT INTO t SELECT n, 'v' || n FROM generate_series(1, {rows}) n")


def test_check_names_what_is_wrong_and_its_cure(pg):
    pg.execute("CREATE TABLE good (id int PRIMARY KEY)", "CREATE TABLE bare (v int)")
    agent = pg.agent(source={"tables.exclude": rf"{pg.schema}.{pg.schema}.bare"})
    status, text = agent.command("check")
    assert status == 0, text
    assert f"connected to {pg.source.label}" in text and "wal_level is logical" in text
    assert f"slot '{pg.schema}' will be made" in text and "1 tables match" in text
    status, text = pg.agent().command("check")
    assert status == 2
    assert f'{pg.schema}.bare: it has no primary key' in text
    assert f'ALTER TABLE "{pg.schema}"."bare" REPLICA IDENTITY FULL' in text


@pytest.mark.parametrize("change, words", [
    ({"password": "wrong"}, "password authentication failed.*check username and password"),
    ({"username": "nobody"}, "check username and password"),
    ({"database": "nowhere"}, "check the name of the database"),
    ({"ssl.mode": "verify-full"}, "set ssl.ca"),
    ({"port": 1}, "Connection refused.*is the server running"),
])
def test_what_a_user_can_get_wrong(pg, change, words):
    shop(pg)
    agent = pg.agent(source=change)
    status, text = agent.command("check")
    assert status == 2
    assert re.search(words, text), text
    assert "mill 'race" not in text


def test_a_server_without_logical_decoding(pg_for, lab_folder):
    from support.postgres import PostgreSQL
    server = PostgreSQL(lab_folder, {"wal_level": "replica"}).start()
    try:
        pg = pg_for(server=server)
        shop(pg)
        status, text = pg.agent().command("check")
        assert status == 2 and "ALTER SYSTEM SET wal_level = logical" in text
        agent = pg.agent().start(wait=False)
        assert agent.wait_end() == 2
        assert "ALTER SYSTEM SET wal_level = logical" in agent.log()
    finally:
        server.remove()


@pytest.mark.parametrize("names", ["*", "FIRST 1 (other, \"Millrace\")"])
def test_the_agent_is_no_standby(pg, names):
    """Commits would wait for the sink; what the agent writes itself would wait for ever."""
    shop(pg)
    pg.source.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'",
                      "SELECT pg_reload_conf()")
    try:
        agent = pg.agent(source={"discovery.interval": "200ms"})
        status, text = agent.command("check")
        assert status == 0 and "takes the agent for a standby" in text
        agent.start().wait_streaming()
        pg.execute("CREATE TABLE fresh (id int PRIMARY KEY)", "INSERT INTO fresh VALUES (1)",
                   "ALTER TABLE fresh ADD v int", "INSERT INTO fresh VALUES (2, 2)")
        pg.wait_equal()
        agent.stop()
    finally:
        pg.source.execute("ALTER SYSTEM RESET synchronous_standby_names",
                          "SELECT pg_reload_conf()")
    status, text = agent.command("check")
    assert status == 0 and "takes the agent for a standby" not in text


def test_tls_with_a_verified_name(pg):
    shop(pg)
    authority = os.path.join(pg.source.folder, "certificates", "ca.pem")
    other = os.path.join(pg.source.folder, "certificates", "other-ca.pem")
    agent = pg.agent(source={"hostname": "localhost", "ssl.mode": "verify-full",
                             "ssl.ca": authority})
    agent.start().wait_streaming()
    encrypted = pg.source.query("SELECT count(*), count(*) FILTER (WHERE ssl) FROM pg_stat_ssl "
                                "JOIN pg_stat_activity USING (pid) WHERE application_name = "
                                "'millrace'")[0]
    assert encrypted[0] >= 2 and encrypted[0] == encrypted[1]
    pg.execute("UPDATE t SET v = 'x' WHERE id < 10")
    pg.wait_equal()
    status, text = pg.agent(source={"ssl.mode": "verify-full", "ssl.ca": other}).command("check")
    assert status == 2 and "certificate" in text


def test_a_password_from_a_passfile(pg, tmp_path):
    shop(pg)
    passfile = tmp_path / "passfile"
    passfile.write_text("*:*:*:millrace:mill 'race\" \\\\$1\n")
    passfile.chmod(0o600)
    agent = pg.agent(source={"passfile": str(passfile), "password": ""})
    agent.start().wait_streaming()
    pg.wait_equal()


def test_the_database_is_the_first_part_of_the_tables(pg):
    agent = pg.agent(source={"tables": rf"{pg.schema}.\.*"})
    status, text = agent.command("check")
    assert status == 2 and "which database? Set 'database'" in text
    shop(pg)
    agent.configuration["source"]["database"] = pg.schema
    agent.start().wait_streaming()
    pg.wait_equal()


def test_each_sink_has_a_slot_of_its_own(pg):
    shop(pg)
    agent = pg.agent()
    sink = agent.configuration.pop("sink")
    agent.configuration["sinks"] = [{**sink, "name": "Main"}, {"type": "blackhole", "name": "b-2"}]
    agent.start().wait_streaming()
    pg.execute("DELETE FROM t WHERE id = 1")
    pg.wait_equal()
    slots = pg.source.query("SELECT slot_name FROM pg_replication_slots WHERE database = "
                            f"'{pg.schema}' ORDER BY 1")
    assert [slot[0] for slot in slots] == [f"{pg.schema}_b_2", f"{pg.schema}_main"]


def test_a_backfill_of_one_table_leaves_no_slot_behind(pg):
    shop(pg)
    pg.execute("CREATE TABLE other (id int PRIMARY KEY)")
    agent = pg.agent()
    for run in range(2):
        pg.execute(f"INSERT INTO t VALUES ({1000 + run}, 'more')")
        status, text = agent.command("backfill", "--table", rf"{pg.schema}.t")
        assert status == 0, text
        pg.wait_equal(tables=["t"])
        assert pg.source.value("SELECT count(*) FROM pg_replication_slots WHERE database = "
                               f"'{pg.schema}'") == 0
    assert list(pg.clickhouse.tables(pg.schema)) == ["t"]


def test_a_sink_that_blocks_for_longer_than_the_server_waits(pg_for, lab_folder):
    """The stream is answered while the intake waits for the sink."""
    from support.postgres import PostgreSQL
    server = PostgreSQL(lab_folder, {"wal_sender_timeout": "6s"}).start()
    try:
        pg = pg_for(server=server)
        pg.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
        agent = pg.agent(pipeline={"memory.budget": "32mb"}).start()
        agent.wait_streaming()
        walsender = pg.slot("active_pid")
        pg.clickhouse.stop()
        pg.execute("INSERT INTO t SELECT n, repeat(md5(n::text), 20) FROM "
                   "generate_series(1, 100000) n")
        time.sleep(20)
        assert pg.slot("active_pid") == walsender, agent.log(20)
        pg.clickhouse.start()
        pg.wait_equal(120)
    finally:
        for agent in pg.agents:
            agent.stop()
        server.remove()


def test_the_publication_is_the_users(pg):
    """publication.autocreate.mode: disabled. A table that is not in it is parked with the cure."""
    shop(pg)
    pg.execute("CREATE TABLE late (id int PRIMARY KEY)", "INSERT INTO late VALUES (1)")
    agent = pg.agent(source={"publication.autocreate.mode": "disabled", "publication.name": "mine"})
    agent.start(wait=False)
    assert agent.wait_end() == 2
    assert "there is no publication 'mine': run CREATE PUBLICATION" in agent.log()
    pg.source.execute(f"CREATE PUBLICATION mine FOR TABLE {pg.schema}.t "
                      "WITH (publish_via_partition_root = true)", database=pg.schema)
    agent.start()
    agent.wait_log(r"late.*parked.*ALTER PUBLICATION .*mine.* ADD TABLE")
    pg.execute("UPDATE t SET v = 'x' WHERE id = 7")
    pg.wait_equal(tables=["t"])


def test_a_flink_cdc_pipeline_file(pg):
    """The source part of a Flink CDC pipeline for PostgreSQL loads as it is."""
    shop(pg)
    agent = pg.agent(source={
        "decoding.plugin.name": "pgoutput", "scan.include-partitioned-tables.enabled": "true",
        "schema-change.enabled": "true", "jdbc.properties.ssl": "false", "server-time-zone": "UTC",
        "scan.lsn-commit.checkpoints-num-delay": 3, "scan.snapshot.fetch.size": 512,
        "debezium.snapshot.mode": "never", "heartbeat.interval": "30s"})
    status, text = agent.command("check")
    assert status == 0, text
    agent.start().wait_streaming()
    pg.wait_equal()


def test_rows_of_other_servers_are_left_out(pg_for):
    """Of servers that replicate to each other, by the origin of each transaction."""
    pg = pg_for("postgres17")
    pg.execute("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    pg.agent({"origin": "none"}).start().wait_streaming()
    pg.source.execute(
        "SELECT pg_replication_origin_create('elsewhere')",
        "SELECT pg_replication_origin_session_setup('elsewhere')",
        f"INSERT INTO {pg.schema}.t VALUES (2)", "SELECT pg_replication_origin_session_reset()",
        "SELECT pg_replication_origin_drop('elsewhere')",
        f"INSERT INTO {pg.schema}.t VALUES (3)", database=pg.schema)
    rows = f"SELECT groupArray(id) FROM (SELECT id FROM {pg.schema}.t FINAL ORDER BY id)"
    wait_for(lambda: pg.clickhouse.value(rows) == "[1,3]", 30, "the row of this server alone")


def test_origins_are_not_told_apart_before_16(pg):
    pg.execute("CREATE TABLE t (id int PRIMARY KEY)")
    agent = pg.agent({"origin": "none"}).start(wait=False)
    assert agent.wait_end() == 2
    assert "origin: none needs PostgreSQL 16 or later" in agent.log()
    status, text = agent.command("check")
    assert status == 2 and "origin: none needs PostgreSQL 16 or later" in text, text


def test_what_the_log_has_no_rows_of_is_told(pg):
    pg.execute("CREATE TABLE t (id int PRIMARY KEY)", "CREATE UNLOGGED TABLE fast (id int)",
               "CREATE VIEW shown AS SELECT * FROM t", "CREATE VIEW other AS SELECT * FROM t",
               "CREATE MATERIALIZED VIEW kept AS SELECT * FROM t")
    agent = pg.agent()
    status, text = agent.command("check")
    assert status == 0, text
    assert re.search(r"1 tables match", text), text
    assert re.search(r"WARN .*1 unlogged tables match and are not captured.*\.fast", text), text
    assert "ALTER TABLE .. SET LOGGED" in text
    assert re.search(r"2 views match.*\.other, \.\.", text), text
    assert re.search(r"1 materialized views match.*\.kept", text), text

def test_a_partitioned_table_on_an_old_server(pg_for):
    """12 has no rows of it in its log: it parks with the reason, the others go on."""
    pg = pg_for("postgres12")
    pg.execute("CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY LIST (id)",
               "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1)",
               "CREATE TABLE plain (id int PRIMARY KEY)", "INSERT INTO plain VALUES (1)")
    agent = pg.agent()
    status, text = agent.command("check")
    assert status != 0 and "PostgreSQL 12 cannot put such a table into its log" in text, text
    assert "PostgreSQL 12 has no max_slot_wal_keep_size" in text, text
    agent.start()
    agent.wait_log("parts' is parked, .*upgrade to 13 or later")
    pg.execute("INSERT INTO plain VALUES (2)")
    pg.wait_equal(tables=["plain"])


@pytest.mark.parametrize("version", ["postgres12", "postgres13"])
def test_triggers_need_messages_in_the_stream(pg_for, version):
    agent = pg_for(version).agent(source={"schema-change.detection": "trigger"})
    status, text = agent.command("check")
    assert status != 0 and "trigger needs PostgreSQL 14 or later" in text, text
    agent.start(wait=False)
    assert agent.wait_end() == 2
    assert "schema-change.detection: trigger needs PostgreSQL 14 or later" in agent.log(1)


@pytest.mark.parametrize("version", ["postgres12", "postgres13"])
def test_tables_that_come_and_go_without_messages(pg_for, version):
    """Made, renamed, dropped, and fit for the log at last, with kills between: the transactions
    of our messages are in the stream, the messages are not."""
    pg = pg_for(version)
    pg.execute("CREATE TABLE a (id int PRIMARY KEY)", "INSERT INTO a VALUES (1)",
               "CREATE TABLE bare (v int)", "INSERT INTO bare VALUES (1)")
    agent = pg.agent().start()
    agent.wait_log("bare' is parked")
    pg.execute("CREATE TABLE late (id int PRIMARY KEY)", "INSERT INTO late VALUES (1), (2)")
    pg.wait_equal(tables=["a", "late"])
    pg.execute("ALTER TABLE late RENAME TO later", "ALTER TABLE bare REPLICA IDENTITY FULL",
               "INSERT INTO bare VALUES (2)")
    agent.kill()
    agent.start()
    pg.execute("INSERT INTO later VALUES (3)", "DELETE FROM bare WHERE v = 1")
    pg.wait_equal(tables=["a", "later", "bare"])
    for round_ in range(4):
        pg.execute(f"CREATE TABLE t{round_} (id int PRIMARY KEY)",
                   f"INSERT INTO t{round_} SELECT generate_series(1, 100)")
        agent.kill()
        agent.start()
        pg.execute(f"DELETE FROM t{round_} WHERE id < 50", "DROP TABLE IF EXISTS later")
    pg.wait_equal(tables=["a", "bare", *(f"t{round_}" for round_ in range(4))])
    wait_for(lambda: "later" not in pg.clickhouse.tables(pg.schema), 30, "the table to go")
