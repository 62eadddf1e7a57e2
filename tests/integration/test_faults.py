# SPDX-License-Identifier: Apache-2.0
"""Processes that stand still, clocks that jump, a disk that fails: nothing is lost or doubled."""

import glob
import os
import random
import signal
import subprocess
import time

import pytest

from support.agent import RELEASE_BINARY
from support.process import pause, wait_for
from test_crash import Load, prepare
from test_network import FAST

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"


def loaded(sync, proxy=None, **more):
    """An agent that streams under load, with a proxy on either side where they are asked for."""
    prepare(sync, 500)
    ways = [proxy(sync.source.port), proxy(sync.clickhouse.port)] if proxy else []
    source = {"port": ways[0].port, "heartbeat.interval": "500ms"} if ways else {}
    sink = {"url": f"http://127.0.0.1:{ways[1].port}"} if ways else {}
    agent = sync.agent(source=source, sink=sink, pipeline=FAST, **more)
    agent.start().wait_streaming()
    load = Load(sync)
    load.start()
    time.sleep(0.3)
    return agent, load, ways


def test_an_agent_that_is_paused(sync, proxy, full):
    """Longer than the servers wait: both have closed its connections when it goes on."""
    agent, load, ways = loaded(sync, proxy)
    for _ in range(5 if full else 2):
        pause(agent.process.pid)
        time.sleep(1)
        for way in ways:
            way.drop()
        time.sleep(1 if not full else 20)
        os.kill(agent.process.pid, signal.SIGCONT)
        time.sleep(0.5)
    load.stop()
    sync.wait_equal()


@pytest.mark.parametrize("side", ["source", "sink"])
def test_a_server_that_is_paused(maria, full, side):
    agent, load, _ = loaded(maria)
    server = maria.source if side == "source" else maria.clickhouse
    pause(server.process.pid)
    try:
        time.sleep(60 if full else 4)
        agent.check_alive()
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
    load.stop()
    maria.wait_equal()


def test_a_stop_while_the_sink_is_paused(maria):
    """It does not wait for an answer that may take minutes: the next start decides the load."""
    agent, load, _ = loaded(maria)
    pause(maria.clickhouse.process.pid)
    try:
        time.sleep(1)
        begun = time.monotonic()
        agent.stop(timeout=20)
        assert time.monotonic() - begun > 4, "it was not waiting for the sink"
        assert "stopping without it" in agent.log()
    finally:
        os.kill(maria.clickhouse.process.pid, signal.SIGCONT)
    agent.start()
    load.stop()
    maria.wait_equal()


def test_clocks_that_jump(maria, tmp_path):
    """Back by days and ahead by years, while it runs and between two starts."""
    wall = os.path.join(tmp_path, "wall")

    def jump(offset):
        with open(wall + ".new", "w") as file:
            file.write(offset + "\n")
        os.rename(wall + ".new", wall)

    jump("+0")
    agent, load, _ = loaded(maria, binary=RELEASE_BINARY, environment={
        "LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": wall, "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1"})
    for offset, ends in (("-3d", False), ("+400d", True), ("-2d", True), ("+0", False)):
        jump(offset)
        time.sleep(0.5)
        if ends:
            agent.kill()
            agent.start()
        if offset == "+400d":
            agent.wait_log(r"\n20(2[7-9]|3\d)-", 10)  # it is believed
    load.stop()
    maria.wait_equal()


class FailingDisk:
    """Answers calls of a process with EIO, by strace."""

    def __init__(self, pid, call, paths=()):
        chosen = [word for path in paths for word in ("-P", path)]
        self.child = subprocess.Popen(
            ["strace", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e",
             f"inject={call}:error=EIO", *chosen, "-p", str(pid)], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
        line = self.child.stdout.readline()
        assert "attached" in line, line

    def end(self):
        self.child.terminate()
        self.child.communicate(timeout=30)


def log_files(agent):
    folder = agent.configuration["pipeline"]["checkpoint.directory"]
    return glob.glob(os.path.join(folder, "**", "*.log"), recursive=True)


def expect_end(agent):
    wait_for(lambda: not agent.alive() and "ended", 60, "the agent to end", interval=0.05)
    assert agent.process.child.returncode == 2, agent.log(20)
    agent.process = None
    errors = [line for line in agent.log().splitlines() if "Input/output error" in line]
    assert len(errors) == 1 and "checkpoint" in errors[0] and "start again" in errors[0], \
        agent.log(20)


@pytest.mark.parametrize("phase", ["snapshot", "stream"])
@pytest.mark.parametrize("call", ["fdatasync", "write"])
def test_a_disk_that_fails(maria, phase, call):
    """It stops with one line, for what is on the disk is not known any more, and goes on later."""
    prepare(maria, 3000 if phase == "snapshot" else 100)
    agent = maria.agent(source={"scan.incremental.snapshot.chunk.size": 20}, binary=RELEASE_BINARY)
    agent.start()
    if phase == "stream":
        agent.wait_streaming()
    else:
        wait_for(lambda: agent.sink_status()["tables"], 30, "the reading to begin", interval=0.01)
    disk = FailingDisk(agent.process.pid, call, log_files(agent) if call == "write" else ())
    try:
        maria.execute("INSERT INTO keyed (v) VALUES (1)", "INSERT INTO keyless VALUES (1), (1)",
                      "UPDATE keyless SET v = 5 WHERE v = 4 LIMIT 3")
        expect_end(agent)
    finally:
        disk.end()
    agent.start()
    maria.execute("INSERT INTO keyless VALUES (2)")
    maria.wait_equal()


def test_a_disk_that_fails_at_the_start(maria):
    prepare(maria, 100)
    agent = maria.agent(binary=RELEASE_BINARY)
    agent.start().wait_streaming()
    maria.execute("INSERT INTO keyless VALUES (3), (3)")
    agent.kill()
    agent.write()
    done = subprocess.run(
        ["strace", "-f", "-o", "/dev/null", "-e", "trace=fdatasync", "-e",
         "inject=fdatasync:error=EIO", agent.binary, "run", agent.path], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=60, env={**os.environ, **agent.environment})
    errors = [line for line in done.stdout.splitlines() if "Input/output error" in line]
    assert done.returncode == 2 and len(errors) == 1, done.stdout
    agent.start()
    maria.wait_equal()
