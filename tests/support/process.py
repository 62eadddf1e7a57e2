# SPDX-License-Identifier: Apache-2.0
"""Processes that we start, and end by their id; and ports for them."""

import ctypes
import fcntl
import os
import random
import signal
import subprocess
import tempfile
import time

_port_locks = []
_PR_SET_PDEATHSIG = 1

# Whether what we start is killed when we die without ending it; tests want that, and only the main
# thread may start processes then: the kernel takes the death of a thread for ours.
die_with_us = False


class StartError(RuntimeError):
    """A server did not start; the text says why."""


def free_port():
    """A port of the loopback that nobody listens on.

    It is taken from below the range of outgoing connections, so that a server can come back on it
    after a restart, and locked by a file for as long as this process lives.
    """
    import socket

    folder = os.path.join(tempfile.gettempdir(), f"millrace-ports-{os.getuid()}")
    os.makedirs(folder, exist_ok=True)
    while True:
        port = random.randint(21000, 31999)
        lock = open(os.path.join(folder, str(port)), "w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
        except OSError:
            lock.close()
            continue
        _port_locks.append(lock)
        return port


def started_at(pid):
    """The start time of a process in clock ticks, or None when it is gone or a zombie."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def wait_for(condition, timeout, what, interval=0.05):
    """The first true value of condition(); TimeoutError that names `what` after `timeout` s."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"waited {timeout:.0f} s for {what}")
        time.sleep(interval)


def pause(pid):
    """Stops a process as a machine that sleeps; returns when none of its threads runs any more,
    which the signal alone does not wait for."""
    os.kill(pid, signal.SIGSTOP)

    def stopped():
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/stat") as file:
                if file.read().rsplit(")", 1)[1].split()[0] != "T":
                    return False
        return True

    wait_for(stopped, 30, f"process {pid} to stop", interval=0.01)


def end_process(pid, began, timeout=60):
    """Ends a process that an earlier run left, if it is still the same one."""
    if started_at(pid) != began:
        return False
    os.kill(pid, signal.SIGTERM)
    try:
        wait_for(lambda: started_at(pid) != began, timeout, f"process {pid} to end")
    except TimeoutError:
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: started_at(pid) != began, 10, f"process {pid} to die")
    return True


def _follow():
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """A child in a session of its own, with its output in a file."""

    def __init__(self, arguments, log, environment=None, folder=None):
        self.arguments = [str(argument) for argument in arguments]
        self.log_path = log
        self.environment = environment
        self.folder = folder
        self.child = None

    def start(self):
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen(
                self.arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.folder, start_new_session=True,
                preexec_fn=_follow if die_with_us else None,
                env={**os.environ, **(self.environment or {})})

    @property
    def pid(self):
        return self.child.pid

    def alive(self):
        return self.child is not None and self.child.poll() is None

    def stop(self, timeout=60, signal_number=signal.SIGTERM):
        """Asks it to end and gives its exit status; kills it after `timeout` seconds."""
        if self.child is None:
            return None
        if self.alive():
            self.child.send_signal(signal_number)
        try:
            return self.child.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise TimeoutError(f"{self.arguments[0]} did not end within {timeout} s of a signal")

    def kill(self):
        if self.child is not None:
            if self.alive():
                self.child.kill()
            self.child.wait()

    def log(self, last=None):
        try:
            with open(self.log_path, errors="replace") as file:
                text = file.read()
        except OSError:
            return ""
        return text if last is None else "\n".join(text.splitlines()[-last:])
