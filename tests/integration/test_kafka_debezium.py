# SPDX-License-Identifier: Apache-2.0
"""The messages of debezium-json beside those that Debezium's own engine makes of the same tables
and changes: the same bytes, schemas included, but for what DIFFERENCES lists."""

import difflib
import json
import os
import re
import urllib.request

from support.debezium_engine import Debezium
from support.kafka_rows import AvroReader
from support.process import wait_for

# (what, pattern, replacement): all that is allowed to differ.
DIFFERENCES = (
    ("whose program it is", r'"version":"[^"]*"', '"version":"V"'),
    ("when a message was made",
     r'("transaction":null,"op":"."),"ts_ms":\d+,"ts_us":\d+,"ts_ns":\d+', r"\1"),
    ("Debezium marks the first and the last row of a snapshot, and has no time of a row",
     r'"ts_ms":\d+,"snapshot":"(?:true|first|last|(?:first|last)_in_data_collection)",(.*?),'
     r'"ts_us":\d+,"ts_ns":\d+', r'"snapshot":"true",\1'),
    ("Debezium leaves zeros at the end of a TIMESTAMP's fraction out, in snapshots only",
     r'(\.\d*[1-9])0+Z"', r'\1Z"'),
    ("its setting below takes the default of this one away, too",
     r'"snapshot":null', '"snapshot":"false"'),
    ("rows of a table without a key do not tell where their snapshot stands",
     r'("server_id":0,"gtid":null),"file":"[^"]*","pos":\d+', r"\1"),
    ("we tell who changed a schema", r'"thread":\d+(,"query":null},"ts_ms")', r'"thread":null\1'),
    ("Jackson escapes characters above U+FFFF", r"\\u[dD][89abAB]..\\u[dD][c-fC-F]..",
     lambda found: json.loads(f'"{found.group()}"')),
    ("we tell the width that information_schema shows, of a new column too", r'"length":10,',
     '"length":null,'),
    ("Debezium gives a zero for a default that the server computes, and for a date of zeros; the "
     "session's time zone is part of a TIMESTAMP's default, and BINARY's is printed in many ways: "
     "these are not in our schemas",
     r'"default":[^,]*,("field":"(?:in_zone|computed\w*|zero\w*|fixed_d|raw_d)"\})', r"\1"),
    ("Debezium shows how a quote is escaped in a default", r'"default":"it\W+s"',
     '"default":"its"'),
)
# Where Debezium's own setting takes back what it does to values: NULL becomes the column's default,
# the year 1 becomes 2001.
SETTINGS = {"snapshot.mode": "initial", "enable.time.adjuster": "false",
            "extended.headers.enabled": "false",
            **{f"{part}.converter.replace.null.with.default": "false"
               for part in ("key", "value", "header")},
            **{f"{part}.converter.schemas.enable": "true" for part in ("key", "value", "header")}}


def avro_settings(registry):
    """The same with Apicurio's converter, which can do as Confluent's does."""
    settings = {name: value for name, value in SETTINGS.items() if "converter" not in name}
    for part in ("key", "value", "header"):
        settings.update({f"{part}.converter.apicurio.registry.url": registry.core_url,
                         f"{part}.converter.apicurio.registry.auto-register": "true",
                         f"{part}.converter.apicurio.registry.headers.enabled": "false",
                         f"{part}.converter.apicurio.registry.use-id": "contentId",
                         f"{part}.converter.apicurio.registry.as-confluent": "true"})
    return settings


COLUMNS = {
    "tiny": ("TINYINT", "-128", "NULL"), "tiny_u": ("TINYINT UNSIGNED NOT NULL", "255", "0"),
    "yes": ("TINYINT(1)", "1", "NULL"), "small": ("SMALLINT", "-32768", "NULL"),
    "small_u": ("SMALLINT UNSIGNED", "65535", "NULL"), "medium": ("MEDIUMINT", "-8388608", "NULL"),
    "medium_u": ("MEDIUMINT UNSIGNED", "16777215", "NULL"),
    "plain_u": ("INT UNSIGNED", "4294967295", "NULL"), "big": ("BIGINT NOT NULL", "-9e18", "7"),
    "big_u": ("BIGINT UNSIGNED", "9223372036854775807", "NULL"),
    "flag": ("BIT(1)", "1", "NULL"), "bits": ("BIT(20)", "524289", "NULL"),
    "price": ("DECIMAL(10,2) NOT NULL", "-12.50", "0"),
    "exact": ("DECIMAL(40,10)", "-123456789012345678901234567890.0123456789", "NULL"),
    "single": ("FLOAT", "1.1", "-3"), "wide": ("DOUBLE", "0.1", "1e100"),
    "third": ("DOUBLE NOT NULL", "1e0/3", "12345678.5"),
    "word": ("CHAR(5)", "'ab'", "NULL"),
    "words": ("VARCHAR(100)", "'h\u00e9 \"q\" \\\\ \U0001f600'", "''"),
    "latin": ("VARCHAR(20) CHARACTER SET latin1", "'\u00e4\u00f6'", "NULL"),
    "text": ("LONGTEXT", "'line\\nnext\\ttab'", "NULL"), "fixed": ("BINARY(4)", "X'0102'", "NULL"),
    "raw": ("VARBINARY(100)", "X'00FF10E9'", "''"), "lump": ("BLOB", "X'DEADBEEF'", "NULL"),
    "day": ("DATE", "'2026-11-20'", "'0001-01-01'"), "clock": ("TIME", "'-838:59:59'", "NULL"),
    "clock3": ("TIME(3)", "'12:34:56.789'", "NULL"),
    "clock6": ("TIME(6)", "'00:00:00.000001'", "NULL"),
    "at": ("DATETIME", "'2026-11-20 08:30:00'", "NULL"),
    "at3": ("DATETIME(3)", "'1969-12-31 23:59:59.999'", "NULL"),
    "at6": ("DATETIME(6) NOT NULL", "'9999-12-31 23:59:59.999999'", "'2000-01-01'"),
    "stamp": ("TIMESTAMP NULL", "'2026-11-20 08:30:00'", "NULL"),
    "stamp3": ("TIMESTAMP(3) NULL", "'2026-11-20 08:30:00.120'", "NULL"),
    "stamp6": ("TIMESTAMP(6) NULL", "'2026-11-20 08:30:00.000001'", "NULL"),
    "year": ("YEAR", "2026", "NULL"), "color": ("ENUM('red','it''s')", "'it''s'", "NULL"),
    "tags": ("SET('a','b','c')", "'a,c'", "''"),
    "place": ("POINT", "ST_GeomFromText('POINT(1 2.5)')", "NULL"),
    "area": ("GEOMETRY", "ST_GeomFromText('POLYGON((0 0,1 0,1 1,0 0))')", "NULL"),
}

# Columns with defaults; a row has these values, and the next one NULL where the column may be.
DEFAULTS = (
    "tiny TINYINT DEFAULT -5", "tiny_u TINYINT UNSIGNED NOT NULL DEFAULT 200",
    "yes TINYINT(1) DEFAULT 1", "truth BOOLEAN NOT NULL DEFAULT TRUE",
    "small_u SMALLINT UNSIGNED DEFAULT 65535", "plain_u INT UNSIGNED DEFAULT 4294967295",
    "big BIGINT NOT NULL DEFAULT -9223372036854775808", "big_u BIGINT UNSIGNED DEFAULT 7",
    "quoted INT DEFAULT '42'", "hex INT NOT NULL DEFAULT 0x10", "flag BIT(1) DEFAULT b'1'",
    "bits BIT(20) NOT NULL DEFAULT b'1010'", "price DECIMAL(10,2) NOT NULL DEFAULT 12.5",
    "less DECIMAL(10,2) DEFAULT -0.05", "whole DECIMAL(5,0) DEFAULT 7",
    "exact DECIMAL(40,10) DEFAULT -123456789012345678901234567890.01", "single FLOAT DEFAULT 1.5",
    "wide DOUBLE NOT NULL DEFAULT -2.25", "nought DOUBLE DEFAULT 0", "word CHAR(5) DEFAULT 'ab'",
    "words VARCHAR(50) NOT NULL DEFAULT 'q\"u \u00fc'", "empty VARCHAR(5) NOT NULL DEFAULT ''",
    "named VARCHAR(10) DEFAULT 'NULL'", "text TEXT DEFAULT 'it''s'",
    "day DATE DEFAULT '2020-02-29'",
    "clock TIME DEFAULT '12:34:56'", "clock3 TIME(3) NOT NULL DEFAULT '-01:02:03.5'",
    "at DATETIME DEFAULT '2020-01-02 03:04:05'",
    "at6 DATETIME(6) NOT NULL DEFAULT '2020-12-31 03:04:05.000006'", "year YEAR DEFAULT 2020",
    "color ENUM('red','it''s') DEFAULT 'red'", "tags SET('a','b','c') NOT NULL DEFAULT 'a,c'",
    "nothing INT DEFAULT NULL", "none INT NOT NULL",
    "in_zone TIMESTAMP NOT NULL DEFAULT '2020-01-02 03:04:05'",
    "computed DATETIME DEFAULT CURRENT_TIMESTAMP", "computed_sum INT DEFAULT (1+2)",
    "computed_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP",
    "zero DATETIME NOT NULL DEFAULT '0000-00-00 00:00:00'",
    "fixed_d BINARY(4) DEFAULT 'ab'", "raw_d VARBINARY(10) NOT NULL DEFAULT 'xy'")

# Whose defaults are not in our schemas; see DIFFERENCES.
UNTOLD = ("in_zone", "computed", "computed_at", "zero", "fixed_d", "raw_d", "text")


def prepare(source, name):
    columns = ", ".join(f"{column} {kind[0]}" for column, kind in COLUMNS.items())
    source.execute("SET time_zone = '+00:00'",
                   f"CREATE TABLE every (id INT PRIMARY KEY, {columns})",
                   "SET sql_mode = ''",
                   f"CREATE TABLE preset (id INT DEFAULT 4, {', '.join(DEFAULTS)}, "
                   "PRIMARY KEY (id))", "INSERT INTO preset (id) VALUES (1)",
                   "CREATE TABLE pair (a INT, b VARCHAR(10), v INT, PRIMARY KEY (b, a))",
                   "CREATE TABLE keyless (v INT)",
                   "INSERT INTO keyless VALUES (1)", "INSERT INTO pair VALUES (1, 'x', 5)",
                   f"INSERT INTO every VALUES (1, {', '.join(k[1] for k in COLUMNS.values())})",
                   database=name)


def change(source, name):
    source.execute("SET time_zone = '+00:00'", "SET sql_mode = ''",
                   f"INSERT INTO every VALUES (2, {', '.join(k[2] for k in COLUMNS.values())})",
                   f"INSERT INTO every VALUES (3, {', '.join(k[1] for k in COLUMNS.values())})",
                   "UPDATE every SET words = 'changed', price = 99.99 WHERE id < 3",
                   "DELETE FROM every WHERE id = 3",
                   "INSERT INTO pair VALUES (2, 'y', NULL), (3, 'y', 7)",
                   "UPDATE pair SET a = 9 WHERE a = 2", "DELETE FROM pair WHERE a = 3",
                   "INSERT INTO preset (id, tiny, price, word) VALUES (2, NULL, 3, 'x')",
                   "ALTER TABLE preset ALTER tiny SET DEFAULT 9, ALTER word DROP DEFAULT",
                   "INSERT INTO preset (id) VALUES (3)",
                   "ALTER TABLE preset ADD late INT NOT NULL DEFAULT 3, "
                   "ADD later TINYINT(1) DEFAULT FALSE", "INSERT INTO preset (id) VALUES (5)",
                   "UPDATE keyless SET v = 2", "DELETE FROM keyless",
                   "ALTER TABLE pair ADD COLUMN tag INT UNSIGNED NULL AFTER v",
                   "INSERT INTO pair VALUES (4, 'z', 1, 8)", database=name)


# Messages: read, and in the end.
WANTED = {"every": (1, 7), "preset": (1, 4), "pair": (1, 9), "keyless": (1, 3)}


def alike(text, prefix):
    if text is None:
        return None
    text = text.replace(prefix, "PREFIX")
    for _, pattern, replacement in DIFFERENCES:
        text = re.sub(pattern, replacement, text)
    return text


def pretty(message):
    key, value, headers = message
    return [f"{title} {line}" for title, text in (("key", key), ("value", value))
            for line in (json.dumps(json.loads(text), indent=1) if text else "null").split("\n")
            ] + [f"headers {headers}"]


def told(kafka, topic, prefix):
    """The messages of a topic by key, each key's in order."""
    found = {}
    for message in kafka.messages(topic):
        if message.raw_key is None and message.raw_value is None:
            continue  # Debezium's tombstone of a row without a key, which tells nobody anything
        headers = {name: alike(text, prefix) for name, text in message.headers.items()
                   if name.startswith("__debezium")}
        row = (alike(message.key, prefix), alike(message.value, prefix), headers)
        found.setdefault(row[0], []).append(row)
    return found


def altered(kafka, topic):
    """What the message about ALTER TABLE says."""
    for message in kafka.messages(topic):
        document, key = (json.loads(alike(text, topic)) for text in (message.value, message.key))
        if "ADD COLUMN tag" in document["payload"]["ddl"]:
            del document["payload"]["ts_ms"]
            return {"key": key, "value": document}
    return None


def wait_for_both(feed, engine, theirs, ours, stage):
    def arrived():
        engine.check_alive()
        feed.agent.check_alive()
        topics = feed.kafka.topics()
        wanted = {f"{prefix}.{feed.name}.{table}": counts[stage]
                  for prefix in (theirs, ours) for table, counts in WANTED.items()}
        return all(topic in topics and len(feed.kafka.messages(topic)) >= count
                   for topic, count in wanted.items())

    wait_for(arrived, 120, "the messages of both", interval=0.5)


def test_messages_are_those_of_debezium(maria_feed, tmp_path):
    feed = maria_feed
    prepare(feed.source, feed.name)
    theirs, ours = f"theirs-{feed.name}", f"ours-{feed.name}"
    engine = Debezium(os.path.join(tmp_path, "debezium"), feed.source, feed.kafka, feed.name,
                      theirs, **SETTINGS).start()
    try:
        feed.start(sink={"topic.prefix": ours, "ddl.topic": ours,
                         "debezium-json.include-schema.enabled": True})
        wait_for_both(feed, engine, theirs, ours, 0)
        change(feed.source, feed.name)
        wait_for_both(feed, engine, theirs, ours, 1)
    finally:
        engine.remove()
    problems = []
    for table in WANTED:
        wanted = told(feed.kafka, f"{theirs}.{feed.name}.{table}", theirs)
        found = told(feed.kafka, f"{ours}.{feed.name}.{table}", ours)
        assert wanted.keys() == found.keys()
        for key, messages in wanted.items():
            assert len(messages) == len(found[key])
            for there, here in zip(messages, found[key]):
                if there != here:
                    at = len(os.path.commonprefix([there[1] or "", here[1] or ""]))
                    problems += [f"{text[1][at - 30:at + 30]}" for text in (there, here) if text[1]]
                    problems += [f"-- {table}"] + list(difflib.unified_diff(
                        pretty(there), pretty(here), "Debezium", "Millrace", n=2, lineterm=""))
    there, here = (altered(feed.kafka, topic) for topic in (theirs, ours))
    problems += list(difflib.unified_diff(
        json.dumps(there, indent=1).split("\n"), json.dumps(here, indent=1).split("\n"),
        "Debezium's schema change", "Millrace's", n=2, lineterm=""))
    assert not problems, "\n".join(problems)


def fields(registry, subject, prefix):
    """The fields of a row in the newest version of a schema."""
    path = f"/groups/default/artifacts/{subject}"
    with urllib.request.urlopen(registry.core_url + path, timeout=30) as answer:
        schema = json.loads(alike(answer.read().decode(), prefix))
    if subject.endswith("-key"):
        return {field["name"]: json.dumps(field) for field in schema["fields"]}
    return {field["name"]: json.dumps(field)
            for field in schema["fields"][0]["type"][1]["fields"]}


def whole_schema(registry, subject, prefix):
    with urllib.request.urlopen(f"{registry.core_url}/groups/default/artifacts/{subject}",
                                timeout=30) as answer:
        return json.loads(answer.read().decode().replace(prefix, "PREFIX"))


def avro_messages(kafka, reader, topic, prefix):
    """What the messages of a topic say, by key, but for names and times of making."""
    found = {}
    for message in kafka.messages(topic):
        if message.raw_key is None and message.raw_value is None:
            continue
        key, value = reader.read(message.raw_key), reader.read(message.raw_value)
        if value and "source" in value:
            value["source"].update(version="V", name="N", ts_ms=0, ts_us=0, ts_ns=0)
        if value and value.get("source", {}).get("snapshot") != "false":
            value["source"].update(snapshot="true", file="", pos=0)
        for name in ("ts_ms", "ts_us", "ts_ns"):
            if value and name in value:
                value[name] = 0
        headers = {name: json.loads(text) for name, text in message.headers.items()
                   if name.startswith("__debezium")}
        text = json.dumps([key, value], default=str, sort_keys=True).replace(prefix, "PREFIX")
        found.setdefault(json.dumps(key, default=str), []).append((text, headers))
    return found


def check_avro_messages(feed, registry, theirs, ours):
    reader = AvroReader(registry)
    for table in ("keyless", "pair"):
        there, here = (avro_messages(feed.kafka, reader, f"{prefix}.{feed.name}.{table}", prefix)
                       for prefix in (theirs, ours))
        assert here == there
        assert any('"total_order"' in text for found in here.values() for text, _ in found)
    assert any(headers for found in here.values() for _, headers in found)
    changes = {}
    for prefix in (theirs, ours):
        found = [text for messages in avro_messages(feed.kafka, reader, prefix, prefix).values()
                 for text, _ in messages if "ADD COLUMN tag" in text]
        changes[prefix] = [re.sub(r'"thread": \d+', '"thread": null', text.replace(
            '"length": 10,', '"length": null,')) for text in found]
    assert changes[ours] == changes[theirs] and changes[ours]
    for subject in ("key", "value", "-key", "-value"):
        name = f".transaction-{subject}" if subject[0] != "-" else subject
        assert whole_schema(registry, ours + name, ours) == whole_schema(
            registry, theirs + name, theirs)


def test_avro_is_that_of_debezium(maria_feed, registry, tmp_path):
    feed = maria_feed
    prepare(feed.source, feed.name)
    theirs, ours = f"theirs_{feed.name}", f"ours_{feed.name}"
    engine = Debezium(os.path.join(tmp_path, "debezium"), feed.source, feed.kafka, feed.name,
                      theirs, "avro", **{**avro_settings(registry),
                                         "provide.transaction.metadata": "true"}).start()
    try:
        feed.start(sink={"topic.prefix": ours, "value.format": "avro-confluent",
                         "schema.registry.url": registry.url, "ddl.topic": ours,
                         "provide.transaction.metadata": True})
        wait_for_both(feed, engine, theirs, ours, 0)
        change(feed.source, feed.name)
        wait_for_both(feed, engine, theirs, ours, 1)
    finally:
        engine.remove()
    check_avro_messages(feed, registry, theirs, ours)
    for table in ("preset", "every"):
        for part in ("key", "value"):
            there = fields(registry, f"{theirs}.{feed.name}.{table}-{part}", theirs)
            here = fields(registry, f"{ours}.{feed.name}.{table}-{part}", ours)
            for told in (there, here):
                for name in UNTOLD:
                    told.pop(name, None)
            assert here == there
