# SPDX-License-Identifier: Apache-2.0
"""Reads rows back from the messages of each format: every value as the text that MySQL prints."""

import base64
import datetime
import decimal
import io
import json
import os
import struct
import subprocess
import sys

from .downloads import FASTAVRO, flink_jars, flink_sql_jars, python_packages
from .process import Process, StartError, wait_for

EPOCH = datetime.date(1970, 1, 1)


def unscaled(raw, scale):
    number = int.from_bytes(raw, "big", signed=True)
    digits = f"{abs(number):0{scale + 1}d}"
    text = f"{digits[:-scale]}.{digits[-scale:]}" if scale else digits
    return ("-" if number < 0 else "") + text


def day_text(number):
    return str(EPOCH + datetime.timedelta(days=number))


def clock_text(micros, digits):
    sign, micros = ("-" if micros < 0 else ""), abs(micros)
    seconds, rest = divmod(micros, 1000000)
    text = f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return text + (f".{rest:06d}"[:digits + 1] if digits else "")


def moment(micros, digits):
    days, rest = divmod(micros, 86400000000)
    return f"{day_text(days)} {clock_text(rest, digits)}"


def _padded(text, digits):
    """Flink's texts end where their zeros begin."""
    text = text.rstrip("Z")
    if digits == 0:
        return text
    head, _, fraction = text.partition(".")
    return f"{head}.{fraction.ljust(digits, '0')}"


def _same(value):
    return value if isinstance(value, str) else json.dumps(value)


def _number(value):
    return repr(float(value))


def _hex(text):
    return base64.b64decode(text).hex().upper()


def _little(text):
    return str(int.from_bytes(base64.b64decode(text), "little"))


def _joined(value):
    return ",".join(value)


def _document(value):
    return json.dumps(json.loads(value) if isinstance(value, str) else value, sort_keys=True,
                      default=float)


# name: (SQL type, how the source is asked, readers of debezium-json, -flink, canal and maxwell)
COLUMNS = {
    "tiny": ("TINYINT DEFAULT 3", "CAST({} AS CHAR)", _same, _same, _same, _same),
    "big": ("BIGINT", "CAST({} AS CHAR)", _same, _same, _same, _same),
    "huge": ("BIGINT UNSIGNED", "CAST({} AS CHAR)", _same, _same, _same, _same),
    "small": ("FLOAT", "{}", _number, _number, _number, _number),
    "wide": ("DOUBLE", "{}", _number, _number, _number, _number),
    "price": ("DECIMAL(10,2) DEFAULT 1.5", "CAST({} AS CHAR)",
              lambda v: unscaled(base64.b64decode(v), 2), lambda v: f"{v:.2f}", _same,
              lambda v: f"{v:.2f}"),
    "exact": ("DECIMAL(40,10)", "CAST({} AS CHAR)",
              lambda v: unscaled(base64.b64decode(v), 10), None, _same, None),
    "flag": ("BIT(1)", "CAST({}+0 AS CHAR)", lambda v: str(int(v)), lambda v: str(int(v)), _same,
             _same),
    "bits": ("BIT(20)", "CAST({}+0 AS CHAR)", _little, _little, _same, _same),
    "y": ("YEAR", "CAST({} AS CHAR)", _same, _same, _same, _same),
    "d": ("DATE", "CAST({} AS CHAR)", day_text, _same, _same, _same),
    "t": ("TIME(2)", "CAST({} AS CHAR)", lambda v: clock_text(v, 2), lambda v: _padded(v, 2), _same,
          _same),
    "at3": ("DATETIME(3) DEFAULT '2020-01-01 00:00:00'", "CAST({} AS CHAR)",
            lambda v: moment(v * 1000, 3),
            lambda v: _padded(v, 3), _same, _same),
    "at6": ("DATETIME(6)", "CAST({} AS CHAR)", lambda v: moment(v, 6), lambda v: _padded(v, 6),
            _same, _same),
    "ts": ("TIMESTAMP(3) NULL", "CAST({} AS CHAR)", lambda v: v.replace("T", " ").rstrip("Z"),
           lambda v: _padded(v, 3), _same, _same),
    "word": ("VARCHAR(100) DEFAULT 'w'", "{}", _same, _same, _same, _same),
    "words": ("LONGTEXT", "{}", _same, _same, _same, _same),
    "raw": ("VARBINARY(100)", "HEX({})", _hex, _hex,
            lambda v: v.encode("latin-1").hex().upper(), _hex),
    "color": ("ENUM('red','green')", "{}", _same, _same, _same, _same),
    "tags": ("SET('a','b','c')", "{}", _same, _joined, _same, _joined),
    "doc": ("JSON", "CAST({} AS CHAR)", _document, _document, _document, _document),
}
FORMATS = ("debezium-json", "debezium-json-flink", "canal-json", "maxwell-json")

# Rows of literals, in the order of COLUMNS.
ROWS = [
    "-128, -9223372036854775808, 18446744073709551615, 1.5, 0.1, -12.50, "
    "-123456789012345678901234567890.0123456789, 1, 524289, 2026, '2026-11-20', '-838:59:58.12', "
    "'2026-11-20 08:30:00.120', '1000-01-01 00:00:00.000001', '2026-11-20 08:30:00.999', "
    "'h\u00e9 \"q\" \\\\ \U0001f600', 'line\\nnext\\ttab', X'00FF10E9', 'green', 'a,c', "
    "'{\"a\": [1, 2.5, null, \"x\"], \"b\": {}}'",
    "127, 9223372036854775807, 0, -3, 1e100, 99999999.99, 0, 0, 0, 1901, '9999-12-31', '00:00:00', "
    "'9999-12-31 23:59:59.999', '1969-12-31 23:59:59.999999', '1970-01-01 00:00:01.000', '', '', "
    "'', 'red', '', '[]'",
    ", ".join(["NULL"] * len(COLUMNS)),
]


def table_sql(name):
    columns = ", ".join(f"{column} {kind[0]}" for column, kind in COLUMNS.items())
    return f"CREATE TABLE {name} (id INT NOT NULL, part VARCHAR(10) NOT NULL, {columns}, " \
           "PRIMARY KEY (part, id)) CHARACTER SET utf8mb4"


def source_rows(source, database, table, names):
    """{(part, id): {column: text}} of the source."""
    asked = ", ".join(COLUMNS[name][1].format(f"`{name}`") for name in names)
    found = {}
    for row in source.query(f"SELECT part, id, {asked} FROM {table}", database=database):
        values = {}
        for name, value in zip(names, row[2:]):
            if value is not None and COLUMNS[name][0] in ("FLOAT", "DOUBLE"):
                value = _number(value)
            if value is not None and name == "doc":
                value = _document(value)
            values[name] = value
        found[(row[0], row[1])] = values
    return found


def names_of(form):
    """Columns whose values survive a Python reader of this format."""
    return [name for name, kind in COLUMNS.items() if kind[2 + FORMATS.index(form)]]


def _row(form, image):
    readers = {name: kind[2 + FORMATS.index(form)] for name, kind in COLUMNS.items()}
    values = {name: None if image[name] is None else readers[name](image[name])
              for name in names_of(form)}
    return (image["part"], int(image["id"])), values


def changes(form, message):
    """(before, after) images of a message, where a format tells them."""
    document = json.loads(message.value, parse_float=decimal.Decimal)
    if form.startswith("debezium"):
        return document["before"], document["after"]
    if form == "canal-json":
        row = document["data"][0]
        return (row, None) if document["type"] == "DELETE" else (None, row)
    return (document["data"], None) if document["type"] == "delete" else (None, document["data"])


def fold(form, messages):
    """The rows that a reader has who keeps the newest message of each key."""
    rows = {}
    for message in messages:
        if message.value is None:
            continue
        before, after = changes(form, message)
        if after is None:
            rows.pop(_row(form, before)[0], None)
        else:
            key, values = _row(form, after)
            rows[key] = values
    return rows


# ---- Avro ----

class AvroReader:
    """Confluent's framing, read with fastavro and the schemas of a registry."""

    def __init__(self, registry):
        folder = python_packages(FASTAVRO.replace("==", "-"), FASTAVRO)
        if folder not in sys.path:
            sys.path.append(folder)
        import fastavro
        self.fastavro, self.registry, self.schemas = fastavro, registry, {}

    def read(self, raw):
        if raw is None:
            return None
        assert raw[0] == 0
        number = int.from_bytes(raw[1:5], "big")
        if number not in self.schemas:
            self.schemas[number] = self.fastavro.parse_schema(self.registry.schema(number))
        stream = io.BytesIO(raw[5:])
        value = self.fastavro.schemaless_reader(stream, self.schemas[number])
        assert stream.read() == b"", "bytes are left behind the value"
        return value


def avro_row(image):
    """An image of avro-confluent in the texts of source_rows()."""
    texts = {**dict.fromkeys(("price", "exact", "huge"), lambda v: f"{v:f}"),
             "raw": lambda v: v.hex().upper(),
             "flag": lambda v: str(int(v)),
             "bits": lambda v: str(int.from_bytes(v, "little")), "small": _number,
             "wide": _number, "d": day_text, "t": lambda v: clock_text(v, 2),
             "at3": lambda v: moment(v * 1000, 3), "at6": lambda v: moment(v, 6),
             "ts": lambda v: v.replace("T", " ").rstrip("Z"), "doc": _document}
    values = {name: None if image[name] is None else texts.get(name, _same)(image[name])
              for name in COLUMNS}
    return (image["part"], image["id"]), values


# ---- Flink ----

# How a Flink SQL table over each format declares the columns.
_FLINK_COMMON = {"tiny": "TINYINT", "big": "BIGINT", "huge": "DECIMAL(20, 0)", "small": "FLOAT",
                 "wide": "DOUBLE", "price": "DECIMAL(10, 2)", "exact": "DECIMAL(38, 10)",
                 "y": "INT", "word": "STRING", "words": "STRING", "color": "STRING",
                 "doc": "STRING"}
_FLINK_TEXTS = {"d": "DATE", "t": "STRING", "at3": "TIMESTAMP(3)", "at6": "TIMESTAMP(6)"}
FLINK_COLUMNS = {
    "debezium-json": {**_FLINK_COMMON, "flag": "BOOLEAN", "bits": "BYTES", "d": "INT",
                      "t": "BIGINT", "at3": "BIGINT", "at6": "BIGINT", "ts": "TIMESTAMP_LTZ(3)",
                      "raw": "BYTES", "tags": "STRING"},
    "debezium-json-flink": {**_FLINK_COMMON, **_FLINK_TEXTS, "flag": "BOOLEAN", "bits": "BYTES",
                            "ts": "TIMESTAMP_LTZ(3)", "raw": "BYTES", "tags": "ARRAY<STRING>"},
    "canal-json": {**_FLINK_COMMON, **_FLINK_TEXTS, "flag": "INT", "bits": "INT",
                   "ts": "TIMESTAMP(3)", "tags": "STRING"},
    "maxwell-json": {**_FLINK_COMMON, **_FLINK_TEXTS, "flag": "INT", "bits": "INT",
                     "ts": "TIMESTAMP(3)", "raw": "BYTES", "tags": "ARRAY<STRING>"},
}


def _moment_text(digits):
    """Flink's own print of a moment leaves out what is zero at its end."""
    def read(text):
        head, _, fraction = text.rstrip("Z").partition(".")
        head = head if head.count(":") == 2 else head + ":00"
        return f"{head}.{fraction.ljust(digits, '0')}"
    return read


def _flink_readers(form):
    readers = {"small": _number, "wide": _number, "at3": _moment_text(3), "at6": _moment_text(6),
               "ts": _moment_text(3), "doc": _document, "t": lambda text: _padded(text, 2),
               "bits": lambda text: text}
    if form.startswith("debezium"):
        readers["bits"] = lambda text: str(int.from_bytes(bytes.fromhex(text), "little"))
    if form == "debezium-json":
        readers.update(d=lambda text: day_text(int(text)), t=lambda text: clock_text(int(text), 2),
                       at3=lambda text: moment(int(text) * 1000, 3),
                       at6=lambda text: moment(int(text), 6))
    return readers


def flink_names(form):
    # Flink's DECIMAL ends at 38 digits.
    return [name for name in COLUMNS if name in FLINK_COLUMNS[form] and name != "exact"]


def fold_by_flink(form, messages):
    """The rows that a Flink SQL table over these messages has."""
    names = flink_names(form)
    columns = ", ".join(f"`{name}` {FLINK_COLUMNS[form][name]}" for name in names)
    data = b"".join(struct.pack(">I", len(message.raw_value)) + message.raw_value
                    for message in messages if message.raw_value is not None)
    reader = os.path.join(os.path.dirname(__file__), "flink", "FlinkReader.java")
    done = subprocess.run(
        ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", os.path.join(flink_jars(), "*"),
         reader, form, f"ROW<id INT, part STRING, {columns}>"], input=data,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=200)
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-3000:]
    readers, rows = _flink_readers(form), {}
    for line in done.stdout.decode().splitlines():
        kind, *cells = line.split(" ")
        number, part, *values = [None if cell == "-" else base64.b64decode(cell).decode()
                                 for cell in cells]
        if kind == "-D":
            rows.pop((part, int(number)), None)
        elif kind != "-U":
            rows[(part, int(number))] = {
                name: None if value is None else readers.get(name, _same)(value)
                for name, value in zip(names, values)}
    return rows


class FlinkSql:
    """Runs a script of Flink SQL whose last statement is a SELECT without an end."""

    def __init__(self, folder, script):
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, "script.sql")
        with open(path, "w") as file:
            file.write(script)
        program = os.path.join(os.path.dirname(__file__), "flink", "FlinkSql.java")
        self.process = Process(
            ["sh", "-c", 'exec java -Xmx400m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$1" "$2"'
             ' <"$3"', "flink", os.path.join(flink_sql_jars(), "*"), program, path],
            os.path.join(folder, "flink.log"))
        self.process.start()

    def rows(self):
        """The rows that the SELECT stands at, as tuples."""
        if not self.process.alive():
            raise StartError(f"Flink SQL ended:\n{self.process.log(30)}")
        rows = []
        for line in self.process.log().splitlines():
            kind, *fields = line.split("\t")
            if kind in ("+I", "+U"):
                rows.append(tuple(fields))
            elif kind in ("-U", "-D"):
                rows.remove(tuple(fields))
        return sorted(rows)

    def wait_rows(self, wanted, timeout=120):
        try:
            wait_for(lambda: self.rows() == sorted(wanted), timeout, "Flink SQL's rows",
                     interval=0.5)
        except TimeoutError as error:
            raise AssertionError(f"{error}: {self.rows()}\n{self.process.log(20)}") from None

    def end(self):
        self.process.kill()
