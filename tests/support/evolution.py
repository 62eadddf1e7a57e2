# SPDX-License-Identifier: Apache-2.0
"""Writers of tables whose columns come, go and change all the time, in transactions with rows."""

import contextlib
import random
import threading
import time

TABLES = ("t0", "t1", "t2")


class Evolver(threading.Thread):
    """One that alters tables too, or only writes to them. A dialect tells `values` (of each type,
    as SQL of a number), `types`, `refusals` (errors for what another one altered in between),
    `insert`, and the methods at the end."""

    def __init__(self, sync, seed, alters, ended):
        super().__init__(daemon=True)
        self.sync, self.random, self.alters, self.ended = sync, random.Random(seed), alters, ended
        self.number = seed * 100000
        self.error = None
        self.altered = self.committed = 0

    def run(self):
        try:
            with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
                while not self.ended.is_set():
                    self.transaction(connection, cursor)
        except Exception as error:
            self.error = error

    def transaction(self, connection, cursor):
        try:
            for _ in range(self.random.randrange(1, 5)):
                table = self.random.choice(TABLES)
                if self.alters and self.random.randrange(3) == 0:
                    self.alter(cursor, table)
                else:
                    self.write(cursor, table)
            if self.random.randrange(8) == 0:
                connection.rollback()
            else:
                connection.commit()
                self.committed += 1
        except self.refusals:
            connection.rollback()
        if self.alters:
            time.sleep(0.03)

    def value(self, kind):
        return self.values[kind.split("(")[0]].format(n=self.number % 100)

    def alter(self, cursor, table):
        columns = self.columns(cursor, table)
        self.number += 1
        name = f"c{self.random.randrange(8)}"
        there = name in [column for column, _ in columns]
        action = self.random.randrange(7)
        if columns and (there or action >= 3):
            change = self.change(*self.random.choice(columns), None if there else name, action,
                                 len(columns) > 6)
        else:
            kind = self.random.choice(self.types)
            default = f" DEFAULT {self.constant(kind)}"
            change = f"ADD COLUMN {name} {kind}" + self.random.choice(
                ("", "", default, f" NOT NULL{default}")) + self.random.choice(self.places)
        cursor.execute(f"ALTER TABLE {table} {change}")
        self.altered += 1

    def write(self, cursor, table):
        columns = [column for column in self.columns(cursor, table) if self.random.randrange(3)]
        self.number += 1
        row, action = self.random.randrange(400), self.random.randrange(5)
        if action == 0:
            cursor.execute(f"DELETE FROM {table} WHERE id = {row}")
        elif action < 3:
            cursor.execute(self.insert.format(
                table=table, names="".join(f", {name}" for name, _ in columns),
                values=f"{row}" + "".join(f", {self.value(kind)}" for _, kind in columns)))
        else:
            cursor.execute(f"UPDATE {table} SET kept = kept + 1" + "".join(
                f", {name} = {self.value(kind)}" for name, kind in columns) +
                f" WHERE id BETWEEN {row} AND {row + 3}")

    # ---- of a dialect ----

    places = ("",)  # where ADD COLUMN puts one

    def connect(self):
        """A connection without autocommit."""
        raise NotImplementedError

    def columns(self, cursor, table):
        """[(name, type)] of all but `id` and `kept`."""
        raise NotImplementedError

    def constant(self, kind):
        """A default of that type."""
        return self.value(kind)

    def change(self, column, kind, name, action, many):
        """What follows ALTER TABLE t; `name`: a free one, or None; `action`: 0 to 6."""
        raise NotImplementedError


def evolve(writer, sync, agent, seed, kills, seconds=8):
    """Four writers, one of whom alters the tables; equal to nothing yet when they end."""
    ended = threading.Event()
    writers = [writer(sync, seed * 10 + n, n == 0, ended) for n in range(4)]
    for one in writers:
        one.start()
    end = time.monotonic() + seconds
    while time.monotonic() < end and not any(one.error for one in writers):
        time.sleep(1.3 if kills else 0.5)
        if kills:
            agent.kill()
            agent.start()
    ended.set()
    for one in writers:
        one.join(60)
        assert one.error is None, one.error
    assert writers[0].altered > seconds and all(one.committed > seconds for one in writers)
