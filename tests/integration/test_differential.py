# SPDX-License-Identifier: Apache-2.0
"""Random values of every type: the log's decoder against SELECT, and ClickHouse against the source.

The output of a failure names the seed.
"""

import os
import random
import re
import subprocess

import pytest

from support.agent import BINARY, ENVIRONMENT, SANITIZER
from support.random_values import RandomRows

PROGRAM = os.path.join(os.path.dirname(BINARY), "tests", "differential", "rows_select")


@pytest.mark.parametrize("flavor", ["mariadb", "mariadb118", "mysql"])
def test_rows_of_the_log_hold_what_select_shows(source, full):
    """Three tables a server, one for each kind of row image; the output names the seed."""
    rows = 500 if full else 40
    done = subprocess.run(
        [PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=900, text=True,
        errors="replace", env={
            **os.environ, **ENVIRONMENT, "MILLRACE_TEST_ROWS": str(rows),
            "MILLRACE_TEST_MYSQL": f"127.0.0.1:{source.port}:admin:admin"})
    print(done.stdout)
    assert done.returncode == 0 and not SANITIZER.search(done.stdout), done.stdout[-6000:]
    compared = [int(cells) for cells in re.findall(r"(\d+) cells compared", done.stdout)]
    assert len(compared) == 3 and min(compared) > rows * 40, done.stdout


@pytest.mark.parametrize("flavor", ["mariadb", "mariadb118", "mysql"])
def test_random_values_arrive_exactly(sync, full):
    """Source and ClickHouse, from the snapshot and from the log, with a key and without."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rows = RandomRows(seed, sync.source.flavor == "mariadb")
    count = 500 if full else 25
    switch = "SET sql_mode = '', innodb_strict_mode = OFF, time_zone = '+00:00'"

    def inserts(first):
        return [f"INSERT INTO {name} VALUES {rows.row(key)}"
                for key in range(first, first + count) for name in ("keyed", "keyless")]

    sync.execute(switch, f"CREATE TABLE keyed ({rows.definition('id INT PRIMARY KEY')})",
                 f"CREATE TABLE keyless ({rows.definition('id INT')})", *inserts(1))
    sync.agent().start().wait_streaming()
    sync.execute(switch, *inserts(count + 1), "INSERT INTO keyless SELECT * FROM keyless",
                 *[f"REPLACE INTO keyed VALUES {rows.row(key)}" for key in range(1, count, 3)],
                 "UPDATE keyed SET c0 = NULL, c7 = NULL WHERE id % 4 = 0",
                 "UPDATE keyless SET c1 = NULL, c9 = NULL WHERE id % 5 = 0",
                 "DELETE FROM keyed WHERE id % 7 = 0", "DELETE FROM keyless WHERE id % 7 = 0")
    sync.wait_equal(120)
