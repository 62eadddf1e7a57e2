# SPDX-License-Identifier: Apache-2.0
"""MariaDB 10.11, MariaDB 11.8 and MySQL 9.7 servers, each a process with a folder of its own."""

import glob
import os
import shutil
import subprocess
import tempfile

import pymysql

from .certificates import make_certificates
from .downloads import suite_programs
from .process import Process, StartError, free_port, wait_for

# What the agent's user needs, as the README says, and nothing more.
AGENT_USER, AGENT_PASSWORD = "millrace", "mill 'race\" \\$1"
AGENT_GRANTS = "SELECT, REPLICATION SLAVE, REPLICATION CLIENT"

_COMMON = {
    "bind-address": "127.0.0.1",
    "skip-name-resolve": "ON",
    "binlog_format": "ROW",
    "binlog_row_image": "FULL",
    "binlog_row_metadata": "FULL",
    "character-set-server": "utf8mb4",
    "sync_binlog": 0,
    "innodb_flush_log_at_trx_commit": 2,
    "innodb_buffer_pool_size": "128M",
    "max_binlog_size": "64M",
    "max_connections": 200,
    "max_allowed_packet": "64M",
    "performance_schema": "OFF",
    "lock_wait_timeout": 60,
}


def _foreign(root, program):
    """The command for a program of another Debian suite: its own loader and libraries."""
    libraries = os.path.join(root, "usr/lib/x86_64-linux-gnu")
    path = os.path.join(root, program)
    return [os.path.join(libraries, "ld-linux-x86-64.so.2"), "--library-path", libraries,
            "--argv0", path, path]


class Database:
    """A database server; `settings` change or add lines of its configuration (None removes)."""

    flavor = None
    source_type = None
    label = None
    server_id = 1
    templates = None  # a folder: system tables are made once a kind, and copied from there

    def __init__(self, folder, settings=None, port=None):
        self.folder = os.path.abspath(folder)
        self.port = port or free_port()
        self.settings = {**_COMMON, **self.own_settings(), **(settings or {})}
        # Paths of unix sockets are limited to 107 bytes, so they live in a short folder.
        self.short = tempfile.mkdtemp(prefix="mr-")
        self.socket = os.path.join(self.short, "s")
        self.process = None

    def own_settings(self):
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    def install(self):
        """Makes the system tables in self.folder/data."""
        raise NotImplementedError

    # ---- life ----

    @property
    def data(self):
        return os.path.join(self.folder, "data")

    @property
    def configuration(self):
        return os.path.join(self.folder, "server.cnf")

    def _write_configuration(self):
        lines = ["[mysqld]", f"datadir={self.data}", f"port={self.port}",
                 f"socket={self.socket}", f"tmpdir={self.folder}/tmp",
                 f"pid-file={self.folder}/server.pid", f"log-error={self.folder}/error.log",
                 f"server-id={self.server_id}", f"log-bin={self.data}/binlog"]
        if os.getuid() == 0:
            lines.append("user=root")
        lines += [f"{key}={value}" for key, value in self.settings.items() if value is not None]
        os.makedirs(os.path.join(self.folder, "tmp"), exist_ok=True)
        with open(self.configuration, "w") as file:
            file.write("\n".join(lines) + "\n")

    def start(self):
        new = not os.path.isdir(os.path.join(self.data, "mysql"))
        make_certificates(os.path.join(self.folder, "certificates"))
        self._write_configuration()
        if new:
            shutil.rmtree(self.data, ignore_errors=True)
            self._install_or_copy()
        for name in glob.glob(self.socket + "*"):
            os.unlink(name)
        self.process = Process(self.command() + [f"--defaults-file={self.configuration}"],
                               os.path.join(self.folder, "output.log"))
        self.process.start()
        wait_for(self._ready, 120, f"{self.label} to answer")
        if new:
            self._make_users()
        return self

    def _install_or_copy(self):
        if not self.templates:
            self.install()
            return
        basic = [f"{key}={value}" for key, value in sorted(self.settings.items())
                 if key.startswith("lower_case") or key.startswith("innodb_page")]
        template = os.path.join(self.templates, "-".join([type(self).__name__, *basic]))
        # A log's index names files by their whole path, and a copy is another server.
        ignored = shutil.ignore_patterns("binlog.*", "auto.cnf")
        if not os.path.isdir(template):
            self.install()
            shutil.copytree(self.data, template, ignore=ignored)
        else:
            shutil.copytree(template, self.data)

    def _ready(self):
        if not self.process.alive():
            log = Process([], os.path.join(self.folder, "error.log")).log(last=15)
            raise StartError(f"{self.label} ended at its start:\n{log}\n{self.process.log(15)}")
        try:
            self.connect(unix_socket=self.socket, user="root", password="").close()
        except pymysql.MySQLError:
            return False
        return True

    def _make_users(self):
        with self.connect(unix_socket=self.socket, user="root", password="") as connection:
            with connection.cursor() as cursor:
                cursor.execute("SET sql_log_bin=0")
                cursor.execute("CREATE USER 'admin'@'%' IDENTIFIED BY 'admin'")
                cursor.execute("GRANT ALL PRIVILEGES ON *.* TO 'admin'@'%' WITH GRANT OPTION")
                cursor.execute("CREATE USER %s@'%%' IDENTIFIED BY %s",
                               (AGENT_USER, AGENT_PASSWORD))
                cursor.execute(f"GRANT {AGENT_GRANTS} ON *.* TO '{AGENT_USER}'@'%'")

    def stop(self):
        if self.process:
            self.process.stop(120)

    def kill(self):
        self.process.kill()

    def restart(self, **settings):
        """Stops and starts again, with changed settings (underscores as in the file)."""
        self.stop()
        self.settings.update(settings)
        return self.start()

    def remove(self):
        """Ends it at once and deletes its folder."""
        if self.process:
            self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.short, ignore_errors=True)

    # ---- use ----

    def connect(self, **options):
        """A pymysql connection of the administrator, autocommit."""
        given = {"host": "127.0.0.1", "port": self.port, "user": "admin", "password": "admin",
                 "charset": "utf8mb4", "autocommit": True, "connect_timeout": 10,
                 "max_allowed_packet": 64 << 20, "ssl": self._client_tls(), **options}
        if "unix_socket" in given:
            given.pop("ssl")
        return pymysql.connect(**given)

    def _client_tls(self):
        return None

    def execute(self, *statements, database=None):
        """Runs statements one after the other on a connection of their own."""
        with self.connect(database=database) as connection, connection.cursor() as cursor:
            for statement in statements:
                if isinstance(statement, tuple):
                    cursor.execute(*statement)
                else:
                    execute_patiently(cursor, statement)

    def query(self, statement, database=None):
        with self.connect(database=database) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()

    def value(self, statement, database=None):
        return self.query(statement, database)[0][0]

    def binlog_position(self):
        """(file, position) of the end of the log."""
        word = "BINARY LOG" if self.flavor == "mysql" else "MASTER"
        row = self.query(f"SHOW {word} STATUS")[0]
        return row[0], int(row[1])

    def source_options(self, **options):
        """The `source` part of an agent's configuration."""
        return {"type": self.source_type, "hostname": "127.0.0.1", "port": self.port,
                "username": AGENT_USER, "password": AGENT_PASSWORD, **options}


class MariaDB(Database):
    """MariaDB 10.11, the one of Debian 12."""

    flavor = "mariadb"
    source_type = "mariadb"
    label = "MariaDB 10.11"
    server_id = 101

    def own_settings(self):
        certificates = os.path.join(self.folder, "certificates")
        return {"binlog_annotate_row_events": "ON", "gtid_strict_mode": "ON",
                "gtid_domain_id": 0, "log_slave_updates": "ON", "innodb_log_file_size": "64M",
                "ssl_ca": f"{certificates}/ca.pem", "ssl_cert": f"{certificates}/server.pem",
                "ssl_key": f"{certificates}/server.key"}

    def command(self):
        return [shutil.which("mariadbd") or "/usr/sbin/mariadbd"]

    def install(self):
        done = subprocess.run(
            ["mariadb-install-db", f"--defaults-file={self.configuration}", "--skip-test-db",
             "--auth-root-authentication-method=normal"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise StartError(f"mariadb-install-db failed:\n{done.stdout[-1500:]}")


class MariaDB118(MariaDB):
    """MariaDB 11.8, of the Debian release after ours."""

    label = "MariaDB 11.8"
    server_id = 118

    def own_settings(self):
        share = os.path.join(self._root(), "usr/share/mariadb")
        return {**super().own_settings(), "basedir": os.path.join(self._root(), "usr"),
                "lc_messages_dir": share, "character_sets_dir": share + "/charsets",
                "plugin_dir": os.path.join(self._root(), "usr/lib/mysql/plugin")}

    def _root(self):
        return suite_programs("mariadb-11.8", "trixie",
                              ["mariadb-server-core", "mariadb-client-core"])

    def command(self):
        return _foreign(self._root(), "usr/sbin/mariadbd")

    def install(self):
        # mariadb-install-db is a script that calls the programs without their loader: the server
        # reads the same statements itself.
        os.makedirs(os.path.join(self.data, "mysql"))
        share = os.path.join(self._root(), "usr/share/mariadb")
        text = "use mysql;\nSET @auth_root_socket=NULL;\n"
        for name in ("system_tables", "performance_tables", "system_tables_data", "sys_schema"):
            with open(f"{share}/mariadb_{name}.sql") as file:
                text += file.read() + "\n"
        done = subprocess.run(
            self.command() + [f"--defaults-file={self.configuration}", "--bootstrap",
                              "--skip-log-bin"],
            input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise StartError(f"mariadbd --bootstrap failed:\n{done.stdout[-1500:]}")


class MySQL(Database):
    """MySQL 9.7, of Debian's unstable suite."""

    flavor = "mysql"
    source_type = "mysql"
    label = "MySQL 9.7"
    server_id = 97

    def own_settings(self):
        root, certificates = self._root(), os.path.join(self.folder, "certificates")
        share = os.path.join(root, "usr/share/mysql")
        return {"basedir": os.path.join(root, "usr"), "lc_messages_dir": share,
                "character_sets_dir": share + "/charsets", "secure_file_priv": "NULL",
                "plugin_dir": os.path.join(root, "usr/lib/mysql/plugin"), "mysqlx": 0,
                "gtid_mode": "ON", "enforce_gtid_consistency": "ON", "log_replica_updates": "ON",
                "innodb_redo_log_capacity": "64M",
                "ssl_ca": f"{certificates}/ca.pem", "ssl_cert": f"{certificates}/server.pem",
                "ssl_key": f"{certificates}/server.key"}

    def _root(self):
        return suite_programs("mysql-9.7", "sid", ["mysql-server-core", "mysql-client-core"])

    def command(self):
        return _foreign(self._root(), "usr/sbin/mysqld")

    def install(self):
        done = subprocess.run(
            self.command() + [f"--defaults-file={self.configuration}", "--initialize-insecure"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            log = Process([], os.path.join(self.folder, "error.log")).log(last=10)
            raise StartError(f"mysqld --initialize failed:\n{done.stdout[-800:]}\n{log}")


FLAVORS = {"mariadb": MariaDB, "mariadb118": MariaDB118, "mysql": MySQL}


def execute_patiently(cursor, statement, attempts=50):
    """A statement that may lose a deadlock against writers: the loser begins anew."""
    for attempt in range(attempts):
        try:
            return cursor.execute(statement)
        except pymysql.err.OperationalError as error:
            if error.args[0] not in (1205, 1213) or attempt == attempts - 1:
                raise
