# SPDX-License-Identifier: Apache-2.0
"""ClickHouse 26.7, the real engine, as a process with its HTTP port; and 18.16, too old."""

import http.client
import os
import shutil
import threading
import urllib.parse

from .downloads import clickhouse_program, old_clickhouse_program
from .process import Process, StartError, free_port, wait_for

_USERS = """<clickhouse>
  <profiles><default/></profiles>
  <quotas><default/></quotas>
  <users>
    <default><password></password><networks><ip>127.0.0.1</ip></networks>
      <profile>default</profile><quota>default</quota></default>
    <millrace><password>mill-race</password><networks><ip>127.0.0.1</ip></networks>
      <profile>default</profile><quota>default</quota></millrace>
    <reader><password>reader</password><networks><ip>127.0.0.1</ip></networks>
      <profile>default</profile><quota>default</quota>
      <grants><query>GRANT SELECT ON *.*</query></grants></reader>
  </users>
</clickhouse>
"""

_CONFIGURATION = """<clickhouse>
  <users_config>{folder}/users.xml</users_config>
  <user_directories><users_xml><path>{folder}/users.xml</path></users_xml></user_directories>
  <logger><log>{folder}/server.log</log><size>50M</size><count>2</count></logger>
  <mark_cache_size>67108864</mark_cache_size>
  <max_server_memory_usage>{memory}</max_server_memory_usage>
  <background_pool_size>2</background_pool_size>
</clickhouse>
"""

_OLD_CONFIGURATION = """<yandex>
  <logger><level>warning</level><log>{folder}/server.log</log>
    <errorlog>{folder}/error.log</errorlog></logger>
  <http_port>{port}</http_port><tcp_port>{native_port}</tcp_port>
  <listen_host>127.0.0.1</listen_host><path>{folder}/data/</path><tmp_path>{folder}/tmp/</tmp_path>
  <users_config>{folder}/users.xml</users_config><default_profile>default</default_profile>
  <default_database>default</default_database><mark_cache_size>67108864</mark_cache_size>
</yandex>
"""


class ClickHouseError(RuntimeError):
    """The server refused a query; the text is its own."""


class ClickHouseClient:
    """Queries over HTTP; a connection a thread."""

    def __init__(self, port):
        self.port = port
        self._local = threading.local()

    def text(self, query, data=None, **settings):
        """The body of the answer."""
        path = "/?" + urllib.parse.urlencode({"query": query, **settings})
        for attempt in (1, 2):
            connection = getattr(self._local, "connection", None)
            if connection is None:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
                self._local.connection = connection
            try:
                connection.request("POST", path, body=data or b"")
                answer = connection.getresponse()
                body = answer.read()
                break
            except (http.client.HTTPException, OSError):
                self.close()  # the server closed an idle connection, or went away
                if attempt == 2:
                    raise
        if answer.status != 200 or answer.getheader("X-ClickHouse-Exception-Code"):
            raise ClickHouseError(f"{body.decode(errors='replace')[:1000]}\n  in: {query[:300]}")
        return body

    def close(self):
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    def execute(self, query, **settings):
        self.text(query, **settings)

    def rows(self, query, **settings):
        """Rows of texts; NULL is None."""
        body = self.text(query + " FORMAT TSVRaw", **settings)
        return [[None if cell == "\\N" else cell for cell in line.split("\t")]
                for line in body.decode(errors="replace").split("\n")[:-1]]

    def value(self, query, **settings):
        return self.rows(query, **settings)[0][0]

    def columns(self, database, table):
        """{name: type} in order."""
        return {name: kind for name, kind in self.rows(
            "SELECT name, type FROM system.columns WHERE database = {d:String} AND "
            "table = {t:String} ORDER BY position", param_d=database, param_t=table)}

    def tables(self, database):
        """{name: engine} of tables and views."""
        return {name: engine for name, engine in self.rows(
            "SELECT name, engine FROM system.tables WHERE database = {d:String}",
            param_d=database)}


class ClickHouse(ClickHouseClient):
    """ClickHouse 26.7."""

    label = "ClickHouse 26.7"

    def __init__(self, folder, port=None, memory=3 << 30):
        super().__init__(port or free_port())
        self.folder = os.path.abspath(folder)
        self.native_port = free_port()
        self.memory = memory
        self.process = None

    def command(self):
        program, library = clickhouse_program()
        return [program, library, os.path.join(self.folder, "gate"),
                "--config-file", os.path.join(self.folder, "config.xml"),
                "--path", os.path.join(self.folder, "data"), "--listen_host", "127.0.0.1",
                "--http_port", self.port, "--tcp_port", self.native_port,
                "--log-level", "warning", "--implicit_select", "0"]

    def _write_configuration(self):
        os.makedirs(os.path.join(self.folder, "data"), exist_ok=True)
        for name, text in (("users.xml", _USERS),
                           ("config.xml", _CONFIGURATION.format(folder=self.folder,
                                                                memory=self.memory))):
            with open(os.path.join(self.folder, name), "w") as file:
                file.write(text)

    def start(self):
        self._write_configuration()
        self.process = Process(self.command(), os.path.join(self.folder, "output.log"),
                               folder=self.folder)
        self.process.start()
        wait_for(self._ready, 120, f"{self.label} to answer")
        return self

    def _ready(self):
        if not self.process.alive():
            raise StartError(f"{self.label} ended at its start:\n{self.process.log(15)}")
        try:
            return self.text("SELECT 1") == b"1\n"
        except (OSError, http.client.HTTPException):
            return False

    def stop(self):
        self.close()
        if self.process:
            self.process.stop(60)

    def kill(self):
        self.close()
        self.process.kill()

    def restart(self):
        self.stop()
        return self.start()

    def remove(self):
        self.close()
        if self.process:
            self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def sink_options(self, **options):
        """The `sink` part of an agent's configuration."""
        return {"type": "clickhouse", "url": f"http://127.0.0.1:{self.port}",
                "username": "millrace", "password": "mill-race", **options}


class OldClickHouse(ClickHouse):
    """ClickHouse 18.16."""

    label = "ClickHouse 18.16"

    def command(self):
        root = old_clickhouse_program()
        libraries = os.path.join(root, "usr/lib/x86_64-linux-gnu")
        loader = os.path.join(root, "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
        return [loader, "--library-path", f"{libraries}:{os.path.dirname(loader)}",
                os.path.join(root, "usr/sbin/clickhouse-server"),
                "--config-file=" + os.path.join(self.folder, "config.xml")]

    def _write_configuration(self):
        super()._write_configuration()
        os.makedirs(os.path.join(self.folder, "tmp"), exist_ok=True)
        with open(os.path.join(self.folder, "users.xml"), "w") as file:
            file.write(_USERS.replace("clickhouse>", "yandex>"))
        with open(os.path.join(self.folder, "config.xml"), "w") as file:
            file.write(_OLD_CONFIGURATION.format(folder=self.folder, port=self.port,
                                                 native_port=self.native_port))
