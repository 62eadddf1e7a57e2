# SPDX-License-Identifier: Apache-2.0
"""Compares tables of a source with their targets in ClickHouse, value by value.

Both servers print each row as one text, a canonical text per cell: characters and bytes in
hexadecimal (or their SHA-256 when they are long), numbers in plain decimal, times as
`YYYY-MM-DD hh:mm:ss.ffffff`, NULL as `~`. Floating point numbers are read back and compared by
their bits. Rows are then a multiset of texts on each side: tables with a key are read with FINAL,
tables without one through the view `<table>_rows`.

A date that no calendar holds becomes NULL where the column may be NULL and 1970-01-01 where it may
not: the default policy of the sink.
"""

import hashlib
import re
import time
from collections import Counter
from dataclasses import dataclass, field

SEPARATOR, NULL = "|", "~"
LONG = 100000

INTEGERS = ("tinyint", "smallint", "mediumint", "int", "bigint")
TEXTS = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set")
BYTES = ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob")
FLOATS = ("float", "double", "float4", "float8")
SHAPES = ("geometry", "point", "linestring", "polygon", "multipoint", "multilinestring",
          "multipolygon", "geomcollection", "geometrycollection")


@dataclass
class Column:
    name: str
    kind: str        # DATA_TYPE
    declared: str    # COLUMN_TYPE
    nullable: bool
    key: bool
    scale: int
    fraction: int


@dataclass
class Result:
    """What a comparison of one table found; equal when `differences` is empty."""
    name: str
    source_rows: int = 0
    target_rows: int = 0
    source_checksum: str = "-"
    target_checksum: str = "-"
    differences: list = field(default_factory=list)

    @property
    def equal(self):
        return not self.differences


def quote(name):
    return "`" + name.replace("`", "``") + "`"


def quote_target(name):
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def read_columns(database, schema, table):
    """The columns of a source table, hidden ones too, in order."""
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name, data_type, column_type, is_nullable, column_key, numeric_scale,"
            " datetime_precision FROM information_schema.columns WHERE table_schema = %s"
            " AND table_name = %s ORDER BY ordinal_position", (schema, table))
        return [Column(name, kind.lower(), declared, nullable == "YES", key == "PRI",
                       int(scale or 0), int(fraction or 0))
                for name, kind, declared, nullable, key, scale, fraction in cursor.fetchall()]


def source_tables(database, schema):
    rows = database.query("SELECT table_name FROM information_schema.tables WHERE "
                          "table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') AND "
                          f"table_schema = '{schema}' ORDER BY table_name")
    return [row[0] for row in rows]


# ---- the canonical text of a cell, in the words of each server ----

def _long_hex(text, length):
    return f"IF({length} > {LONG}, CONCAT('sha:', SHA2({text}, 256)), HEX({text}))"


def source_cell(column):
    name = quote(column.name)
    kind = column.kind
    if kind == "double":
        return f"CAST({name} AS CHAR)"
    if kind == "float":
        # MySQL cuts a digit off CAST(CAST(x AS DOUBLE) AS CHAR); in JSON it writes all of them.
        text = f"JSON_UNQUOTE(JSON_EXTRACT(JSON_ARRAY(CAST({name} AS DOUBLE)), '$[0]'))"
        return f"IF({name} IS NULL, NULL, {text})"
    if kind in ("bit", "year") or kind in INTEGERS:
        return f"CAST({name} + 0 AS CHAR)"
    if kind in ("date", "datetime", "timestamp"):
        otherwise = "NULL" if column.nullable else _epoch(column)
        text = f"CAST({name} AS CHAR)"
        return f"IF({text} LIKE '%%-00%%', {otherwise}, {text})"
    if kind in TEXTS or kind == "json":
        text = f"CONVERT({name} USING utf8mb4)"
        return _long_hex(text, f"LENGTH({name})")
    if kind in BYTES or kind in SHAPES or kind == "vector":
        return _long_hex(name, f"LENGTH({name})")
    if kind == "inet6":
        return f"HEX(INET6_ATON(CAST({name} AS CHAR)))"
    return f"CAST({name} AS CHAR)"


def _epoch(column):
    text = "1970-01-01" if column.kind == "date" else "1970-01-01 00:00:00"
    return f"'{text}{'.' + '0' * column.fraction if column.fraction else ''}'"


def long_hex_target(text):
    return (f"if(length({text}) > {LONG}, concat('sha:', lower(hex(SHA256({text})))), "
            f"hex({text}))")


def _time_of_microseconds(name, fraction):
    """hh:mm:ss.ffffff of a signed number of microseconds."""
    size = f"abs({name})"
    parts = [f"if({name} < 0, '-', '')", f"leftPad(toString(intDiv({size}, 3600000000)), 2, '0')",
             "':'", f"leftPad(toString(intDiv({size}, 60000000) % 60), 2, '0')",
             "':'", f"leftPad(toString(intDiv({size}, 1000000) % 60), 2, '0')"]
    if fraction:
        parts += ["'.'", f"substring(leftPad(toString({size} % 1000000), 6, '0'), 1, {fraction})"]
    return f"concat({', '.join(parts)})"


def target_cell(column, kind):
    """`kind` is the type of the target's column."""
    name = quote_target(column.name)
    base = re.sub(r"^LowCardinality\((.*)\)$", r"\1", kind)
    base = re.sub(r"^Nullable\((.*)\)$", r"\1", base)
    if column.kind in FLOATS:
        return f"toString(toFloat64({name}))"
    if column.kind == "decimal" and base.startswith("Decimal"):
        return f"toDecimalString({name}, {column.scale})"
    if column.kind == "time" and base == "Int64":
        return _time_of_microseconds(name, column.fraction)
    if column.kind in INTEGERS and base == "Bool":
        return f"toString(toUInt8({name}))"
    if column.kind == "vector":
        # An array cannot be Nullable: an empty one stands for NULL.
        each = f"arrayMap(x -> hex(reinterpretAsFixedString(x)), {name})"
        return f"if(empty({name}), NULL, arrayStringConcat({each}))"
    if column.kind == "inet6" and base == "IPv6":
        return f"hex(reinterpretAsFixedString({name}))"
    if column.kind in TEXTS or column.kind == "json" or column.kind in BYTES \
            or column.kind in SHAPES:
        return long_hex_target(name)
    return f"toString({name})"


# ---- reading both sides ----

def read_source(database, schema, table, columns):
    cells = ", ".join(f"COALESCE({source_cell(column)}, '{NULL}')" for column in columns)
    statement = (f"SELECT CONCAT_WS('{SEPARATOR}', {cells}) FROM {quote(schema)}.{quote(table)}")
    with database.connect(conv={}) as connection, connection.cursor() as cursor:
        cursor.execute("SET time_zone = '+00:00', sql_mode = ''")
        cursor.execute(statement.replace("%%", "%"))
        rows = cursor.fetchall()
    return exact_floats([_text(row[0]) for row in rows], columns)


def _text(value):
    return value.decode() if isinstance(value, bytes) else value


def read_target(clickhouse, schema, table, columns, keyed, cell=target_cell):
    """Rows of the target as texts. ClickHouseError when it lacks one of the columns."""
    place = table if keyed else table + "_rows"
    kinds = clickhouse.columns(schema, table)
    cells = ", ".join(
        f"ifNull(toNullable({cell(column, kinds.get(column.name, ''))}), '{NULL}')"
        for column in columns)
    final = " FINAL" if keyed else ""
    body = clickhouse.text(
        f"SELECT concatWithSeparator('{SEPARATOR}', {cells}) FROM "
        f"{quote_target(schema)}.{quote_target(place)}{final} FORMAT TSVRaw",
        max_threads=1, max_block_size=8192)
    return exact_floats(body.decode().split("\n")[:-1], columns)


def exact_floats(rows, columns):
    """Replaces each floating point number by its exact value in hexadecimal."""
    places = [i for i, column in enumerate(columns) if column.kind in FLOATS]
    if not places:
        return rows
    out = []
    for row in rows:
        cells = row.split(SEPARATOR)
        for i in places:
            if cells[i] != NULL:
                cells[i] = float(cells[i]).hex()
        out.append(SEPARATOR.join(cells))
    return out


def checksum(rows):
    """Of a multiset: independent of the order, changed by one row more or less."""
    total = 0
    for row in rows:
        total += int.from_bytes(hashlib.blake2b(row.encode(), digest_size=8).digest(), "big")
    return f"{total % (1 << 64):016x}"


# ---- what differs ----

def _readable(cell, column):
    if cell == NULL:
        return "NULL"
    if column.kind in FLOATS:
        return repr(float.fromhex(cell))
    if (column.kind in TEXTS or column.kind == "json") and not cell.startswith("sha:"):
        return repr(bytes.fromhex(cell).decode(errors="replace"))[:120]
    return cell[:120]


def _describe(row, columns):
    return ", ".join(f"{column.name}={_readable(cell, column)}"
                     for cell, column in zip(row.split(SEPARATOR), columns))[:400]


def _key_of(row, columns):
    return tuple(cell for cell, column in zip(row.split(SEPARATOR), columns) if column.key)


def _pairs(missing, extra, columns):
    """Rows of one key on both sides, with the cells that differ."""
    by_key = {_key_of(row, columns): row for row in extra}
    for row in list(missing):
        other = by_key.get(_key_of(row, columns))
        if other is None:
            continue
        missing.remove(row)
        extra.remove(other)
        key = ", ".join(f"{c.name}={_readable(cell, c)}" for cell, c in
                        zip(row.split(SEPARATOR), columns) if c.key)
        for cell, found, column in zip(row.split(SEPARATOR), other.split(SEPARATOR), columns):
            if cell != found:
                yield (f"{key}: column {column.name} ({column.declared}): source "
                       f"{_readable(cell, column)}, ClickHouse {_readable(found, column)}")


def find_differences(source, target, columns, most=8):
    """Sentences that name key, column and both values; empty when the multisets are equal."""
    missing, extra = Counter(source), Counter(target)
    missing.subtract(target)
    extra.subtract(source)
    missing = [row for row, count in missing.items() for _ in range(max(count, 0))]
    extra = [row for row, count in extra.items() for _ in range(max(count, 0))]
    if not missing and not extra:
        return []
    found = [f"{len(source)} rows in the source, {len(target)} in ClickHouse; {len(missing)} "
             f"only in the source, {len(extra)} only in ClickHouse"]
    some_missing, some_extra = missing[:1000], extra[:1000]
    if any(column.key for column in columns):
        if len(extra) <= 100000:
            some_extra = list(extra)
        found += list(_pairs(some_missing, some_extra, columns))
    found += [f"only in the source: {_describe(row, columns)}" for row in some_missing[:3]]
    found += [f"only in ClickHouse: {_describe(row, columns)}" for row in some_extra[:3]]
    return found[:most]


# ---- tables and databases ----

class Comparison:
    """Compares one source with one ClickHouse. Another kind of source gives source_tables(),
    read_columns(), read_source() and target_cell()."""

    read_columns = staticmethod(read_columns)
    read_source = staticmethod(read_source)
    target_cell = staticmethod(target_cell)

    def __init__(self, database, clickhouse):
        self.database = database
        self.clickhouse = clickhouse

    def source_tables(self, schema):
        return source_tables(self.database, schema)

    def table(self, schema, table, target=None, renamed=None, ignore=()):
        """`target`: (database, table) of ClickHouse, the same names unless given. `renamed`: names
        of columns that differ in the target. `ignore`: columns that are not carried."""
        columns = [column for column in self.read_columns(self.database, schema, table)
                   if column.name not in ignore]
        target_schema, target_table = target or (schema, table)
        result = Result(f"{schema}.{table}")
        source = self.read_source(self.database, schema, table, columns)
        result.source_rows, result.source_checksum = len(source), checksum(source)
        try:
            keyed = self._keyed(target_schema, target_table)
            rows = read_target(self.clickhouse, target_schema, target_table, columns, keyed,
                               self.target_cell)
        except LookupError as error:
            result.differences.append(str(error))
            return result
        except RuntimeError as error:
            result.differences.append(f"ClickHouse does not answer: {error}"[:600])
            return result
        result.target_rows, result.target_checksum = len(rows), checksum(rows)
        result.differences += find_differences(source, rows, columns)
        return result

    def _keyed(self, schema, table):
        engine = self.clickhouse.tables(schema).get(table)
        if engine is None:
            raise LookupError("there is no such table in ClickHouse")
        return "Replacing" in engine

    def all_tables(self, schema, target=None, tables=None):
        target = target or schema
        wanted = tables or self.source_tables(schema)
        results = [self.table(schema, table, (target, table)) for table in wanted]
        if tables is None:
            for name in sorted(self.clickhouse.tables(target)):
                known = name in wanted or (name.endswith("_rows") and name[:-5] in wanted)
                if not known:
                    results.append(Result(f"{schema}.{name}", differences=[
                        "in ClickHouse, but not in the source"]))
        return results

    def wait_equal(self, schema, timeout=60, target=None, tables=None, alive=None):
        """Compares until all is equal, the source being quiet; AssertionError with what differs.

        Tables that were equal are looked at again only when the others are too, so a wait costs
        little. `alive` is called in between and may raise.
        """
        end = time.monotonic() + timeout
        pause, behind = 0.1, tables
        while True:
            results = self.all_tables(schema, target, behind)
            bad = [result for result in results if not result.equal]
            if not bad and behind == tables:
                return results
            if time.monotonic() > end:
                raise AssertionError(explain(bad, timeout))
            if alive:
                alive()
            real = set(self.source_tables(schema))
            names = [result.name.split(".", 1)[1] for result in bad]
            behind = names if names and set(names) <= real else tables
            time.sleep(pause)
            pause = min(pause * 1.5, 2)


def explain(results, timeout=None):
    lines = [f"not equal{f' after {timeout:.0f} s' if timeout else ''}:"]
    for result in results:
        lines.append(f"  {result.name}")
        lines += [f"    {text}" for text in result.differences]
    return "\n".join(lines)
