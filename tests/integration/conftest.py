# SPDX-License-Identifier: Apache-2.0
"""Servers that live as long as the session, and a database of its own for each test."""

import itertools
import os
import re
import shutil
import signal
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from support import process  # noqa: E402
from support.agent import Agent  # noqa: E402
from support.clickhouse_server import ClickHouse, ClickHouseError, OldClickHouse  # noqa: E402
from support.compare import Comparison  # noqa: E402
from support.compare_postgres import PostgresComparison, PostgresDatabase  # noqa: E402
from support.database import Database, FLAVORS  # noqa: E402
from support.downloads import KAFKA_WHOLE  # noqa: E402
from support.feed import Feed  # noqa: E402
from support.kafka_server import Kafka  # noqa: E402
from support.postgres import POSTGRES  # noqa: E402
from support.proxy import Proxy  # noqa: E402
from support.registry_server import Registry  # noqa: E402

_numbers = itertools.count(1)

# However the session ends, servers and agents end with it.
process.die_with_us = True
signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_addoption(parser):
    parser.addoption("--full", action="store_true",
                     help="repeat races and crashes as often as a release asks for")
    parser.addoption("--minutes", type=float, default=2, help="how long soak.py kills")
    parser.addoption("--postgres", default="postgres15",
                     help="the version for tests that do not depend on it")
    parser.addoption("--seed", type=int, help="the plan of soak.py, to see it again")


@pytest.fixture(scope="session")
def full(request):
    return request.config.getoption("--full")


class Servers:
    """Starts each server when it is first asked for."""

    def __init__(self, folder):
        self.folder = folder
        self.running = {}

    def get(self, name):
        if name not in self.running:
            kind = {"clickhouse": ClickHouse, "old-clickhouse": OldClickHouse, "kafka": Kafka,
                    "registry": Registry,
                    **FLAVORS, **POSTGRES}[name]
            self.running[name] = kind(os.path.join(self.folder, name)).start()
        return self.running[name]

    def remove(self):
        for server in self.running.values():
            server.remove()


@pytest.fixture(scope="session")
def lab_folder():
    folder = tempfile.mkdtemp(prefix="mr-tests-")
    Database.templates = os.path.join(folder, "templates")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def servers(lab_folder):
    servers = Servers(lab_folder)
    yield servers
    servers.remove()


@pytest.fixture
def clickhouse(servers):
    server = servers.get("clickhouse")
    if not server.process.alive():
        server.start()
    return server


@pytest.fixture
def kafka(servers):
    server = servers.get("kafka")
    if not server.process.alive():
        server.start()
    return server


@pytest.fixture(params=["mariadb", "mysql"])
def flavor(request):
    return request.param


@pytest.fixture
def source(servers, flavor):
    """A MariaDB 10.11 or a MySQL 9.7 that all tests share; override `flavor` for others."""
    server = servers.get(flavor)
    if not server.process.alive():
        server.start()
    return server


@pytest.fixture
def own_server(lab_folder):
    """A function that starts a server for this test alone: own_server(flavor, **settings)."""
    started = []

    def start(flavor, **settings):
        folder = os.path.join(lab_folder, f"own-{flavor}-{next(_numbers)}")
        started.append(FLAVORS[flavor](folder, settings))
        return started[-1].start()

    yield start
    for server in started:
        server.remove()


@pytest.fixture
def own_clickhouse(lab_folder):
    server = ClickHouse(os.path.join(lab_folder, f"own-clickhouse-{next(_numbers)}"))
    server.start()
    yield server
    server.remove()


@pytest.fixture
def proxy():
    """A function that puts a proxy in front of a port."""
    made = []

    def make(port):
        made.append(Proxy(port))
        return made[-1]

    yield make
    for item in made:
        item.close()


@pytest.fixture
def own_kafka(lab_folder):
    """A broker for this test alone, which may kill it."""
    server = Kafka(os.path.join(lab_folder, f"own-kafka-{next(_numbers)}"), KAFKA_WHOLE).start()
    yield server
    server.remove()


@pytest.fixture
def feed_for(kafka, tmp_path):
    made = []

    def make(source, broker=None):
        name = f"feed{next(_numbers)}"
        made.append(Feed(source, broker or kafka, name, os.path.join(tmp_path, name)))
        return made[-1]

    yield make
    for feed in made:
        feed.end()


@pytest.fixture
def feed(feed_for, source):
    return feed_for(source)


@pytest.fixture
def maria_feed(feed_for, servers):
    return feed_for(servers.get("mariadb"))


@pytest.fixture
def registry(servers):
    server = servers.get("registry")
    if not server.process.alive():
        server.start()
    return server


class Sync:
    """One database of a source, the database of the same name in ClickHouse, and agents for it."""

    def __init__(self, source, clickhouse, schema, folder):
        self.source, self.clickhouse = source, clickhouse
        self.schema, self.folder = schema, folder
        self.comparison = Comparison(source, clickhouse)
        self.agents = []
        self.writers = []  # threads with stop(), ended with the test in any case
        self.schemas = [schema]

    def agent(self, source=None, sink=None, pipeline=None, route=None, **more):
        """An agent for this database; `source`, `sink` and `pipeline` add or change settings."""
        folder = os.path.join(self.folder, f"agent{len(self.agents)}")
        agent = Agent(
            folder, self.source.source_options(**{"tables": rf"{self.schema}.\.*",
                                                  **(source or {})}),
            self.clickhouse.sink_options(**{"sink.buffer-flush.interval": "100ms",
                                            **(sink or {})}),
            pipeline={"name": self.schema, **(pipeline or {})}, route=route, **more)
        self.agents.append(agent)
        return agent

    def execute(self, *statements):
        self.source.execute(*statements, database=self.schema)

    def wait_equal(self, timeout=60, tables=None, agent=None, target=None):
        agent = agent or (self.agents[-1] if self.agents else None)
        try:
            return self.comparison.wait_equal(self.schema, timeout, target, tables,
                                              agent.check_alive if agent else None)
        except AssertionError as error:
            log = agent.log(25) if agent else ""
            raise AssertionError(f"{error}\nthe agent's log ends:\n{log}") from None

    def rows(self, query):
        """Rows of ClickHouse; {db} stands for the database."""
        return self.clickhouse.rows(query.replace("{db}", f"`{self.schema}`"))

    def value(self, query):
        return self.rows(query)[0][0]

    def value_or_none(self, query):
        """None as long as the target does not exist."""
        try:
            return self.value(query)
        except ClickHouseError as error:
            if "UNKNOWN_TABLE" in str(error) or "UNKNOWN_DATABASE" in str(error):
                return None
            raise

    def end(self):
        problems = []
        for writer in self.writers:
            writer.ended.set()
            writer.join(60)
        for agent in self.agents:
            try:
                agent.stop()
            except (AssertionError, TimeoutError) as error:
                problems.append(str(error))
                agent.kill()
        self._end_prepared()
        for schema in self.schemas:
            for drop in (lambda: self.source.execute(f"DROP DATABASE IF EXISTS `{schema}`"),
                         lambda: self.clickhouse.execute(f"DROP DATABASE IF EXISTS `{schema}`")):
                try:
                    drop()
                except Exception:  # a server that the test has ended
                    pass
        assert not problems, "\n".join(problems)


    def _end_prepared(self):
        """Branches that a failed test left would hold their locks for ever."""
        try:
            for _, size, _, name in self.source.query("XA RECOVER"):
                self.source.execute(f"XA ROLLBACK '{name[:size]}'")
        except Exception:  # a server that the test has ended
            pass


def _schema_name(request):
    words = re.sub(r"[^a-z0-9]+", "_", request.node.name.lower()).strip("_")
    return f"{words[:40]}_{next(_numbers)}"


@pytest.fixture
def sync_for(request, tmp_path):
    """A function that makes a Sync for given servers; ended with the test."""
    made = []

    def make(source, clickhouse):
        name = _schema_name(request)
        source.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4 COLLATE "
                       "utf8mb4_general_ci")
        folder = os.path.join(tmp_path, f"sync{len(made)}")
        made.append(Sync(source, clickhouse, name, folder))
        return made[-1]

    yield make
    for item in made:
        item.end()


@pytest.fixture
def sync(sync_for, source, clickhouse):
    return sync_for(source, clickhouse)


@pytest.fixture
def maria(sync_for, servers, clickhouse):
    """A Sync on MariaDB alone, for what does not depend on the flavor."""
    server = servers.get("mariadb")
    if not server.process.alive():
        server.start()
    return sync_for(server, clickhouse)


class PostgresSync(Sync):
    """A database of a PostgreSQL server with a schema of its own, whose tables go to the
    database of that name in ClickHouse."""

    def __init__(self, source, clickhouse, name, folder):
        super().__init__(source, clickhouse, name, folder)
        self.comparison = PostgresComparison(PostgresDatabase(source, name), clickhouse)

    def agent(self, source=None, sink=None, pipeline=None, route=None, **more):
        return super().agent({"tables": rf"{self.schema}.{self.schema}.\.*",
                              "slot.name": self.schema, "discovery.interval": "500ms",
                              **(source or {})}, sink, pipeline, route, **more)

    def connect(self):
        connection = self.source.connect(self.schema)
        with connection.cursor() as cursor:
            cursor.execute(f"SET search_path = {self.schema}")
            cursor.execute("SET ROLE millrace")
        return connection

    def execute(self, *statements):
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(*statement if isinstance(statement, tuple) else (statement,))
        finally:
            connection.close()

    def query(self, statement):
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall()
        finally:
            connection.close()

    def slot(self, column):
        return self.source.value(f"SELECT {column} FROM pg_replication_slots WHERE slot_name = "
                                 f"'{self.schema}'")

    def end(self):
        try:
            super().end()
        finally:
            if self.source.process.alive():
                self.source.execute(
                    "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE "
                    f"database = '{self.schema}' AND active")
                self.source.execute("SELECT pg_drop_replication_slot(slot_name) FROM "
                                    f"pg_replication_slots WHERE database = '{self.schema}'")
                self.source.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                    f"datname = '{self.schema}'", f'DROP DATABASE IF EXISTS "{self.schema}"')

    def _end_prepared(self):
        pass


@pytest.fixture(params=[f"postgres{number}" for number in (12, 13, 14, 15, 17, 18)])
def postgres_version(request):
    return request.param


@pytest.fixture
def pg_for(request, servers, clickhouse, tmp_path):
    """A function that makes a PostgresSync on a server of the session, or on the one given."""
    made = []

    def make(version=None, server=None):
        server = server or servers.get(version or request.config.getoption("--postgres"))
        if not server.process.alive():
            server.start()
        name = _schema_name(request).lower()
        server.execute(f"CREATE DATABASE {name} OWNER millrace")
        server.execute(f"CREATE SCHEMA {name} AUTHORIZATION millrace", database=name)
        folder = os.path.join(tmp_path, f"sync{len(made)}")
        made.append(PostgresSync(server, clickhouse, name, folder))
        return made[-1]

    yield make
    for item in made:
        item.end()


@pytest.fixture
def pg(pg_for):
    """A PostgresSync for what does not depend on the version."""
    return pg_for()
