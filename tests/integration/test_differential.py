# SPDX-License-Identifier: Apache-2.0
"""Random values of every type: what the log's decoder makes of them against the server's SELECT."""

import os
import re
import subprocess

import pytest

from support.agent import BINARY, ENVIRONMENT, SANITIZER

PROGRAM = os.path.join(os.path.dirname(BINARY), "tests", "differential", "rows_select")


@pytest.mark.parametrize("flavor", ["mariadb", "mariadb118", "mysql"])
def test_rows_of_the_log_hold_what_select_shows(source, full):
    """Three tables a server, one for each kind of row image; the output names the seed."""
    rows = 2000 if full else 40
    done = subprocess.run(
        [PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600, text=True,
        errors="replace", env={
            **os.environ, **ENVIRONMENT, "MILLRACE_TEST_ROWS": str(rows),
            "MILLRACE_TEST_MYSQL": f"127.0.0.1:{source.port}:admin:admin"})
    print(done.stdout)
    assert done.returncode == 0 and not SANITIZER.search(done.stdout), done.stdout[-6000:]
    compared = [int(cells) for cells in re.findall(r"(\d+) cells compared", done.stdout)]
    assert len(compared) == 3 and min(compared) > rows * 40, done.stdout
