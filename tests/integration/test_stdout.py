# SPDX-License-Identifier: Apache-2.0
"""Lines on standard output, value by value."""

import decimal
import json
import os

from support.postgres_messages import lines_folded
from support.process import Process
from test_postgres_kafka import check_every_type


class Lines:
    """In the place of a server that takes the changes."""

    def sink_options(self, **options):
        return {"type": "stdout", **options}


def test_every_type_of_postgres(pg):
    pg.clickhouse = Lines()

    def fold(columns, source):
        log = Process([], os.path.join(pg.agents[0].folder, "millrace.log")).log()
        lines = [json.loads(line, parse_float=decimal.Decimal) for line in log.splitlines()
                 if line.startswith("{")]
        return lines_folded(lines, columns), source

    check_every_type(pg, {}, fold)
