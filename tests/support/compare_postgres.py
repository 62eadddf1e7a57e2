# SPDX-License-Identifier: Apache-2.0
"""Compares tables of PostgreSQL with their targets in ClickHouse, value by value.

The same rules as in compare.py: each row is one text, a canonical text per cell. What has no type
of its own in ClickHouse is compared as the text that PostgreSQL prints.
"""

from .compare import (FLOATS, NULL, SEPARATOR, Column, Comparison, exact_floats, long_hex_target,
                      quote_target)

INTEGERS = ("int2", "int4", "int8", "oid", "xid8")

_COLUMNS = """
WITH RECURSIVE base AS (
  SELECT a.attnum, a.attname, a.attnotnull, a.atttypid AS type, a.atttypmod AS typmod,
         format_type(a.atttypid, a.atttypmod) AS declared, 0 AS depth
    FROM pg_attribute a WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped
     AND a.attgenerated = ''
  UNION ALL
  SELECT b.attnum, b.attname, b.attnotnull, t.typbasetype, t.typtypmod, b.declared, b.depth + 1
    FROM base b JOIN pg_type t ON t.oid = b.type WHERE t.typtype = 'd')
SELECT DISTINCT ON (b.attnum) b.attname, t.typname, b.declared, NOT b.attnotnull,
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = %s::regclass AND i.indisprimary
               AND b.attnum = ANY (i.indkey)), b.typmod
  FROM base b JOIN pg_type t ON t.oid = b.type ORDER BY b.attnum, b.depth DESC
"""


def quote(name):
    return '"' + name.replace('"', '""') + '"'


def read_columns(database, schema, table):
    """The columns of a source table in order; generated ones are not carried."""
    name = f"{quote(schema)}.{quote(table)}"
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute(_COLUMNS, (name, name))
        columns = []
        for column, kind, declared, nullable, key, typmod in cursor.fetchall():
            scale, fraction = 0, 0
            if kind == "numeric":
                packed = (typmod - 4) & 0x7ff
                scale = -1 if typmod < 4 else max(packed - 2048 if packed > 1023 else packed, 0)
            elif kind in ("time", "timestamp", "timestamptz"):
                fraction = 6 if typmod < 0 else typmod
            columns.append(Column(column, kind, declared, nullable, key, scale, fraction))
        return columns


def _moment(text, column):
    pattern = {"time": "HH24:MI:SS", "date": "YYYY-MM-DD"}.get(column.kind,
                                                               "YYYY-MM-DD HH24:MI:SS")
    if column.fraction:
        pattern += ".US"
    printed = f"to_char({text}, '{pattern}')"
    if column.fraction:
        printed = f"left({printed}, {column.fraction - 6 or 100})"
    if column.kind == "time":
        return printed
    otherwise = "NULL" if column.nullable else f"'{_epoch(column)}'"
    return f"CASE WHEN isfinite({text}) THEN {printed} ELSE {otherwise} END"


def _epoch(column):
    if column.kind == "date":
        return "1970-01-01"
    return "1970-01-01 00:00:00" + ("." + "0" * column.fraction if column.fraction else "")


def _long_hex(text):
    raw = f"convert_to({text}, 'UTF8')"
    return (f"CASE WHEN length({raw}) > 100000 THEN 'sha:' || encode(sha256({raw}), 'hex') "
            f"ELSE upper(encode({raw}, 'hex')) END")


def source_cell(column):
    name = quote(column.name)
    kind = column.kind
    if kind == "bool":
        return f"({name}::int)::text"
    if kind in INTEGERS or kind == "uuid" or (kind == "numeric" and column.scale >= 0):
        return f"({name}::text)"
    if kind in FLOATS:
        return f"({name}::float8)::text"
    if kind == "money":
        return f"({name}::numeric(30, 2))::text"
    if kind in ("date", "time", "timestamp"):
        return _moment(name, column)
    if kind == "timestamptz":
        return _moment(f"({name} AT TIME ZONE 'UTC')", column)
    if kind == "bytea":
        return (f"CASE WHEN length({name}) > 100000 THEN 'sha:' || encode(sha256({name}), 'hex') "
                f"ELSE upper(encode({name}, 'hex')) END")
    # As the type's own output function prints it, which a cast to text is not for all of them; a
    # composite of NULLs alone is no NULL.
    return _long_hex(f"(CASE WHEN num_nulls({name}) = 0 THEN format('%s', {name}) END)")


def target_cell(column, kind):
    name = quote_target(column.name)
    if column.kind == "bool":
        return f"toString(toUInt8({name}))"
    if column.kind in FLOATS:
        return f"toString(toFloat64({name}))"
    if column.kind == "money":
        return f"toDecimalString({name}, 2)"
    if column.kind == "numeric" and column.scale >= 0 and "Decimal" in kind:
        return f"toDecimalString({name}, {column.scale})"
    if column.kind in INTEGERS or column.kind in ("uuid", "date", "time", "timestamp",
                                                  "timestamptz") or \
            (column.kind == "numeric" and column.scale >= 0):
        return f"toString({name})"
    return long_hex_target(name)


_SESSION = ("SET timezone = 'UTC'", "SET datestyle = ISO", "SET intervalstyle = postgres",
            "SET extra_float_digits = 3", "SET bytea_output = hex", "SET lc_monetary = 'C'",
            "SET search_path = pg_catalog", "SET xmlbinary = base64")


def read_source(database, schema, table, columns):
    cells = ", ".join(f"coalesce({source_cell(column)}, '{NULL}')" for column in columns)
    with database.connect() as connection, connection.cursor() as cursor:
        for statement in _SESSION:
            cursor.execute(statement)
        cursor.execute(f"SELECT concat_ws('{SEPARATOR}', {cells}) FROM "
                       f"{quote(schema)}.{quote(table)}")
        rows = [row[0] for row in cursor.fetchall()]
    return exact_floats(rows, columns)


class PostgresDatabase:
    """One database of a server, as Comparison wants a source."""

    def __init__(self, server, name):
        self.server, self.name = server, name

    def connect(self):
        return self.server.connect(self.name)

    def query(self, statement):
        return self.server.query(statement, self.name)

    def tables(self, schema):
        rows = self.query("SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = "
                          "c.relnamespace WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition "
                          "AND c.relpersistence = 'p' AND n.nspname = "
                          f"'{schema}' ORDER BY 1")
        return [row[0] for row in rows]


class PostgresComparison(Comparison):
    """Compares one schema of a PostgreSQL database with one database of ClickHouse."""

    read_columns = staticmethod(read_columns)
    read_source = staticmethod(read_source)
    target_cell = staticmethod(target_cell)

    def source_tables(self, schema):
        return self.database.tables(schema)
