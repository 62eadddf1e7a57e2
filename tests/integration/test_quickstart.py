# SPDX-License-Identifier: Apache-2.0
"""./quickstart as a user runs it: twice, kept running, and stopped."""

import os
import re
import subprocess

from support.agent import ROOT


def quickstart(folder, *arguments):
    done = subprocess.run([os.path.join(ROOT, "quickstart"), *arguments], timeout=300,
                          env={**os.environ, "MILLRACE_LAB": folder}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def test_twice_and_kept(tmp_path):
    folder = str(tmp_path / "lab")
    code, text = quickstart(folder, "--keep")
    assert code == 0, text
    found = re.search(r"(\d+) of (\d+) tables are equal", text)
    assert found and found.group(1) == found.group(2) and int(found.group(1)) >= 20, text
    assert "rows per second" in text and "ms from a commit" in text and "MB at most" in text, text
    assert "quickstart stop" in text
    code, text = quickstart(folder)
    assert code == 0 and "Ended what an earlier" in text, text
    assert not os.path.exists(folder)
    assert quickstart(folder, "stop") == (0, "Nothing was running.\n")


def test_mysql_into_kafka(tmp_path):
    code, text = quickstart(str(tmp_path / "lab"), "--source", "mysql", "--sink", "kafka")
    assert code == 0 and "MySQL" in text and "in Kafka" in text, text
    found = re.search(r"(\d+) of (\d+) tables are equal", text)
    assert found and found.group(1) == found.group(2) and int(found.group(1)) >= 20, text


def test_with_postgres(tmp_path):
    code, text = quickstart(str(tmp_path / "lab"), "--source", "postgres")
    assert code == 0 and "Starting PostgreSQL" in text, text
    found = re.search(r"(\d+) of (\d+) tables are equal", text)
    assert found and found.group(1) == found.group(2) and int(found.group(1)) >= 20, text


def test_unknown_words():
    code, text = quickstart("unused", "--nonsense")
    assert code == 2 and "--keep" in text, text
