# SPDX-License-Identifier: Apache-2.0
"""Rows of PostgreSQL as Debezium's messages carry them, in the texts of compare_postgres."""

import base64
import datetime
import decimal
import hashlib
import json
import re
import struct

from .compare import LONG, NULL
from .compare_postgres import INTEGERS
from .kafka_rows import changes, clock_text, day_text, moment, unscaled

DOCUMENTS = ("json", "jsonb")
MILLIS_DIGITS = 3  # timestamps of more digits come in microseconds, as all times of a day do


def _hex(raw):
    return f"sha:{hashlib.sha256(raw).hexdigest()}" if len(raw) > LONG else raw.hex().upper()


def _decimal(value, scale):
    """Base64 of the unscaled number in JSON; fastavro gives a Decimal."""
    if isinstance(value, decimal.Decimal):
        return f"{value:f}"
    return unscaled(value if isinstance(value, bytes) else base64.b64decode(value), scale)


def _instant(text, digits):
    """An ISO text in UTC; its fraction may lack zeros."""
    when = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    assert when.utcoffset() == datetime.timedelta(0), text
    return when.strftime("%Y-%m-%d %H:%M:%S") + (f".{when.microsecond:06d}"[:digits + 1]
                                                 if digits else "")


def message_cell(column, value):
    kind = column.kind
    if value is None:
        return NULL
    if kind in INTEGERS or kind == "bool":
        return str(int(value))
    if kind == "float4":  # JSON has as few digits as tell it from its neighbours
        return struct.unpack("f", struct.pack("f", float(value)))[0].hex()
    if kind == "float8":
        return float(value).hex()
    if kind == "money" or (kind == "numeric" and column.scale >= 0):
        return _decimal(value, 2 if kind == "money" else column.scale)
    if kind == "date":
        return day_text(value)
    if kind == "time":
        return clock_text(value, column.fraction)
    if kind == "timestamp":
        return moment(value if column.fraction > MILLIS_DIGITS else value * 1000, column.fraction)
    if kind == "timestamptz":
        return _instant(value, column.fraction)
    if kind == "uuid":
        return value
    if kind == "bytea":
        return _hex(_raw(value))
    if kind in OTHERWISE and not isinstance(value, str) or kind in ("bit", "varbit"):
        return _hex(OTHERWISE[kind](value).encode())
    return _hex(value.encode())


# ---- types for which Debezium has a form of its own, in the texts of as_debezium_tells() ----

def _raw(value):
    return value if isinstance(value, bytes) else base64.b64decode(value)


def _bits(value):
    return f"{int.from_bytes(_raw(value), 'little'):b}".lstrip("0")


def _numeric(value):
    number = int.from_bytes(_raw(value["value"]), "big", signed=True)
    with decimal.localcontext() as context:
        context.prec = 1100
        return f"{decimal.Decimal(number).scaleb(-value['scale']):f}"


def _point(value):
    assert struct.unpack("<BIdd", _raw(value["wkb"])) == (1, 1, value["x"], value["y"])
    return f"{value['x']} {value['y']}"


OTHERWISE = {"numeric": _numeric, "bit": _bits, "varbit": _bits, "point": _point}


def _in_utc(text):
    """12:34:56.7+05:30, an offset maybe with seconds."""
    clock, sign, offset = re.fullmatch(r"([\d:.]+)([+-])(.*)", text).groups()
    def seconds(part):
        return sum(decimal.Decimal(n) * size for n, size in zip(part.split(":"), (3600, 60, 1)))
    at = (seconds(clock) - (1 if sign == "+" else -1) * seconds(offset)) % 86400
    whole, fraction = divmod(at, 1)
    fraction = f"{fraction.normalize():f}"[1:] if fraction else ""
    return f"{int(whole) // 3600:02d}:{int(whole) // 60 % 60:02d}:{int(whole) % 60:02d}{fraction}Z"


def _iso(text):
    """1 year 2 mons -3 days +04:05:06.7 as P1Y2M-3DT4H5M6.7S."""
    years, months, days = (int((re.search(rf"([-+]?\d+) {unit}", text) or [0, 0])[1])
                           for unit in ("year", "mon", "day"))
    sign, *clock = re.search(r"([-+]?)(\d+):(\d+):([\d.]+)$", text + " 00:00:00"
                             if ":" not in text else text).groups()
    hours, minutes, seconds = (decimal.Decimal(sign + part) for part in clock)
    seconds = f"{seconds:f}".rstrip("0").rstrip(".") if "." in clock[2] else f"{int(seconds)}"
    return f"P{years}Y{months}M{days}DT{int(hours)}H{int(minutes)}M{seconds}S"


def as_debezium_tells(columns, rows):
    """The texts of read_source() with those types as Debezium's form lets one read them."""
    forms = {"numeric": lambda text: text.rstrip("0").rstrip(".") if "." in text else text,
             "bit": lambda text: text.lstrip("0"), "varbit": lambda text: text.lstrip("0"),
             "point": lambda text: " ".join(str(float(n)) for n in text[1:-1].split(",")),
             "timetz": _in_utc, "interval": _iso}
    told = []
    for row in rows:
        cells = row.split("|")
        for i, column in enumerate(columns):
            plain = column.kind in forms and cells[i] != NULL and not cells[i].startswith("sha:")
            if plain and not (column.kind == "numeric" and column.scale >= 0):
                cells[i] = _hex(forms[column.kind](bytes.fromhex(cells[i]).decode()).encode())
        told.append("|".join(cells))
    return sorted(told)


def folded(images, columns):
    """The rows that (key, image or None) in their order leave, as read_source() gives them."""
    rows = {}
    for key, image in images:
        if image is None:
            rows.pop(key, None)
        else:
            rows[key] = "|".join(message_cell(column, image[column.name]) for column in columns)
    return sorted(rows.values())


# ---- the formats whose values are texts, or numbers of JSON ----

def _spelt(kind, text, digits):
    """A time as all formats spell it: all its digits, no zone; none for what has no day."""
    if text.endswith("infinity") and kind != "time":
        return NULL
    head, _, fraction = text.rstrip("Z").partition(".")
    return f"{head}.{fraction.ljust(digits, '0')}" if digits else head


def _flat_bytes(form, value):
    if form == "stdout":
        return bytes.fromhex(value)
    return value.encode("latin-1") if form == "canal-json" else base64.b64decode(value)


def flat_cell(form, column, value):
    kind = column.kind
    if value is None:
        return NULL
    if kind in INTEGERS or kind == "bool":
        return str(int(value))
    if kind in ("float4", "float8"):
        return message_cell(column, value)
    if kind == "money" or (kind == "numeric" and column.scale >= 0):
        with decimal.localcontext() as context:
            context.prec = 1100
            places = decimal.Decimal(1).scaleb(-(2 if kind == "money" else column.scale))
            exact = decimal.Decimal(value)
            assert exact.quantize(places) == exact
            return f"{exact.quantize(places):f}"
    if kind in ("date", "time", "timestamp", "timestamptz"):
        return _spelt(kind, value, column.fraction)
    if kind == "uuid":
        return value
    if kind == "bytea":
        return _hex(_flat_bytes(form, value))
    if kind in DOCUMENTS and form == "maxwell-json":
        return _document(value)
    return _hex(value.encode())


def _document(value):
    """Maxwell's documents are part of the message: their spelling is not kept, numbers are."""
    return _hex(json.dumps(value, sort_keys=True, default=str).encode())


def as_told(form, columns, rows):
    """The texts of read_source() as a format can tell them."""
    if form != "maxwell-json":
        return rows
    told = []
    for row in rows:
        cells = row.split("|")
        for i, column in enumerate(columns):
            if column.kind in DOCUMENTS and cells[i] != NULL:
                value = json.loads(bytes.fromhex(cells[i]), parse_float=decimal.Decimal)
                cells[i] = NULL if value is None else _document(value)
        told.append("|".join(cells))
    return sorted(told)


def flat_folded(form, messages, columns):
    """The same as folded() for messages whose images hold the key."""
    return _fold_flat(form, (changes(form, message) for message in messages
                             if message.value is not None), columns)


def lines_folded(lines, columns):
    """The same of the lines that the sink `stdout` prints."""
    return _fold_flat("stdout", ((line.get("before"), line.get("after")) for line in lines),
                      columns)


def _fold_flat(form, images, columns):
    rows = {}
    for before, after in images:
        if after is None or (before and before["id"] != after["id"]):
            rows.pop(int(before["id"]), None)
        if after is not None:
            rows[int(after["id"])] = "|".join(flat_cell(form, column, after[column.name])
                                              for column in columns)
    return sorted(rows.values())
