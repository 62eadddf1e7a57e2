# SPDX-License-Identifier: Apache-2.0
"""The command line by itself: no server is needed, only the program."""

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("MILLRACE_BIN", os.path.join(ROOT, "build", "millrace"))
SECRET = "hunter2-in-the-dark"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def millrace(*arguments, environment=None):
    done = subprocess.run([BINARY, *arguments], timeout=60, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env={**os.environ, **(environment or {})})
    assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr
    assert SECRET not in done.stdout + done.stderr
    return done.returncode, done.stdout, done.stderr


class Config:
    """A config whose source nobody listens for."""

    def __init__(self, folder):
        self.folder = folder
        self.path = str(folder / "shop.yaml")
        self.port = free_port()
        self.write()

    def write(self, source="", sink="sink: {type: blackhole}", pipeline=""):
        with open(self.path, "w") as file:
            file.write(f"source:\n  type: mysql\n  hostname: 127.0.0.1\n  port: {free_port()}\n"
                       f"  username: u\n  password: ${{env:MILLRACE_TEST_SECRET}}\n"
                       f"  tables: shop.\\.*\n{source}{sink}\n"
                       f"pipeline:\n  checkpoint.directory: {self.folder}/checkpoint\n"
                       f"  http.listen: 127.0.0.1:{self.port}\n{pipeline}")


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("MILLRACE_TEST_SECRET", SECRET)
    return Config(tmp_path)


@pytest.mark.parametrize("arguments, message", [
    ([], "Usage: millrace COMMAND"),
    (["rnu", "x"], "there is no command 'rnu'; did you mean 'run'?"),
    (["qqqqqqqq"], "`millrace help` lists them"),
    (["run"], "the config file is missing"),
    (["run", "a", "b"], "one config at a time, not also b"),
    (["run", "a", "--table", "b"], "unknown argument --table"),
    (["backfill", "a", "--table"], "--table needs a pattern"),
    (["status", "--jsn", "a"], "unknown argument --jsn"),
    (["version", "x"], "unknown argument x"),
    (["options", "x"], "unknown argument x"),
    (["run", "a", "--from-savepoint="], "--from-savepoint needs a path"),
    (["run", "a", "--from", "latest", "--from-savepoint", "b"], "not both"),
    (["run", "a", "--discard-checkpoint"], "goes with --from"),
    (["backfill", "a", "--from", "latest"], "unknown argument --from"),
    (["checkpoint"], "show, export or import?"),
    (["checkpoint", "list", "a"], "show, export or import?"),
    (["checkpoint", "show"], "the config file is missing"),
    (["checkpoint", "import", "a"], "which file?"),
    (["checkpoint", "export", "a", "--force"], "usage: millrace checkpoint export"),
])
def test_wrong_usage(arguments, message):
    status, _, errors = millrace(*arguments)
    assert status == 64
    assert message in errors


@pytest.mark.parametrize("word", ["version", "--version"])
def test_version(word):
    status, output, _ = millrace(word)
    assert status == 0
    assert re.fullmatch(r"millrace \d+\.\d+\.\d+\n", output)


@pytest.mark.parametrize("word", ["help", "--help", "-h"])
def test_help_names_every_command_and_exit_code(word):
    status, output, _ = millrace(word)
    assert status == 0
    for command in ("run", "backfill", "check", "status", "tables", "savepoint", "checkpoint",
                    "options", "version"):
        assert f"  {command} " in output
    assert "64 wrong command line" in " ".join(output.split())


def test_the_reference_is_the_one_that_is_kept():
    status, output, _ = millrace("options", "--markdown")
    assert status == 0
    with open(os.path.join(ROOT, "config", "reference.md")) as file:
        assert output == file.read(), "millrace options --markdown > config/reference.md"


@pytest.mark.parametrize("command", ["run", "backfill", "check", "status", "tables"])
def test_a_missing_config(command, tmp_path):
    status, output, errors = millrace(command, str(tmp_path / "none.yaml"))
    assert status == 2
    assert "none.yaml': No such file or directory" in output + errors


@pytest.mark.parametrize("source, sink, pipeline, message", [
    ("  hostnmae: x\n", "sink: {type: blackhole}", "",
     r":8: source: unknown key 'hostnmae'; did you mean 'hostname'\?"),
    ("", "sink: {type: clickhuose}", "", r":8: sink 'clickhuose': there is no type"),
    ("", "sink: {type: blackhole}", "  memory.budget: 1kb\n",
     r":12: pipeline: 'memory.budget' must be 4mb to 64gb, but is '1kb'"),
    ("\tserver-id: 1\n", "sink: {type: blackhole}", "", r":8: a tab in the indentation"),
    ("", "sink: {type: blackhole}\ntransform: [{source-table: a.b}]", "",
     r":9: 'transform' is not supported yet"),
])
def test_a_wrong_config(config, source, sink, pipeline, message):
    config.write(source, sink, pipeline)
    for command in ("run", "check"):
        status, output, errors = millrace(command, config.path)
        assert status == 2
        assert re.search(message, output + errors), output + errors


def test_check_tells_what_is_wrong(config):
    status, output, _ = millrace("check", config.path)
    assert status == 2
    assert re.search(r"^FAIL +source: ", output, re.M)
    assert re.search(r"^OK +checkpoint: ", output, re.M)
    assert re.search(r"^\d+ failures, \d+ warnings$", output, re.M)
    assert not os.path.exists(config.folder / "checkpoint"), "check must not make anything"


def test_words_of_flink_are_taken_with_a_warning(config):
    config.write(source="  debezium.max.batch.size: 2048\n  server-time-zone: UTC\n",
                 pipeline="  parallelism: 4\n")
    _, output, _ = millrace("check", config.path)
    assert "'debezium.max.batch.size' is ignored" in output
    assert "'server-time-zone' is ignored" in output
    assert "'parallelism' is ignored" in output


def test_status_of_what_never_ran(config):
    status, output, _ = millrace("status", config.path)
    assert status == 0
    assert "never started" in output
    status, output, _ = millrace("status", config.path, "--json")
    assert json.loads(output)["live"] is False
    status, output, _ = millrace("tables", config.path)
    assert status == 0
    assert output.startswith("STATE")


class Running:
    def __init__(self, config):
        self.config = config
        self.log = open(config.folder / "log", "w+")
        self.process = subprocess.Popen([BINARY, "run", config.path], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log)

    def get(self, path, host=None, method="GET"):
        request = urllib.request.Request(f"http://127.0.0.1:{self.config.port}{path}",
                                         method=method, headers={"Host": host} if host else {})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def wait(self, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.process.poll() is None, self.text()
            try:
                if self.get("/healthz")[0] == 503:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise AssertionError(self.text())

    def text(self):
        self.log.flush()
        with open(self.log.name) as file:
            return file.read()

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        status = self.process.wait(30)
        assert SECRET not in self.text()
        assert "Sanitizer" not in self.text(), self.text()
        return status


@pytest.fixture
def running(config):
    agent = Running(config)
    yield agent
    if agent.process.poll() is None:
        agent.process.kill()
        agent.process.wait()
    agent.log.close()


def test_a_run_without_a_source_waits_and_says_so(running):
    running.wait()
    code, text = running.get("/healthz")
    assert code == 503 and text.startswith("blackhole: ")
    code, text = running.get("/status")
    assert code == 200 and json.loads(text)["sinks"][0]["trouble"]
    assert SECRET not in text
    code, text = running.get("/metrics")
    assert code == 200 and 'millrace_up{pipeline="shop",sink="blackhole"} 1' in text
    assert running.get("/none")[0] == 404
    assert running.get("/status", method="POST")[0] == 405
    assert running.get("/status", host="evil.example")[0] == 403
    status, output, _ = millrace("status", running.config.path,
                                 environment={"MILLRACE_TEST_SECRET": ""})
    assert status == 0 and ": running" in output and "trouble" in output
    assert running.end() == 0
    assert "stopped" in running.text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_other_signals_stop_it_too(running, number):
    running.wait()
    assert running.end(number) == 0


def test_files_are_for_the_owner_alone(running):
    running.wait()
    for folder, _, names in os.walk(running.config.folder / "checkpoint"):
        for path in [folder, *(os.path.join(folder, name) for name in names)]:
            assert os.stat(path).st_mode & 0o077 == 0, path
    running.end()


def test_a_port_that_is_taken(config):
    with socket.socket() as other:
        other.bind(("127.0.0.1", config.port))
        other.listen()
        status, _, errors = millrace("run", config.path)
    assert status == 2
    assert f"127.0.0.1:{config.port}" in errors and "Address already in use" in errors


def test_systemd_is_told(config):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0millrace-test-%d" % os.getpid())
        manager.settimeout(20)
        environment = {**os.environ, "NOTIFY_SOCKET": "@millrace-test-%d" % os.getpid(),
                       "WATCHDOG_USEC": "400000"}
        process = subprocess.Popen([BINARY, "run", config.path], env=environment,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        try:
            assert manager.recv(1000) == b"READY=1"
            told = {manager.recv(1000).split(b"=")[0] for _ in range(4)}
            assert b"WATCHDOG" in told
            process.terminate()
            while not manager.recv(1000).startswith(b"STOPPING=1"):
                pass
            assert process.wait(30) == 0
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
