# SPDX-License-Identifier: Apache-2.0
"""Every type of column, value by value, from the snapshot and from the log."""

import pytest

from support.process import wait_for
from support.sample_shop import numbers

ALL_FLAVORS = ["mariadb", "mariadb118", "mysql"]
TEXTS = ["''", "'plain'", "'Ärger naïve €'", "'tab\\there'", "'line\\nbreak'", "'null \\0 byte'",
         "'quote '' and \\\\ slash'", "'   padded   '"]
WIDE = ["'数据库'", "'🚚 truck'", "'\\u0000'", "REPEAT('数', 300)"]

# name: (type, values, ClickHouse type of the nullable column); types only one flavor has below.
COMMON = {
    "tinyint": ("TINYINT", ["-128", "127", "0"], "Nullable(Int8)"),
    "tinyint_unsigned": ("TINYINT UNSIGNED", ["0", "255"], "Nullable(UInt8)"),
    "boolean": ("TINYINT(1)", ["0", "1", "2", "-1", "127"], "Nullable(Int8)"),
    "smallint": ("SMALLINT", ["-32768", "32767"], "Nullable(Int16)"),
    "smallint_unsigned": ("SMALLINT UNSIGNED", ["0", "65535"], "Nullable(UInt16)"),
    "mediumint": ("MEDIUMINT", ["-8388608", "8388607", "-1"], "Nullable(Int32)"),
    "mediumint_unsigned": ("MEDIUMINT UNSIGNED", ["0", "16777215"], "Nullable(UInt32)"),
    "int": ("INT", ["-2147483648", "2147483647"], "Nullable(Int32)"),
    "int_unsigned": ("INT UNSIGNED", ["0", "4294967295"], "Nullable(UInt32)"),
    "zerofill": ("INT(7) ZEROFILL", ["0", "42", "4294967295"], "Nullable(UInt32)"),
    "bigint": ("BIGINT", ["-9223372036854775808", "9223372036854775807", "0"], "Nullable(Int64)"),
    "bigint_unsigned": ("BIGINT UNSIGNED", ["0", "9223372036854775808", "18446744073709551615"],
                        "Nullable(UInt64)"),
    "decimal_default": ("DECIMAL", ["-9999999999", "0", "5"], "Nullable(Decimal(10, 0))"),
    "decimal_small": ("DECIMAL(4,2)", ["-99.99", "0.01", "99.99", "-0.01"],
                      "Nullable(Decimal(4, 2))"),
    "decimal_18": ("DECIMAL(18,18)", ["0.999999999999999999", "-0.000000000000000001"],
                   "Nullable(Decimal(18, 18))"),
    "decimal_19": ("DECIMAL(19,4)", ["-999999999999999.9999", "0.0001"],
                   "Nullable(Decimal(19, 4))"),
    "decimal_38": ("DECIMAL(38,9)", ["-99999999999999999999999999999.999999999", "0"],
                   "Nullable(Decimal(38, 9))"),
    "decimal_65": ("DECIMAL(65,30)", ["-99999999999999999999999999999999999."
                                      "999999999999999999999999999999", "0.1", "-1"],
                   "Nullable(Decimal(65, 30))"),
    "decimal_65_0": ("DECIMAL(65,0) UNSIGNED", ["9" * 65, "0"], "Nullable(Decimal(65, 0))"),
    "float": ("FLOAT", ["0", "-0.1", "3.4e38", "1e-45", "16777217", "0.333333"],
              "Nullable(Float32)"),
    "float_scaled": ("FLOAT(7,3)", ["3.14159", "-9999.999"], "Nullable(Float32)"),
    "double": ("DOUBLE", ["0", "-0.1", "1.7976931348623157e308", "5e-324", "0.1", "1e21",
                          "123456789012345678"], "Nullable(Float64)"),
    "bit1": ("BIT(1)", ["b'0'", "b'1'"], None),
    "bit9": ("BIT(9)", ["b'100000001'", "0", "511"], None),
    "bit64": ("BIT(64)", ["18446744073709551615", "0", "b'1'"], "Nullable(UInt64)"),
    "year": ("YEAR", ["1901", "2155", "0", "2024"], "Nullable(UInt16)"),
    "date": ("DATE", ["'1970-01-01'", "'1969-12-31'", "'2024-02-29'", "'1900-01-01'",
                      "'2299-12-31'"], "Nullable(Date32)"),
    "time": ("TIME", ["'00:00:00'", "'-838:59:59'", "'838:59:59'", "'-00:00:01'", "'23:59:59'"],
             "Nullable(Time64(0))"),
    "time3": ("TIME(3)", ["'-00:00:00.001'", "'12:34:56.789'", "'-12:00:00.5'"],
              "Nullable(Time64(3))"),
    "time6": ("TIME(6)", ["'-00:00:00.000001'", "'838:59:58.999999'", "'-838:59:58.999999'",
                          "'00:00:00.1'"], "Nullable(Time64(6))"),
    "datetime": ("DATETIME", ["'1970-01-01 00:00:00'", "'1969-12-31 23:59:59'",
                              "'2024-02-29 12:00:00'", "'1900-01-01 00:00:00'"],
                 "Nullable(DateTime64(0, 'UTC'))"),
    "datetime1": ("DATETIME(1)", ["'2024-01-01 00:00:00.9'"], "Nullable(DateTime64(1, 'UTC'))"),
    "datetime6": ("DATETIME(6)", ["'1969-12-31 23:59:59.999999'", "'2024-10-27 02:30:00.000001'"],
                  "Nullable(DateTime64(6, 'UTC'))"),
    "timestamp": ("TIMESTAMP NULL DEFAULT NULL", ["'1970-01-01 00:00:01'",
                                                  "'2038-01-19 03:14:07'",
                                                  "'2024-03-31 01:30:00'"],
                  "Nullable(DateTime64(0, 'UTC'))"),
    "timestamp5": ("TIMESTAMP(5) NULL DEFAULT NULL", ["'2024-07-01 12:00:00.00001'"],
                   "Nullable(DateTime64(5, 'UTC'))"),
    "char": ("CHAR(20)", TEXTS, "Nullable(String)"),
    "char_wide": ("CHAR(255)", ["REPEAT('ü', 255)", "REPEAT('🚚', 200)", "'x  '"],
                  "Nullable(String)"),
    "varchar": ("VARCHAR(300)", TEXTS + WIDE, "Nullable(String)"),
    "varchar_long": ("VARCHAR(9000)", ["REPEAT('ab', 4500)", "''"], "Nullable(String)"),
    "tinytext": ("TINYTEXT", TEXTS, "Nullable(String)"),
    "text": ("TEXT", TEXTS + WIDE, "Nullable(String)"),
    "mediumtext": ("MEDIUMTEXT", ["REPEAT('ж', 100000)", "''"], "Nullable(String)"),
    "longtext": ("LONGTEXT", ["REPEAT('long ', 300000)", "''"], "Nullable(String)"),
    "latin1": ("VARCHAR(100) CHARACTER SET latin1", TEXTS, "Nullable(String)"),
    "ascii": ("CHAR(9) CHARACTER SET ascii", ["'only'", "''"], "Nullable(String)"),
    "utf8mb3": ("TEXT CHARACTER SET utf8mb3", ["'数据库'", "'é'"], "Nullable(String)"),
    "gbk": ("VARCHAR(100) CHARACTER SET gbk", ["'中文字符'", "'abc'", "'丂狛'"],
            "Nullable(String)"),
    "big5": ("VARCHAR(100) CHARACTER SET big5", ["'繁體中文'", "'功能'"], "Nullable(String)"),
    "sjis": ("CHAR(30) CHARACTER SET sjis", ["'日本語ソ'", "'ｱｲｳ'"], "Nullable(String)"),
    "cp1251": ("VARCHAR(40) CHARACTER SET cp1251", ["'Москва №1'"], "Nullable(String)"),
    "euckr": ("VARCHAR(40) CHARACTER SET euckr", ["'한국어'"], "Nullable(String)"),
    "ucs2": ("VARCHAR(40) CHARACTER SET ucs2", ["'Zürich 東京'", "''"], "Nullable(String)"),
    "utf16": ("VARCHAR(40) CHARACTER SET utf16", ["'🚚 東京'", "'a'"], "Nullable(String)"),
    "utf32": ("CHAR(10) CHARACTER SET utf32", ["'🚚東'", "'a'"], "Nullable(String)"),
    "binary": ("BINARY(8)", ["''", "'abc'", "x'00FF00FF'", "x'2020202020202020'",
                             "x'FFFFFFFFFFFFFFFF'"], "Nullable(String)"),
    "varbinary": ("VARBINARY(300)", ["''", "x'00'", "x'FF00'", "REPEAT(x'80', 300)"],
                  "Nullable(String)"),
    "tinyblob": ("TINYBLOB", ["''", "x'DEADBEEF'"], "Nullable(String)"),
    "blob": ("BLOB", ["x'0D0A09'", "REPEAT(x'C3', 60000)"], "Nullable(String)"),
    "mediumblob": ("MEDIUMBLOB", ["REPEAT(x'00', 200000)", "''"], "Nullable(String)"),
    "longblob": ("LONGBLOB", ["REPEAT(x'FE', 3000000)", "x'01'"], "Nullable(String)"),
    "enum": ("ENUM('a','größe','with, comma','quote''d')", ["'a'", "'größe'", "'with, comma'",
                                                            "'quote''d'", "4"],
             "LowCardinality(Nullable(String))"),
    "enum_latin1": ("ENUM('ä','€') CHARACTER SET latin1", ["'ä'", "'€'"],
                    "LowCardinality(Nullable(String))"),
    "set": ("SET('a','b','ü','d')", ["''", "'a'", "'b,ü'", "15"], "Nullable(String)"),
    "set64": ("SET(" + ",".join(f"'m{i}'" for i in range(64)) + ")",
              ["'m0'", "'m63'", "18446744073709551615"], "Nullable(String)"),
    "point": ("POINT", ["ST_GeomFromText('POINT(1 -2.5)')"], "Nullable(String)"),
    "geometry": ("GEOMETRY", ["ST_GeomFromText('LINESTRING(0 0,1 1,2 0)')",
                              "ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 1))')",
                              "ST_GeomFromText('POINT(3 4)', 4326)"], "Nullable(String)"),
    "polygon": ("POLYGON", ["ST_GeomFromText('POLYGON((0 0,0 5,5 5,0 0))')"], "Nullable(String)"),
    "json": ("JSON", [
        "'{}'", "'[]'", "'null'", "'true'", "'\"text\"'", "'1.5'", "'-0.0'", "'1e100'",
        "'18446744073709551615'", "'-9223372036854775808'", "'3.0'", "'\"\\\\u00fc 🚚\"'",
        "'{\"b\": 1, \"a\": {\"deep\": [1, null, {\"x\": false}]}, \"long key\": \"v\"}'",
        "CONCAT('[', REPEAT('123456, ', 20000), '1]')", "CONCAT('\"', REPEAT('j', 200), '\"')"],
        "Nullable(String)"),
}
MARIADB = {
    "uuid": ("UUID", ["'123e4567-e89b-12d3-a456-426655440000'",
                      "'ffffffff-ffff-ffff-ffff-fffffffffffe'"], "Nullable(UUID)"),
    "inet6": ("INET6", ["'2001:db8::ff00:42:8329'", "'::'", "'::ffff:192.0.2.1'"],
              "Nullable(IPv6)"),
    "inet4": ("INET4", ["'192.0.2.33'", "'0.0.0.0'", "'255.255.255.255'"], "Nullable(IPv4)"),
    "compressed_text": ("TEXT COMPRESSED", ["REPEAT('squeeze ', 500)", "'x'", "''"],
                        "Nullable(String)"),
    "compressed_bytes": ("VARBINARY(5000) COMPRESSED", ["REPEAT(x'00', 5000)", "x'FF'"],
                         "Nullable(String)"),
}
MARIADB118 = {**MARIADB, "vector": ("VECTOR(3)", ["VEC_FromText('[1.5,-2,0]')",
                                                  "VEC_FromText('[0.1,1e-30,3e38]')"],
                                    "Array(Float32)")}
MYSQL = {
    "vector": ("VECTOR(3)", ["STRING_TO_VECTOR('[1.5,-2,0]')",
                             "STRING_TO_VECTOR('[0.1,1e-30,3e38]')"], "Array(Float32)"),
    "json_values": ("JSON", [
        "JSON_OBJECT('d', CAST('12.50' AS DECIMAL(6,2)), 'n', NULL)",
        "CAST(CAST('2024-02-29 12:00:00.5' AS DATETIME(6)) AS JSON)",
        "CAST(CAST('-12:34:56.000001' AS TIME(6)) AS JSON)",
        "CAST(CAST('2024-02-29' AS DATE) AS JSON)", "CAST(x'00FF' AS JSON)",
        "JSON_ARRAY(ST_GeomFromText('POINT(1 2)'))"], "Nullable(String)"),
}


def types_of(flavor):
    return {**COMMON, **{"mariadb": MARIADB, "mariadb118": MARIADB118, "mysql": MYSQL}[flavor]}


@pytest.fixture(params=ALL_FLAVORS)
def flavor(request):
    return request.param


def insert(table, values, first):
    rows = ", ".join(f"({first + i}, {value})" for i, value in enumerate(["NULL", *values]))
    return f"INSERT INTO {table} VALUES {rows}"


def test_every_type_arrives_exactly(sync, flavor):
    types = types_of(flavor)
    setup = ["SET sql_mode = ''"]
    for name, (kind, values, _) in types.items():
        setup += [f"CREATE TABLE t_{name} (id INT PRIMARY KEY, v {kind})",
                  insert(f"t_{name}", values, 0)]
    sync.execute(*setup)
    agent = sync.agent().start()
    agent.wait_streaming(120)
    sync.wait_equal(120)

    live = ["SET sql_mode = ''"]
    for name, (kind, values, _) in types.items():
        live += [insert(f"t_{name}", values, 1000),
                 f"INSERT INTO t_{name} SELECT id + 2000, v FROM t_{name} WHERE id < 1000",
                 f"UPDATE t_{name} SET v = NULL WHERE id = 2001",
                 f"UPDATE t_{name} SET v = {values[-1]} WHERE id = 2000",
                 f"DELETE FROM t_{name} WHERE id = 1"]
    sync.execute(*live)
    sync.wait_equal(120)


def test_types_of_the_targets(sync, flavor):
    """Nothing is narrowed: the types that the documentation promises are the ones made."""
    types = types_of(flavor)
    sync.execute("SET sql_mode = ''", *[f"CREATE TABLE t_{name} (id INT PRIMARY KEY, v {kind})"
                                        for name, (kind, _, _) in types.items()])
    sync.agent().start()
    sync.wait_equal()
    wrong = []
    for name, (kind, _, expected) in types.items():
        found = sync.clickhouse.columns(sync.schema, f"t_{name}").get("v")
        if expected and found != expected:
            wrong.append(f"{kind}: {found}, expected {expected}")
    assert not wrong, "\n".join(wrong)


def test_all_types_in_one_table_without_a_key(sync, flavor):
    types = {name: kind for name, kind in types_of(flavor).items()
             if "long" not in name and "medium" not in name}
    columns = ", ".join(f"c_{name} {kind}" for name, (kind, _, _) in types.items())
    first = ", ".join(values[0] for _, values, _ in types.values())
    last = ", ".join(values[-1] for _, values, _ in types.values())
    nothing = ", ".join(["NULL"] * len(types))
    sync.execute("SET sql_mode = ''", f"CREATE TABLE every_type ({columns})",
                 f"INSERT INTO every_type VALUES ({first}), ({last}), ({nothing}), ({first})")
    sync.agent().start()
    sync.wait_equal()
    sync.execute("SET sql_mode = ''",
                 f"INSERT INTO every_type VALUES ({last}), ({nothing}), ({first})",
                 "UPDATE every_type SET c_int = 77 WHERE c_int = -2147483648 LIMIT 2",
                 "DELETE FROM every_type WHERE c_int IS NULL LIMIT 1")
    sync.wait_equal()


KEYS = {
    "int": ("INT", "n - 20"), "bigint_unsigned": ("BIGINT UNSIGNED", "18446744073709551615 - n"),
    "decimal": ("DECIMAL(30,5)", "n * 1.5 - 20"), "date": ("DATE", "'2024-01-01' + INTERVAL n DAY"),
    "datetime": ("DATETIME(6)", "'2024-01-01' + INTERVAL n * 1000001 MICROSECOND"),
    "timestamp": ("TIMESTAMP(3)", "'2024-01-01' + INTERVAL n * 1001000 MICROSECOND"),
    "time": ("TIME(6)", "SEC_TO_TIME(n * 10.5 - 200)"), "year": ("YEAR", "1990 + n"),
    "ci_text": ("VARCHAR(50)", "CONCAT(ELT(1 + n % 4, 'a', 'B', 'ä', 'Z'), n)"),
    "binary_text": ("VARCHAR(50) COLLATE utf8mb4_bin", "CONCAT(ELT(1 + n % 2, 'a', 'B'), n)"),
    "latin1": ("VARCHAR(50) CHARACTER SET latin1", "CONCAT(ELT(1 + n % 3, 'é', 'e', 'Z'), n)"),
    "gbk": ("CHAR(20) CHARACTER SET gbk", "CONCAT(ELT(1 + n % 3, '中', '文', 'a'), n)"),
    "ucs2": ("VARCHAR(20) CHARACTER SET ucs2", "CONCAT(ELT(1 + n % 3, '東', 'ü', 'a'), n)"),
    "spaces": ("VARCHAR(40)", "CONCAT(REPEAT('x', n), ' ')"),
    "binary": ("BINARY(6)", "UNHEX(LPAD(HEX(n * 500), 4, '0'))"),
    "varbinary": ("VARBINARY(20)", "UNHEX(CONCAT(LPAD(HEX(n), 2, '0'), IF(n % 2, '00', '')))"),
    "enum": ("ENUM('z','y','x','w','v','u','t')", "1 + n"),
    "set": ("SET('a','b','c','d','e')", "n"),
    "bit": ("BIT(40)", "n * 7"), "double": ("DOUBLE", "n / 7"), "bool": ("TINYINT(1)", "n"),
}


@pytest.mark.parametrize("flavor", ["mariadb", "mysql"], indirect=True)
def test_every_type_as_a_key(sync):
    """Chunks of three rows walk each kind of key; keys change, come and go in the log."""
    setup = ["SET sql_mode = '', time_zone = '+00:00'"]
    for name, (kind, expression) in KEYS.items():
        rows = 6 if name == "enum" else 30
        setup += [f"CREATE TABLE k_{name} (k {kind} NOT NULL PRIMARY KEY, v INT)",
                  f"INSERT INTO k_{name} SELECT {expression}, n FROM {numbers(rows)}"]
    sync.execute(*setup)
    agent = sync.agent(source={"scan.incremental.snapshot.chunk.size": 3}).start()
    agent.wait_streaming(120)
    sync.wait_equal()
    live = ["SET sql_mode = ''"]
    for name in KEYS:
        live += [f"UPDATE k_{name} SET v = v + 100 WHERE v % 3 = 0",
                 f"DELETE FROM k_{name} WHERE v = 4",
                 f"INSERT INTO k_{name} SELECT k, 4 FROM (SELECT MAX(k) k FROM k_{name}) m "
                 "ON DUPLICATE KEY UPDATE v = -1"]
    sync.execute(*live)
    sync.wait_equal()


@pytest.mark.parametrize("flavor", ["mariadb", "mysql"], indirect=True)
def test_dates_that_no_calendar_holds(sync):
    """NULL where the column may be NULL, 1970-01-01 elsewhere; the same twice, and counted."""
    values = ("'0000-00-00', '0000-00-00', '0000-00-00 00:00:00', '0000-00-00 00:00:00', "
              "'0000-00-00 00:00:00'")
    partly = ("'2020-00-00', '2020-10-00', '2020-00-31 10:00:00', '2020-02-00 00:00:01', "
              "'0000-00-00 00:00:00'")
    sync.execute(
        "SET sql_mode = ''",
        "CREATE TABLE zero (id INT PRIMARY KEY, d DATE, dn DATE NOT NULL, t DATETIME(3), "
        "tn DATETIME(3) NOT NULL, s TIMESTAMP NULL)",
        f"INSERT INTO zero VALUES (1, {values}), (2, {partly})")
    agent = sync.agent().start()
    agent.wait_streaming()
    sync.execute("SET sql_mode = ''", f"INSERT INTO zero VALUES (3, {values}), (4, {partly})")
    sync.wait_equal()
    rows = sync.rows("SELECT d, dn, t, tn, s FROM {db}.zero FINAL ORDER BY id")
    assert rows == [[None, "1970-01-01", None, "1970-01-01 00:00:00.000", None]] * 4
    wait_for(lambda: agent.sink_status()["zero_dates"] == 20, 5, "20 zero dates to be counted")


@pytest.mark.parametrize("flavor", ["mariadb", "mysql"], indirect=True)
def test_values_that_the_target_cannot_hold_are_counted(sync):
    """Clamped by default, alike from snapshot and log, and never silently."""
    rows = "({0}, '1000-01-01', '9999-12-31'), ({1}, '2024-01-01', '2024-01-01')"
    sync.execute("CREATE TABLE far (id INT PRIMARY KEY, d DATE, t DATE)",
                 "INSERT INTO far VALUES " + rows.format(1, 2))
    agent = sync.agent().start()
    agent.wait_streaming()
    sync.execute("INSERT INTO far VALUES " + rows.format(3, 4))
    wait_for(lambda: sync.value_or_none("SELECT count() FROM {db}.far FINAL") == "4", 30,
             "four rows")
    found = sync.rows("SELECT d, t FROM {db}.far FINAL ORDER BY id")
    assert found[0] == found[2] and found[1] == found[3] == ["2024-01-01", "2024-01-01"]
    if found[0] != ["1000-01-01", "9999-12-31"]:
        wait_for(lambda: agent.sink_status()["out_of_range"] == 4, 5, "4 dates to be counted")


@pytest.mark.parametrize("flavor", ["mariadb", "mysql"], indirect=True)
@pytest.mark.parametrize("zero, far, expected", [
    ("null", "clamp", [None, "1970-01-01", "0001-01-01", "0001-01-01 00:00:00"]),
    ("epoch", "null", ["1970-01-01", "1970-01-01", None, None])])
def test_policies_for_dates(sync, zero, far, expected):
    """As the user chose, alike from snapshot and log, and counted. No server holds the year 0."""
    row = "'0000-00-00', '2020-00-31', '0000-01-01', '0000-12-31 23:59:59')"
    sync.execute("SET sql_mode = ''", "CREATE TABLE p (id INT PRIMARY KEY, z DATE, zn DATE NOT "
                 "NULL, f DATE, ft DATETIME)", "INSERT INTO p VALUES (1, " + row)
    agent = sync.agent(sink={"zero-date.handling.mode": zero,
                             "out-of-range.handling.mode": far}).start()
    agent.wait_streaming()
    sync.execute("SET sql_mode = ''", "INSERT INTO p VALUES (2, " + row)
    wait_for(lambda: sync.value_or_none("SELECT count() FROM {db}.p FINAL") == "2", 30, "two rows")
    assert sync.rows("SELECT z, zn, f, ft FROM {db}.p FINAL ORDER BY id") == [expected] * 2
    wait_for(lambda: agent.sink_status()["zero_dates"] == 4, 5, "4 zero dates to be counted")
    assert agent.sink_status()["out_of_range"] == 4


@pytest.mark.parametrize("flavor", ["mariadb", "mysql"], indirect=True)
@pytest.mark.parametrize("setting, value", [("zero-date.handling.mode", "'0000-00-00'"),
                                            ("out-of-range.handling.mode", "'0000-01-01'")])
def test_dates_that_must_not_be_changed_park_their_table(sync, setting, value):
    """From the log, and then from the snapshot that a restart takes of the parked table."""
    sync.execute("CREATE TABLE p (id INT PRIMARY KEY, d DATE)", "INSERT INTO p VALUES (1, NULL)",
                 "CREATE TABLE other (id INT PRIMARY KEY)", "INSERT INTO other VALUES (1)")
    agent = sync.agent(sink={setting: "fail"}).start()
    agent.wait_streaming()
    sync.execute("SET sql_mode = ''", f"INSERT INTO p VALUES (2, {value})",
                 "INSERT INTO other VALUES (2)")
    for _ in range(2):
        wait_for(lambda: agent.table_states().get(f"{sync.schema}.p") == "parked", 60, "p to park")
        sync.wait_equal(tables=["other"])
        code, text = agent.command("tables")
        assert code == 0 and "column 'd'" in text, text
        agent.stop()
        sync.execute("INSERT INTO other SELECT MAX(id) + 1 FROM other")
        agent.start()


@pytest.mark.parametrize("flavor", ["mariadb", "mysql"], indirect=True)
def test_texts_that_are_invalid_in_their_character_set(sync):
    """U+FFFD in the place of what means nothing, alike from snapshot and log, and counted."""
    sync.execute("CREATE TABLE b (id INT PRIMARY KEY, v VARCHAR(9) CHARACTER SET cp1251)",
                 "INSERT INTO b VALUES (1, x'C698C6'), (2, x'C6')")
    agent = sync.agent().start()
    agent.wait_streaming()
    sync.execute("INSERT INTO b VALUES (3, x'C698C6'), (4, x'C6')")
    wait_for(lambda: sync.value_or_none("SELECT count() FROM {db}.b FINAL") == "4", 30, "four rows")
    assert sync.rows("SELECT v FROM {db}.b FINAL ORDER BY id") == [["\u0416\ufffd\u0416"],
                                                                   ["\u0416"]] * 2
    wait_for(lambda: agent.sink_status()["replaced_text"] == 2, 5, "2 texts to be counted")


@pytest.mark.parametrize("flavor", ["mariadb", "mysql"], indirect=True)
def test_the_error_value_of_an_enum(sync):
    sync.execute("SET sql_mode = ''", "CREATE TABLE e (id INT PRIMARY KEY, v ENUM('a','b'))",
                 "INSERT INTO e VALUES (1, 'unknown'), (2, 'a')")
    sync.agent().start().wait_streaming()
    sync.execute("SET sql_mode = ''", "INSERT INTO e VALUES (3, 'unknown'), (4, NULL)")
    sync.wait_equal()
    assert sync.rows("SELECT v FROM {db}.e FINAL ORDER BY id") == [[""], ["a"], [""], [None]]


@pytest.mark.parametrize("flavor", ["mariadb", "mysql"], indirect=True)
def test_many_columns_and_many_labels(sync):
    """Where the log counts in more bytes: columns over 250, labels and lengths over 255."""
    columns = ", ".join(f"c{i} {'INT' if i % 3 else 'VARCHAR(1) CHARACTER SET latin1'}"
                        for i in range(600))
    labels = ",".join(f"'label {i}'" for i in range(700))
    texts = ", ".join(f"v{size} VARCHAR({size}) CHARACTER SET latin1, u{size} VARCHAR({size}), "
                      f"b{size} VARBINARY({size})" for size in (63, 64, 255, 256))
    row = "({0}, 'label 0', 'label 255', 'label 256', 'label 699')"
    sync.execute(f"CREATE TABLE wide (id INT PRIMARY KEY, {columns})",
                 "INSERT INTO wide (id, c0, c1, c599, c598) VALUES (1, 'a', 2, 4, 5), "
                 "(2, NULL, NULL, NULL, NULL)",
                 f"CREATE TABLE labels (id INT PRIMARY KEY, a ENUM({labels}), b ENUM({labels}), "
                 f"c ENUM({labels}), d ENUM({labels}))",
                 "INSERT INTO labels VALUES " + row.format(1),
                 f"CREATE TABLE lengths (id INT PRIMARY KEY, {texts})")
    sync.agent().start().wait_streaming()
    filled = ", ".join(f"REPEAT('x', {size}), REPEAT('ü', {size}), REPEAT(x'00', {size})"
                       for size in (63, 64, 255, 256))
    sync.execute("INSERT INTO wide (id, c300, c301) VALUES (3, 'b', 7)",
                 "UPDATE wide SET c255 = 'c', c256 = 8",
                 "INSERT INTO labels VALUES " + row.format(2),
                 "UPDATE labels SET a = 256", f"INSERT INTO lengths VALUES (1, {filled})",
                 "INSERT INTO lengths (id, v255, u64, b256) VALUES (2, '', '', '')")
    sync.wait_equal()


def test_temporal_columns_of_old_tables(maria):
    """Tables made before MariaDB 10.1, or with mysql56_temporal_format off, store otherwise."""
    values = ("'-12:34:56', '-00:00:00.001', '838:59:59.999999', '2024-02-29 12:34:56', "
              "'1969-12-31 23:59:59.9', '2024-10-27 02:30:00.000001', '1970-01-01 00:00:01', "
              "'2038-01-19 03:14:07.999', '2024-03-31 01:30:00.5'")
    maria.source.execute("SET GLOBAL mysql56_temporal_format = OFF")
    try:
        maria.execute(
            "SET time_zone = '+00:00'",
            "CREATE TABLE old (id INT PRIMARY KEY, a TIME, b TIME(3), c TIME(6), d DATETIME, "
            "e DATETIME(1), f DATETIME(6), g TIMESTAMP NULL, h TIMESTAMP(3) NULL, "
            "i TIMESTAMP(6) NULL)", f"INSERT INTO old VALUES (1, {values})")
    finally:
        maria.source.execute("SET GLOBAL mysql56_temporal_format = ON")
    maria.agent().start().wait_streaming()
    maria.execute("SET time_zone = '+00:00'", f"INSERT INTO old VALUES (2, {values})",
                  "INSERT INTO old (id) VALUES (3)",
                  "UPDATE old SET a = '00:00:00', b = '23:59:59'")
    maria.wait_equal()


@pytest.mark.parametrize("flavor", ["mariadb", "mysql"], indirect=True)
def test_time_zones_of_sessions_do_not_matter(sync):
    """A TIMESTAMP is a moment, a DATETIME what a clock on a wall shows: whoever wrote it."""
    old = sync.source.query("SELECT @@GLOBAL.time_zone")[0][0]
    sync.source.execute("SET GLOBAL time_zone = '-07:00'")
    try:
        sync.execute("SET time_zone = '+05:45'",
                     "CREATE TABLE z (id INT PRIMARY KEY, t TIMESTAMP NULL, d DATETIME)",
                     "INSERT INTO z VALUES (1, '2024-07-01 12:00:00', '2024-07-01 12:00:00')")
        sync.agent().start().wait_streaming()
        sync.execute("SET time_zone = '+05:45'",
                     "INSERT INTO z VALUES (2, '2024-07-01 12:00:00', '2024-07-01 12:00:00')")
        sync.wait_equal()
    finally:
        sync.source.execute(f"SET GLOBAL time_zone = '{old}'")
    assert sync.rows("SELECT t, d FROM {db}.z FINAL ORDER BY id") == [
        ["2024-07-01 06:15:00", "2024-07-01 12:00:00"]] * 2


@pytest.mark.parametrize("flavor", ["mariadb", "mysql"], indirect=True)
def test_columns_that_are_generated_or_invisible(sync):
    sync.execute(
        "CREATE TABLE g (id INT PRIMARY KEY, a INT, twice INT AS (a * 2) VIRTUAL, "
        "text_of VARCHAR(20) AS (CONCAT('n', a)) STORED, hidden INT INVISIBLE DEFAULT 3)",
        "INSERT INTO g (id, a) VALUES (1, 10), (2, NULL)",
        "INSERT INTO g (id, a, hidden) VALUES (3, 5, 99)")
    sync.agent().start().wait_streaming()
    sync.execute("UPDATE g SET a = a + 1", "INSERT INTO g (id, a, hidden) VALUES (4, 1, NULL)")
    sync.wait_equal()


@pytest.mark.parametrize("flavor", ["mariadb", "mysql"], indirect=True)
def test_tinyint1_as_a_boolean(sync):
    sync.execute("CREATE TABLE b (id INT PRIMARY KEY, v TINYINT(1))",
                 "INSERT INTO b VALUES (1, 0), (2, 1), (3, NULL)")
    sync.agent(source={"treat-tinyint1-as-boolean.enabled": True}).start().wait_streaming()
    sync.execute("INSERT INTO b VALUES (4, 1), (5, 0)")
    sync.wait_equal()
    assert sync.clickhouse.columns(sync.schema, "b")["v"] == "Nullable(Bool)"


@pytest.mark.parametrize("flavor", ["mariadb", "mysql"], indirect=True)
def test_the_comparison_sees_a_difference(sync):
    """The measure of all these tests can fail: by value, by row, by count."""
    sync.execute("CREATE TABLE k (id INT PRIMARY KEY, v DECIMAL(5,2), f DOUBLE)",
                 "INSERT INTO k VALUES (1, 1.5, 0.1), (2, 2, 0.2)",
                 "CREATE TABLE m (v INT)", "INSERT INTO m VALUES (1), (1), (2)")
    sync.agent().start().wait_streaming()
    sync.wait_equal()
    sync.agents[-1].stop()
    newest = "9223372036854775807"
    sync.clickhouse.execute(f"INSERT INTO `{sync.schema}`.k (id, v, f, _version, _is_deleted) "
                            f"VALUES (2, 2, 0.20000000000000004, {newest}, 0)")
    sync.clickhouse.execute(f"INSERT INTO `{sync.schema}`.m (v, _version, _sign) "
                            f"VALUES (1, {newest}, 1)")
    keyed, keyless = sync.comparison.all_tables(sync.schema)
    assert any("column f" in text and "id=2" in text for text in keyed.differences)
    assert keyed.source_checksum != keyed.target_checksum
    assert "3 rows in the source, 4 in ClickHouse" in keyless.differences[0]
