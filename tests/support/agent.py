# SPDX-License-Identifier: Apache-2.0
"""The program under test: writes its configuration, runs its commands, reads what it says."""

import json
import os
import re
import subprocess
import urllib.error
import urllib.request

from .process import Process, free_port, wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("MILLRACE_BIN", os.path.join(ROOT, "build", "millrace"))
RELEASE_BINARY = os.environ.get("MILLRACE_RELEASE_BIN", os.path.join(ROOT, "build", "millrace"))
SANITIZER = re.compile(r"(ERROR|WARNING): (Address|Leak|Thread)Sanitizer|runtime error:")
ENVIRONMENT = {"UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
               "ASAN_OPTIONS": "detect_stack_use_after_return=0"}


def _scalar(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def _yaml(value, depth):
    pad = "  " * depth
    lines = []
    for key, item in value.items():
        if isinstance(item, dict):
            lines += [f"{pad}{key}:", *_yaml(item, depth + 1)]
        elif isinstance(item, list):
            lines.append(f"{pad}{key}:")
            for entry in item:
                inner = _yaml(entry, depth + 2) if isinstance(entry, dict) else None
                if inner is None:
                    lines.append(f"{pad}  - {_scalar(entry)}")
                else:
                    lines += [f"{pad}  - {inner[0].strip()}", *inner[1:]]
        else:
            lines.append(f"{pad}{key}: {_scalar(item)}")
    return lines


def to_yaml(configuration):
    """Nested dicts, lists and plain values as YAML; texts are quoted as in JSON."""
    return "\n".join(_yaml(configuration, 0)) + "\n"


class Agent:
    """One configuration in a folder of its own, and the `run` that belongs to it."""

    def __init__(self, folder, source, sink, route=None, pipeline=None, binary=None,
                 environment=None):
        os.makedirs(folder, exist_ok=True)
        self.folder = folder
        self.binary = binary or BINARY
        self.environment = {**ENVIRONMENT, **(environment or {})}
        self.port = free_port()
        self.configuration = {"source": source, "sink": sink}
        if route:
            self.configuration["route"] = route
        self.configuration["pipeline"] = {
            "name": "test", "checkpoint.directory": os.path.join(folder, "checkpoint"),
            "checkpoint.interval": "200ms", "schema.change.behavior": "evolve",
            "http.listen": f"127.0.0.1:{self.port}", **(pipeline or {})}
        self.path = os.path.join(folder, "millrace.yaml")
        self.process = None
        self.starts = 0

    # ---- commands ----

    def write(self):
        with open(self.path, "w") as file:
            file.write(to_yaml(self.configuration))

    def command(self, name, *arguments, timeout=120):
        """Runs another command ("checkpoint show": its action stands before the config) to its
        end: (exit status, output with errors)."""
        self.write()
        done = subprocess.run([self.binary, *name.split(), self.path, *arguments], timeout=timeout,
                              env={**os.environ, **self.environment}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace")
        assert not SANITIZER.search(done.stdout), done.stdout[-4000:]
        return done.returncode, done.stdout

    def start(self, wait=True, arguments=()):
        self.write()
        self.starts += 1
        self.process = Process([self.binary, "run", self.path, *arguments],
                               os.path.join(self.folder, "millrace.log"), self.environment)
        self.process.start()
        if wait:
            wait_for(self._answers, 60, "the agent's /healthz", interval=0.02)
        return self

    def _answers(self):
        self.check_alive()
        try:
            self.get("/healthz")
        except urllib.error.HTTPError:
            return True  # it answers; it may not be well yet
        except OSError:
            return False
        return True

    def stop(self, timeout=60):
        """SIGTERM: it must end by itself, with status 0 and without a complaint of a sanitizer."""
        if self.process is None:
            return
        status = self.process.stop(timeout)
        assert not SANITIZER.search(self.log()), self.log(80)
        assert status == 0, f"the agent ended with status {status}:\n{self.log(30)}"
        self.process = None

    def kill(self):
        if self.process:
            self.process.kill()
            self.process = None

    def wait_end(self, timeout=60):
        """Waits for it to end by itself; its exit status."""
        status = self.process.child.wait(timeout)
        self.process = None
        return status

    # ---- what it says ----

    def alive(self):
        return self.process is not None and self.process.alive()

    def check_alive(self):
        if not self.alive():
            raise AssertionError(f"the agent ended:\n{self.log(40)}")

    def log(self, last=None):
        return Process([], os.path.join(self.folder, "millrace.log")).log(last)

    def wait_log(self, pattern, timeout=30, after=0):
        """The first match of a regular expression in the log beyond character `after`."""
        try:
            return wait_for(lambda: re.compile(pattern, re.I).search(self.log(), after), timeout,
                            f"'{pattern}' in the log", interval=0.1)
        except TimeoutError as error:
            raise AssertionError(f"{error}, which ends:\n{self.log(15)}") from None

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return answer.read().decode()

    def status(self):
        return json.loads(self.get("/status"))

    def sink_status(self):
        """The part of /status that is about the one sink."""
        return self.status()["sinks"][0]

    def table_states(self):
        """{"db.table": state}"""
        return {table["source"]: table["state"] for table in self.sink_status()["tables"]}

    def metrics(self):
        """{name{labels}: value} of /metrics."""
        found = {}
        for line in self.get("/metrics").splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                found[name] = float(value)
        return found

    def wait_streaming(self, timeout=60):
        """Until every table's snapshot is over."""
        def streaming():
            self.check_alive()
            states = self.table_states()
            return states and all(state == "streaming" for state in states.values())
        try:
            wait_for(streaming, timeout, "all tables to stream", interval=0.05)
        except TimeoutError as error:
            raise AssertionError(f"{error}: {self.table_states()}\n{self.log(30)}") from None

    # ---- what it costs ----

    def _memory(self, word):
        with open(f"/proc/{self.process.pid}/status") as file:
            return int(re.search(rf"^{word}:\s+(\d+) kB", file.read(), re.M).group(1)) * 1024

    def rss(self):
        return self._memory("VmRSS")

    def peak_rss(self):
        return self._memory("VmHWM")

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
