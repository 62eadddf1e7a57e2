# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy on the loopback whose network can be cut, frozen or ended after some bytes."""

import socket
import threading
import time

from .process import free_port


class Proxy:
    """Forwards connections to 127.0.0.1:target.

    cut() ends all connections and refuses new ones; freeze() keeps connections open and passes
    nothing, like a network whose packets are lost; heal() undoes both. limit_answers(n) ends each
    connection once n bytes of the server's side have passed, limit_requests(n) once n bytes of the
    client's side have: what is more of them is not passed on. half_close() tells the clients of now
    that the server is done, and no more: what they say still passes, nothing is answered, and the
    connections stay. read_slowly(n) takes n bytes a second from each client. `asked`, a function,
    sees what clients send once it has been passed on; `instead`, another one, sees it before, and
    where it gives an answer that is what the client gets: nothing is passed on then.
    """

    def __init__(self, target):
        self.target = target
        self.port = free_port()
        self.accepted = 0
        self._open = True
        self._flow = threading.Event()
        self._flow.set()
        self._limit = self._request_limit = None
        self._pace = self.asked = self.instead = None
        self._sockets, self._clients, self._half_closed = set(), set(), set()
        self._lock = threading.Lock()
        self._listener = None
        self._closed = False
        self._listen()

    def _listen(self):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(64)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.accepted += 1
            try:
                server = socket.create_connection(("127.0.0.1", self.target), timeout=10)
                server.settimeout(None)
            except OSError:
                client.close()
                continue
            with self._lock:
                self._sockets |= {client, server}
                self._clients.add(client)
            for origin, goal, answers in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._pump, args=(origin, goal, answers),
                                 daemon=True).start()

    def _pump(self, origin, goal, answers):
        passed = 0
        try:
            while True:
                paced = self._pace and not answers
                data = origin.recv(4096 if paced else 65536)
                if not data:
                    break
                self._flow.wait()
                if paced:
                    time.sleep(len(data) / self._pace)
                if goal in self._half_closed:
                    continue
                answer = self.instead(data) if self.instead and not answers else None
                if answer:
                    origin.sendall(answer)
                    continue
                limit = None if answers else self._request_limit
                goal.sendall(data if limit is None else data[:max(0, limit - passed)])
                passed += len(data)
                if self.asked and not answers:
                    self.asked(data)
                if answers and self._limit is not None and passed >= self._limit:
                    break
                if limit is not None and passed >= limit:
                    break
        except OSError:
            pass
        self._end(origin, goal)

    def _end(self, *sockets):
        with self._lock:
            for known in (self._sockets, self._clients, self._half_closed):
                known -= set(sockets)
        for item in sockets:
            try:
                item.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            item.close()

    def drop(self):
        """Ends the connections of now; new ones are let in."""
        with self._lock:
            sockets = list(self._sockets)
        self._end(*sockets)

    def cut(self):
        # shutdown() wakes the thread in accept(), which close() alone would not.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._open = False
        self.drop()

    def half_close(self):
        with self._lock:
            clients = list(self._clients - self._half_closed)
            self._half_closed.update(clients)
        for client in clients:
            client.shutdown(socket.SHUT_WR)

    def read_slowly(self, bytes_per_second):
        self._pace = bytes_per_second

    def freeze(self):
        self._flow.clear()

    def limit_answers(self, size):
        self._limit = size

    def limit_requests(self, size):
        self._request_limit = size

    def heal(self):
        self._limit = self._request_limit = self._pace = None
        self._flow.set()
        if not self._open:
            self._listen()
            self._open = True

    def close(self):
        if self._open:
            self.cut()
        self._flow.set()
        self.drop()
