# SPDX-License-Identifier: Apache-2.0
"""Compares tables of MySQL and MariaDB with their topics of debezium-json, folded: the newest
message of each key, or of a table without a key each row as often as it came and did not go."""

import base64
import hashlib
import json
import struct
from collections import Counter

from .compare import (BYTES, INTEGERS, LONG, NULL, SEPARATOR, SHAPES, TEXTS, Comparison, Result,
                      checksum, exact_floats, find_differences, read_columns, read_source)
from .kafka_rows import clock_text, day_text, moment, unscaled


def _hex(raw):
    return f"sha:{hashlib.sha256(raw).hexdigest()}" if len(raw) > LONG else raw.hex().upper()


def _moment_text(value, digits):
    return moment(value * (1000 if digits <= 3 else 1), digits)


def _shape(value):
    return _hex(struct.pack("<I", value["srid"] or 0) + base64.b64decode(value["wkb"]))


def _single(value):
    return repr(struct.unpack("f", struct.pack("f", float(value)))[0])


def cell(column, value):
    """The canonical text of compare.py."""
    kind = column.kind
    if value is None:
        return NULL
    if kind == "bit":
        return str(int(value) if isinstance(value, bool) else
                   int.from_bytes(base64.b64decode(value), "little"))
    if kind in INTEGERS or kind == "year":
        return str(int(value))
    if kind == "decimal":
        return unscaled(base64.b64decode(value), column.scale)
    if kind == "float":
        return _single(value)
    if kind == "double":
        return repr(float(value))
    if kind == "date":
        return day_text(value)
    if kind == "time":
        return clock_text(value, column.fraction)
    if kind == "datetime":
        return _moment_text(value, column.fraction)
    if kind == "timestamp":
        return value.replace("T", " ").rstrip("Z")
    if kind in TEXTS or kind == "json":
        return _hex(value.encode())
    if kind in BYTES:
        return _hex(base64.b64decode(value))
    if kind in SHAPES:
        return _shape(value)
    if kind == "vector":
        return _hex(b"".join(struct.pack("<f", number) for number in value))
    return str(value)


def fold(messages):
    """The rows that are left, as images; a column that was added later is missing in older ones."""
    keyed, rows = {}, Counter()
    for message in messages:
        document = None if message.raw_value is None else message.json
        if message.key is not None:
            if document is None or document["op"] == "d":
                keyed.pop(message.key, None)
            else:
                keyed[message.key] = document["after"]
            continue
        for image, sign in ((document["before"], -1), (document["after"], 1)):
            if image is not None:  # without NULLs: a row may be older than its newest column
                rows[json.dumps({name: value for name, value in image.items()
                                 if value is not None})] += sign
    return list(keyed.values()) + [json.loads(row) for row in rows.elements()]


class KafkaComparison(Comparison):
    def __init__(self, database, kafka):
        super().__init__(database, None)
        self.kafka = kafka

    def table(self, schema, table, target=None, renamed=None, ignore=()):
        columns = read_columns(self.database, schema, table)
        result = Result(f"{schema}.{table}")
        source = read_source(self.database, schema, table, columns)
        images = fold(self.kafka.messages(f"{schema}.{table}"))
        rows = exact_floats([SEPARATOR.join(cell(column, image.get(column.name))
                                            for column in columns) for image in images], columns)
        result.source_rows, result.source_checksum = len(source), checksum(source)
        result.target_rows, result.target_checksum = len(rows), checksum(rows)
        result.differences += find_differences(source, rows, columns)
        return result

    def all_tables(self, schema, target=None, tables=None):
        return [self.table(schema, table) for table in tables or self.source_tables(schema)]
