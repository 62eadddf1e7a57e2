# SPDX-License-Identifier: Apache-2.0
"""Debezium's embedded engine, which sends the same tables to the same broker."""

import os
import shutil
import subprocess
import tempfile

from .downloads import cache_folder, debezium_jars
from .postgres import AGENT_PASSWORD, AGENT_USER
from .process import Process, StartError

_SOURCE = os.path.join(os.path.dirname(__file__), "debezium", "DebeziumToKafka.java")
_CONNECTORS = {"mariadb": "io.debezium.connector.mariadb.MariaDbConnector",
               "mysql": "io.debezium.connector.mysql.MySqlConnector",
               "postgres": "io.debezium.connector.postgresql.PostgresConnector"}


def _classes():
    """The class path with the compiled program."""
    jars = os.path.join(debezium_jars(), "*")
    folder = os.path.join(cache_folder(), "debezium-classes")
    compiled = os.path.join(folder, "DebeziumToKafka.class")
    if not os.path.exists(compiled) or os.path.getmtime(compiled) < os.path.getmtime(_SOURCE):
        work = tempfile.mkdtemp(dir=cache_folder())
        done = subprocess.run(["javac", "-nowarn", "-cp", jars, "-d", work, _SOURCE],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise StartError(f"compiling Debezium's engine failed:\n{done.stdout[-1500:]}")
        shutil.rmtree(folder, ignore_errors=True)
        os.rename(work, folder)
    return f"{folder}:{jars}"


def _reading(source, database, folder):
    """The settings of what it reads."""
    if source.flavor == "postgres":
        return {"database.dbname": database, "database.user": AGENT_USER,
                "database.password": AGENT_PASSWORD, "database.sslmode": "disable",
                "plugin.name": "pgoutput", "slot.name": f"debezium_{database}",
                "publication.name": f"debezium_{database}",
                "publication.autocreate.mode": "filtered"}
    return {"database.user": "admin", "database.password": "admin",
            "database.ssl.mode": "disable" if source.flavor == "mariadb" else "disabled",
            "database.server.id": 7001, "database.include.list": database,
            "schema.history.internal": "io.debezium.storage.file.history.FileSchemaHistory",
            "schema.history.internal.file.filename": os.path.join(folder, "history")}


class Debezium:
    """One engine with its offsets and its history of schemas in a folder."""

    def __init__(self, folder, source, kafka, database, prefix, form="json", **settings):
        self.folder, self.kafka, self.form = folder, kafka, form
        os.makedirs(folder, exist_ok=True)
        self.settings = {
            "name": "engine", "connector.class": _CONNECTORS[source.flavor],
            "database.hostname": "127.0.0.1", "database.port": source.port,
            "topic.prefix": prefix, **_reading(source, database, folder),
            "offset.storage": "org.apache.kafka.connect.storage.FileOffsetBackingStore",
            "offset.storage.file.filename": os.path.join(folder, "offsets"),
            "offset.flush.interval.ms": 1000,
            **{f"{part}.converter.schemas.enable": "false" for part in ("key", "value", "header")},
            **settings}
        self.process = None

    def command(self, rows=0):
        """The command that ends after so many rows."""
        path = os.path.join(self.folder, "engine.properties")
        with open(path, "w") as file:
            file.writelines(f"{key}={value}\n".replace("\\", "\\\\")
                            for key, value in self.settings.items())
        return ["java", "-Xmx1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp",
                _classes(), "DebeziumToKafka", path, self.kafka.address, self.form, str(rows)]

    def start(self, rows=0):
        self.process = Process(self.command(rows), os.path.join(self.folder, "engine.log"))
        self.process.start()
        return self

    def check_alive(self):
        if not self.process.alive():
            raise AssertionError(f"Debezium ended:\n{self.process.log(30)}")

    def stop(self):
        if self.process:
            self.process.stop()

    def remove(self):
        if self.process:
            self.process.kill()
