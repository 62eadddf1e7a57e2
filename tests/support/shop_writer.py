# SPDX-License-Identifier: Apache-2.0
"""Live changes to the sample shop, the same life for each kind of source."""

import contextlib
import random
import threading
import time


class ShopWriter(threading.Thread):
    """Changes rows of the shop, a small transaction after the other, until it is told to stop.

    A source gives _connect(), _transaction(cursor) and _lost(error): whether another writer won.
    """

    def __init__(self, server, schema="shop", seed=1, pause=0.0):
        super().__init__(daemon=True)
        self.server, self.schema, self.pause = server, schema, pause
        self.random = random.Random(seed)
        self.rows = 0
        self.error = None
        self._stop_asked = threading.Event()

    def run(self):
        try:
            with contextlib.closing(self._connect()) as connection, connection.cursor() as cursor:
                while not self._stop_asked.is_set():
                    self._try_transaction(cursor)
                    time.sleep(self.pause)
        except Exception as error:  # handed to the one who stops us
            self.error = error

    def _try_transaction(self, cursor):
        try:
            self._transaction(cursor)
        except Exception as error:
            if not self._lost(error):
                raise
            cursor.execute("ROLLBACK")  # the loser begins anew

    def _write(self, cursor, statement, *values):
        cursor.execute(statement, values or None)
        self.rows += cursor.rowcount

    def stop(self):
        self._stop_asked.set()
        self.join(60)
        if self.error:
            raise self.error
