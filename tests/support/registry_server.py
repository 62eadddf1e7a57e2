# SPDX-License-Identifier: Apache-2.0
"""Apicurio Registry, whose address has a path: Confluent's API stands under /apis/ccompat/v7."""

import json
import os
import shutil
import urllib.error
import urllib.request

from .downloads import registry_program
from .process import Process, StartError, free_port, wait_for


class Registry:
    label = "Apicurio Registry"

    def __init__(self, folder):
        self.folder = os.path.abspath(folder)
        self.port, self.management_port = free_port(), free_port()
        self.process = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/apis/ccompat/v7"

    @property
    def core_url(self):
        """Of its own API, which the converters of Apicurio 2 speak."""
        return f"http://127.0.0.1:{self.port}/apis/registry/v2"

    def start(self):
        os.makedirs(self.folder, exist_ok=True)
        environment = {
            "QUARKUS_MANAGEMENT_HOST": "127.0.0.1", "QUARKUS_HTTP_HOST": "127.0.0.1",
            "QUARKUS_MANAGEMENT_PORT": str(self.management_port),
            "QUARKUS_HTTP_PORT": str(self.port), "QUARKUS_LOG_LEVEL": "WARN",
            "APICURIO_STORAGE_KIND": "sql", "APICURIO_STORAGE_SQL_KIND": "h2",
            "APICURIO_DATASOURCE_URL": f"jdbc:h2:file:{self.folder}/registry;WRITE_DELAY=0",
            "APICURIO_DATASOURCE_USERNAME": "sa", "APICURIO_DATASOURCE_PASSWORD": "sa"}
        self.process = Process(
            ["java", "-Xmx384m", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
             "-Djava.util.logging.manager=org.jboss.logmanager.LogManager", "-jar",
             registry_program()], os.path.join(self.folder, "server.log"), environment, self.folder)
        self.process.start()
        wait_for(self._answers, 180, "the registry to answer", interval=0.3)
        return self

    def _answers(self):
        if not self.process.alive():
            raise StartError(f"the registry did not start:\n{self.process.log(30)}")
        try:
            self.get("/subjects")
        except (OSError, urllib.error.URLError):
            return False
        return True

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return json.load(answer)

    def put(self, path, document):
        request = urllib.request.Request(
            self.url + path, json.dumps(document).encode(), method="PUT",
            headers={"Content-Type": "application/vnd.schemaregistry.v1+json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def schema(self, number):
        return json.loads(self.get(f"/schemas/ids/{number}")["schema"])

    def remove(self):
        if self.process:
            self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
