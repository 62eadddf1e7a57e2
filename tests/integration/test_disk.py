# SPDX-License-Identifier: Apache-2.0
"""The disk of the checkpoint is full: one clear line, and nothing is lost once there is room."""

import os
import subprocess

import pytest

from support.process import wait_for
from support.sample_shop import numbers


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 32 MB in memory."""
    folder = os.path.join(tmp_path, "small")
    os.makedirs(folder)
    if os.getuid() != 0:
        pytest.skip("only root may mount a small file system")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "millrace-test", folder],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {done.stdout.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(folder):
    """Takes all that is left; gives the path of the ballast."""
    path = os.path.join(folder, "ballast")
    with open(path, "ab", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                pass
    return path


def prepare(sync):
    sync.execute("CREATE TABLE keyed (id INT AUTO_INCREMENT PRIMARY KEY, v INT)",
                 f"INSERT INTO keyed (v) SELECT n FROM {numbers(3000)}",
                 "CREATE TABLE keyless (v INT)", f"INSERT INTO keyless SELECT n FROM {numbers(50)}")


def expect_end(agent):
    """It ends by itself with status 2, and its last line says why and what to do."""
    wait_for(lambda: not agent.alive() and "ended", 60, "the agent to end", interval=0.1)
    assert agent.process.child.returncode == 2, agent.log(20)
    agent.process = None
    assert "No space left on device" in agent.log(3), agent.log(20)


def test_full_while_streaming(maria, small_disk):
    prepare(maria)
    agent = maria.agent(pipeline={"checkpoint.directory": os.path.join(small_disk, "checkpoint")})
    agent.start().wait_streaming()
    maria.wait_equal()
    ballast = fill(small_disk)
    maria.execute("INSERT INTO keyed (v) VALUES (1)", "INSERT INTO keyless VALUES (1), (1)",
                  "ALTER TABLE keyless ADD COLUMN w INT")
    expect_end(agent)
    agent.start(wait=False)
    expect_end(agent)  # still full
    os.unlink(ballast)
    agent.start()
    maria.wait_equal()


def test_full_at_the_first_start(maria, small_disk):
    prepare(maria)
    ballast = fill(small_disk)
    agent = maria.agent(pipeline={"checkpoint.directory": os.path.join(small_disk, "checkpoint")})
    agent.start(wait=False)
    expect_end(agent)
    os.unlink(ballast)
    agent.start()
    maria.wait_equal()


def test_full_in_the_snapshot(maria, small_disk):
    prepare(maria)
    agent = maria.agent(source={"scan.incremental.snapshot.chunk.size": 5},
                        pipeline={"checkpoint.directory": os.path.join(small_disk, "checkpoint")})
    agent.start(wait=False)
    wait_for(lambda: os.path.exists(os.path.join(small_disk, "checkpoint", "clickhouse", "epoch")),
             30, "the checkpoint", interval=0.01)
    ballast = fill(small_disk)
    expect_end(agent)
    os.unlink(ballast)
    agent.start()
    maria.wait_equal()
