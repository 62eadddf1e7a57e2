# SPDX-License-Identifier: Apache-2.0
"""The log and the tables into Apache Kafka: Millrace, and Debezium's engine doing the same into the
same broker."""

import os
import re
import sys
import time

from bench.measure import (SCHEMA, Bench, Cost, main, median, print_header, print_line, run_child)
from support.debezium_engine import Debezium
from support.downloads import DEBEZIUM
from support.kafka_server import Kafka
from support.registry_server import Registry

# value.format, and what Debezium calls the same
BEGIN = "begin"
FORMS = {"debezium-json": "json", "avro-confluent": "avro"}


class KafkaBench(Bench):
    """As Bench, with a broker and a schema registry in place of ClickHouse."""

    def start_targets(self):
        self.kafka = Kafka(os.path.join(self.folder, "kafka"),
                           **{"auto.create.topics.enable": "true"}).start()
        self.registry = Registry(os.path.join(self.folder, "registry")).start()
        self.runs = 0

    def remove(self):
        for server in (self.source, self.kafka, self.registry):
            server.remove()

    def fill(self):
        self.source.execute(f"CREATE DATABASE {SCHEMA}_marker",
                            f"CREATE TABLE {SCHEMA}_marker.t (id INT PRIMARY KEY AUTO_INCREMENT)")
        super().fill()

    def begin_log(self):
        """Debezium goes on from here in each of its runs, as one that was stopped does."""
        engine = self.engine("json", BEGIN, **{"snapshot.mode": "no_data"})
        engine.settings["database.include.list"] += f",{SCHEMA}_marker"
        engine.start(rows=1)
        while engine.process.alive():
            self.source.execute(f"INSERT INTO {SCHEMA}_marker.t VALUES ()")
            time.sleep(0.5)
        if not re.search(r"^rows [1-9]", engine.process.log(), re.M):
            raise RuntimeError(f"Debezium ended:\n{engine.process.log(20)}")
        super().begin_log()

    def prefix(self):
        """Each run has topics of its own, with names as long as BEGIN."""
        self.runs += 1
        return f"run{self.runs:02}"

    def count(self, prefix):
        """Messages with a value in the topics of rows."""
        return sum(self.kafka.count(name) for name in self.kafka.topics()
                   if name.startswith(f"{prefix}.{SCHEMA}."))

    # ---- Millrace ----

    def into_kafka(self, read, form, **more):
        """`read` is one of the measures of Bench that take a sink."""
        prefix = self.prefix()
        if form == "avro-confluent":
            more["schema.registry.url"] = self.registry.url
        cost = read(self.kafka.sink_options(**{"value.format": form, "topic.prefix": prefix,
                                               **more}))
        found = self.count(prefix)
        if found != cost.rows:
            raise RuntimeError(f"{found} messages of {cost.rows} row events")
        return cost

    def flushed_log(self, sink):
        return self.log(sink, flushed=True)

    # ---- Debezium ----

    def engine(self, form, prefix, **settings):
        avro = {f"{part}.converter.{name}": value for part in ("key", "value", "header")
                for name, value in (("apicurio.registry.url", self.registry.core_url),
                                    ("apicurio.registry.auto-register", "true"),
                                    ("apicurio.registry.as-confluent", "true"))}
        return Debezium(os.path.join(self.folder, f"debezium-{prefix}"), self.source, self.kafka,
                        SCHEMA, prefix, form, **{**(avro if form == "avro" else {}), **settings})

    def debezium(self, form, snapshot=False):
        """The cost of the second half: without the start and the warming up of a JVM, of which a
        service that goes on sees little."""
        prefix = self.prefix()
        engine = self.engine(FORMS[form], prefix,
                             **{"snapshot.mode": "initial_only" if snapshot else "no_data"})
        rows = self.count_rows() if snapshot else self.events
        if not snapshot:
            self.go_on(engine, prefix)
        output, seconds, cpu, rss = run_child(engine.command(rows))
        half, half_cpu, half_time = (float(word) for word in
                                     re.search(r"half (\S+) (\S+) (\S+)", output).groups())
        found = self.count(prefix)
        if found < rows:
            raise RuntimeError(f"Debezium: {found} messages of {rows} row events\n{output[-2000:]}")
        return Cost(rows - half, seconds - half_time, cpu - half_cpu, rss)

    def go_on(self, engine, prefix):
        """With the offsets and the history that the first engine left, under another prefix: as
        long a name, for the offsets are in Java's own form."""
        for name in ("offsets", "history"):
            with open(os.path.join(self.folder, f"debezium-{BEGIN}", name), "rb") as file:
                state = file.read().replace(BEGIN.encode(), prefix.encode())
            with open(os.path.join(engine.folder, name), "wb") as file:
                file.write(state)


def measure(bench, repeat):
    def compare(title, millrace, debezium, times):
        print_line(f"Debezium {DEBEZIUM}, {title}", debezium)
        costs = [millrace() for _ in range(times)]
        print_line(f"Millrace, {title}", median(costs), debezium)

    print(f"\nLog: {bench.events:,} row events", end="")
    print_header()
    for form in FORMS:
        compare(f"log, {form}", lambda: bench.into_kafka(bench.flushed_log, form),
                bench.debezium(form), repeat)
    print(f"\nSnapshot: {bench.count_rows():,} rows", end="")
    print_header()
    compare("snapshot, debezium-json", lambda: bench.into_kafka(bench.snapshot, "debezium-json"),
            bench.debezium("debezium-json", snapshot=True), repeat)
    compressed = bench.into_kafka(bench.flushed_log, "debezium-json",
                                  **{"properties.compression.type": "lz4"})
    print("\nWith compression", end="")
    print_header()
    print_line("Millrace, log, debezium-json, lz4", compressed)


if __name__ == "__main__":
    sys.exit(main(KafkaBench, 400000, {"kafka": measure}))
