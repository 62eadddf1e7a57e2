# SPDX-License-Identifier: Apache-2.0
"""The same for PostgreSQL: `pg_recvlogical` and `COPY` to nowhere are the limits here.

One server process decodes the log for one reader, and is slower than any reader: so our rate is
held against that of pg_recvlogical, in turns, each run on a slot of its own over the same log.
"""

import argparse
import os
import sys

from support.postgres import AGENT_PASSWORD, AGENT_USER, POSTGRES

from .measure import Bench, Cost, in_folder, median, print_header, print_line, run_child

SCHEMA = "bench"

NARROW = (["id int PRIMARY KEY", "v bigint NOT NULL"], ["n", "n::bigint * 7"])
MIXED = ([
    "id bigint PRIMARY KEY", "customer int NOT NULL", "placed timestamp(3) NOT NULL",
    "state text NOT NULL", "total numeric(14,4) NOT NULL", "note varchar(120)",
    "country char(2) NOT NULL", "updated timestamptz NOT NULL", "weight double precision",
    "paid boolean NOT NULL", "born date", "tag bytea"],
    ["n", "n % 5000", "timestamp '2024-01-01' + n * interval '1 s'",
     "(ARRAY['new', 'paid', 'sent'])[1 + n % 3]", "n / 100.0",
     "CASE WHEN n % 3 > 0 THEN 'note of order ' || n END", "'DE'",
     "timestamptz '2024-01-01 00:00Z' + n * interval '1 s'", "n / 7.0", "n % 2 = 0",
     "date '1970-01-01' + n % 9000", "decode(md5(n::text), 'hex')"])
_WIDE = ["int", "bigint NOT NULL", "varchar(60) NOT NULL", "numeric(18,4)", "timestamp NOT NULL",
         "double precision NOT NULL", "smallint NOT NULL", "char(10)"]
_WIDE_VALUES = ["nullif(n, n / 4 * 4)", "n::bigint * 1000003", "'some text of row ' || n",
                "n / 10000.0", "timestamp '2023-01-01' + n * interval '1 s'", "n / 3.0",
                "n % 100", "lpad(n::text, 10, '0')"]
WIDE = (["id int PRIMARY KEY"] + [f"c{i} {_WIDE[i % 8]}" for i in range(39)],
        ["n"] + [_WIDE_VALUES[i % 8] for i in range(39)])


class PostgresBench(Bench):
    """Its tables belong to the agent's user; a slot that nobody reads keeps the log."""

    tables = {"narrow": (NARROW, 5), "mixed": (MIXED, 4), "wide": (WIDE, 3)}

    def __init__(self, folder, version, rows):
        server = POSTGRES[version](os.path.join(folder, "source"),
                                   {"shared_buffers": "512MB", "max_wal_size": "8GB",
                                    "wal_buffers": "32MB", "max_connections": "50"})
        super().__init__(folder, server, rows)
        self.slots = 0

    # ---- the data ----

    def fill(self):
        self.source.execute(f"CREATE DATABASE {SCHEMA} OWNER {AGENT_USER}")
        self.sql(f"CREATE SCHEMA {SCHEMA}",
                 *(f"CREATE TABLE {SCHEMA}.{name} ({', '.join(columns)})"
                   for name, ((columns, _), _) in self.tables.items()),
                 f"CREATE PUBLICATION {SCHEMA} FOR TABLE "
                 + ", ".join(f"{SCHEMA}.{name}" for name in self.tables),
                 "SELECT pg_create_logical_replication_slot('base', 'pgoutput')")
        with self.source.connect(SCHEMA) as connection, connection.cursor() as cursor:
            cursor.execute(f"SET search_path = {SCHEMA}")
            for piece in self.pieces():
                cursor.execute("BEGIN")
                self.write_piece(cursor, *piece)
                cursor.execute("COMMIT")
        self.sql("VACUUM ANALYZE")
        self.end = self.source.value("SELECT pg_current_wal_insert_lsn()")

    def sql(self, *statements):
        self.source.execute(f"SET ROLE {AGENT_USER}", *statements, database=SCHEMA)

    def write(self, cursor, statement):
        cursor.execute(statement)
        return cursor.rowcount

    def select(self, values, first, count):
        return (f"SELECT {', '.join(values)} FROM (SELECT n FROM "
                f"generate_series({first + 1}, {first + count}) n) numbers")

    def count_rows(self):
        return sum(self.source.value(f"SELECT count(*) FROM {SCHEMA}.{name}", SCHEMA)
                   for name in self.tables)

    def slot(self):
        """A slot that stands where the log begins."""
        self.slots += 1
        name = f"run{self.slots}"
        self.source.execute(f"SELECT pg_copy_logical_replication_slot('base', '{name}')",
                            database=SCHEMA)
        return name

    def drop(self, slot):
        self.source.execute(f"SELECT pg_drop_replication_slot('{slot}')", database=SCHEMA)

    # ---- the limits ----

    def program(self, name):
        """Of the server's package, or of Debian's: those of 15 speak to later servers too."""
        own = os.path.join(self.source.programs(), name)
        return own if os.path.exists(own) else f"/usr/lib/postgresql/15/bin/{name}"

    def login(self):
        return ["-h", "127.0.0.1", "-p", self.source.port, "-U", AGENT_USER, "-d",
                f"dbname={SCHEMA} sslmode=disable"]

    def recvlogical(self):
        slot = self.slot()
        _, seconds, cpu, rss = run_child(
            [self.program("pg_recvlogical"), *self.login(), "-S", slot, "--start", "-o",
             "proto_version=1", "-o", f"publication_names={SCHEMA}", "--endpos", self.end,
             "--fsync-interval=0", "-f", "/dev/null"])
        self.drop(slot)
        return Cost(self.events, seconds, cpu, rss)

    def copy(self):
        copies = [argument for name in self.tables
                  for argument in ("-c", f"COPY {SCHEMA}.{name} TO STDOUT")]
        _, seconds, cpu, rss = run_child(["psql", *self.login(), "-X", "-q", "-o", "/dev/null",
                                          *copies])
        return Cost(self.count_rows(), seconds, cpu, rss)

    # ---- Millrace ----

    def source_options(self):
        return self.source.source_options(**{
            "tables": rf"{SCHEMA}.{SCHEMA}.\.*", "ssl.mode": "disable",
            "publication.name": SCHEMA, "publication.autocreate.mode": "disabled"})

    def log(self, sink, pipeline=None, flushed=False):
        slot = self.slot()
        self.where = {"slot.name": slot, "scan.startup.mode": "committed-offset"}
        cost = super().log(sink, pipeline, flushed)
        self.drop(slot)
        return cost

    def log_begin(self):
        return self.where


def in_turns(repeat, *measures):
    """The median of each, run one after the other again and again: all see the same machine."""
    costs = [[measure() for measure in measures] for _ in range(repeat)]
    return [median(list(runs)) for runs in zip(*costs)]


def measure(bench, repeat):
    blackhole = {"type": "blackhole"}
    print(f"\nLog: {bench.events:,} row events", end="")
    print_header()
    limit, ours = in_turns(repeat, bench.recvlogical, lambda: bench.log(blackhole))
    print_line("pg_recvlogical to nowhere", limit)
    print_line("log into blackhole", ours, limit, by="speed")

    print(f"\nSnapshot: {bench.count_rows():,} rows", end="")
    print_header()
    one, two = ({"snapshot.parallelism": n} for n in (1, 2))
    limit, ours, ours_2 = in_turns(repeat, bench.copy, lambda: bench.snapshot(blackhole, one),
                                   lambda: bench.snapshot(blackhole, two))
    print_line("COPY to nowhere", limit)
    print_line("snapshot into blackhole, 1 connection", ours, limit, by="speed")
    print_line("snapshot into blackhole, 2 connections", ours_2, limit, by="speed")


def main():
    parser = argparse.ArgumentParser(prog="tests/bench/run postgres")
    parser.add_argument("--version", choices=sorted(POSTGRES), default="postgres15")
    parser.add_argument("--rows", type=int, default=1200000, help="row events, about")
    parser.add_argument("--repeat", type=int, default=3, help="runs of which the median is shown")
    options = parser.parse_args()
    os.environ["PGPASSWORD"] = AGENT_PASSWORD
    return in_folder(lambda folder: PostgresBench(folder, options.version, options.rows),
                     lambda bench: measure(bench, options.repeat))


if __name__ == "__main__":
    sys.exit(main())
