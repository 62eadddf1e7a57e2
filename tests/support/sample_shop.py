# SPDX-License-Identifier: Apache-2.0
"""A shop whose 25 tables use every family of types, and changes to it while it is in use.

The same text works on MariaDB 10.5 and later and on MySQL 8.0 and later. Rows are made by the
server from numbers, so that 250,000 of them load within seconds and are the same on every run.
"""

import pymysql

from .shop_writer import ShopWriter

# A row number `n` from 1 to the limit, made of digits.
_DIGIT = "SELECT 0 d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4" \
         " UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8" \
         " UNION ALL SELECT 9"


def numbers(count):
    """A derived table `numbers` with the column n = 1 to count."""
    places = max(1, len(str(count - 1)))
    total = " + ".join(f"t{i}.d * {10 ** i}" for i in range(places))
    tables = " CROSS JOIN ".join(f"({_DIGIT}) t{i}" for i in range(places))
    return f"(SELECT 1 + {total} AS n FROM {tables} HAVING n <= {count}) numbers"


# name -> (definition, rows, expressions of the columns in order or names with expressions)
_WORD = "ELT(1 + n %% 7, 'Ärger', '数据库', 'naïve café', 'plain', '', 'Москва', '🚚 truck')"

_TABLES = [
    ("categories", """
        id SMALLINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
        parent_id SMALLINT UNSIGNED NULL,
        name VARCHAR(80) NOT NULL DEFAULT '' COMMENT 'shown to the customer',
        depth TINYINT NOT NULL DEFAULT 0,
        CONSTRAINT category_parent FOREIGN KEY (parent_id) REFERENCES categories (id)""", 200,
     {"id": "n", "parent_id": "NULLIF(FLOOR(n / 8), 0)", "name": f"CONCAT({_WORD}, ' ', n)",
      "depth": "FLOOR(LOG(8, n))"}),
    ("customers", """
        id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
        email VARCHAR(120) CHARACTER SET ascii NOT NULL,
        name VARCHAR(100) NOT NULL,
        tier ENUM('basic','silver','gold','größte') NOT NULL DEFAULT 'basic',
        flags SET('news','sms','b2b','vip') NOT NULL DEFAULT '',
        active TINYINT(1) NOT NULL DEFAULT 1,
        balance DECIMAL(12,2) NOT NULL DEFAULT 0,
        profile JSON NULL,
        born DATE NULL,
        created DATETIME(3) NOT NULL,
        updated TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
        UNIQUE KEY email (email)""", 30000,
     {"id": "n", "email": "CONCAT('user', n, '@example.org')", "name": f"CONCAT({_WORD}, n)",
      "tier": "1 + n %% 4", "flags": "n %% 16", "active": "n %% 3 > 0",
      "balance": "(n * 7919 %% 2000000 - 1000000) / 100",
      "profile": "IF(n %% 4, JSON_OBJECT('n', n, 'tags', JSON_ARRAY('a', n %% 5, 1.5, NULL, "
                 "'ü'), 'x', JSON_OBJECT('deep', n)), NULL)",
      "born": "IF(n %% 9, DATE_ADD('1930-01-01', INTERVAL n DAY), NULL)",
      "created": "DATE_ADD('2020-01-01 00:00:00.125', INTERVAL n * 977 SECOND)",
      "updated": "DATE_ADD('2021-06-01 12:00:00.000001', INTERVAL n * 991 SECOND)"}),
    ("addresses", """
        id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
        customer_id INT UNSIGNED NOT NULL,
        street VARCHAR(200) NOT NULL,
        zip CHAR(10) NOT NULL,
        country CHAR(2) CHARACTER SET ascii NOT NULL,
        KEY (customer_id),
        FOREIGN KEY (customer_id) REFERENCES customers (id)""", 20000,
     {"id": "n", "customer_id": "1 + n * 31 %% 30000", "street": f"CONCAT({_WORD}, ' street ', n)",
      "zip": "LPAD(n, 5, '0')", "country": "ELT(1 + n %% 4, 'DE', 'CN', 'FR', 'US')"}),
    ("products", """
        sku VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
        category_id SMALLINT UNSIGNED NULL,
        name VARCHAR(160) NOT NULL,
        price DECIMAL(10,2) UNSIGNED NOT NULL,
        weight FLOAT NULL,
        volume DOUBLE NULL,
        description MEDIUMTEXT NULL,
        released YEAR NULL""", 5000,
     {"sku": "CONCAT('SKU-', LPAD(n * 7 %% 100000, 6, '0'))", "category_id": "1 + n %% 200",
      "name": f"CONCAT('product ', {_WORD}, n)", "price": "n * 13 %% 99999 / 100",
      "weight": "IF(n %% 10, n / 7, NULL)", "volume": "IF(n %% 11, n / 3, NULL)",
      "description": f"REPEAT(CONCAT({_WORD}, ' '), n %% 40)", "released": "1990 + n %% 40"}),
    ("product_names", """
        sku VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
        language CHAR(2) CHARACTER SET latin1 NOT NULL,
        title VARCHAR(200) CHARACTER SET utf8mb3 NOT NULL,
        PRIMARY KEY (sku, language)""", 15000,
     {"sku": "CONCAT('SKU-', LPAD(FLOOR(n / 3) * 7 %% 100000, 6, '0'))",
      "language": "ELT(1 + n %% 3, 'de', 'en', 'zh')",
      "title": "CONCAT(ELT(1 + n %% 3, 'Gerät ', 'thing ', '产品 '), n)"}),
    ("product_images", """
        hash BINARY(16) NOT NULL PRIMARY KEY,
        sku VARCHAR(40) NOT NULL,
        thumbnail VARBINARY(300) NULL,
        picture MEDIUMBLOB NULL""", 3000,
     {"hash": "UNHEX(LEFT(SHA2(n, 256), 32))", "sku": "CONCAT('SKU-', LPAD(n, 6, '0'))",
      "thumbnail": "IF(n %% 5, UNHEX(REPEAT(LEFT(SHA2(n + 1, 256), 32), 1 + n %% 9)), NULL)",
      "picture": "UNHEX(REPEAT(LEFT(SHA2(n + 2, 256), 32), n %% 60))"}),
    ("warehouses", """
        id TINYINT UNSIGNED NOT NULL PRIMARY KEY,
        name VARCHAR(50) NOT NULL,
        place POINT NOT NULL,
        area POLYGON NULL""", 60,
     {"id": "n", "name": "CONCAT('Lager ', n)", "place": "ST_GeomFromText(CONCAT('POINT(', "
      "n, ' ', n / 4, ')'))", "area": "IF(n %% 3, ST_GeomFromText(CONCAT('POLYGON((0 0,0 ', n, "
      "',', n, ' ', n, ',0 0))')), NULL)"}),
    ("stock", """
        warehouse_id TINYINT UNSIGNED NOT NULL,
        sku VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
        pieces MEDIUMINT NOT NULL,
        counted DATE NOT NULL,
        PRIMARY KEY (warehouse_id, sku)""", 20000,
     {"warehouse_id": "1 + n %% 50", "sku": "CONCAT('SKU-', LPAD(FLOOR(n / 50), 6, '0'))",
      "pieces": "n * 17 %% 9000 - 100",
      "counted": "DATE_ADD('2024-01-01', INTERVAL n %% 300 DAY)"}),
    ("orders", """
        id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
        customer_id INT UNSIGNED NOT NULL,
        placed DATETIME NOT NULL,
        state ENUM('new','paid','sent','returned') CHARACTER SET latin1 NOT NULL DEFAULT 'new',
        total DECIMAL(14,4) NOT NULL DEFAULT 0,
        note TEXT NULL,
        PRIMARY KEY (id)) PARTITION BY HASH (id) PARTITIONS 4 --""", 40000,
     {"id": "n", "customer_id": "1 + n * 17 %% 30000",
      "placed": "DATE_ADD('2022-01-01', INTERVAL n * 613 SECOND)", "state": "1 + n %% 4",
      "total": "n * 1237 %% 9999999 / 10000", "note": f"IF(n %% 6 = 0, {_WORD}, NULL)"}),
    ("order_lines", """
        order_id BIGINT UNSIGNED NOT NULL,
        line SMALLINT NOT NULL,
        sku VARCHAR(40) NOT NULL,
        pieces INT NOT NULL,
        price DECIMAL(10,2) NOT NULL,
        amount DECIMAL(20,2) AS (pieces * price) STORED,
        PRIMARY KEY (order_id, line)""", 80000,
     {"order_id": "1 + FLOOR(n / 2)", "line": "1 + n %% 2",
      "sku": "CONCAT('SKU-', LPAD(n * 7 %% 35000, 6, '0'))", "pieces": "1 + n %% 9",
      "price": "n * 31 %% 50000 / 100"}),
    ("payments", """
        id CHAR(36) CHARACTER SET ascii NOT NULL PRIMARY KEY,
        order_id BIGINT UNSIGNED NOT NULL,
        amount DECIMAL(30,10) NOT NULL,
        method VARCHAR(20) NULL,
        paid TIMESTAMP NULL DEFAULT NULL""", 12000,
     {"id": "CONCAT(LEFT(SHA2(n, 256), 8), '-', MID(SHA2(n, 256), 9, 4), '-4', "
            "MID(SHA2(n, 256), 14, 3), '-8', MID(SHA2(n, 256), 18, 15))", "order_id": "n",
      "amount": "n * 12345.6789012345", "method": "ELT(1 + n %% 4, 'card', 'cash', 'sepa')",
      "paid": "IF(n %% 7, DATE_ADD('2022-03-27 00:30:00', INTERVAL n * 600 SECOND), NULL)"}),
    ("shipments", """
        id INT NOT NULL PRIMARY KEY,
        sent DATE NOT NULL,
        arrived DATETIME NULL,
        duration TIME(3) NULL,
        proof TINYBLOB NULL""", 5000,
     {"id": "n", "sent": "IF(n %% 50 = 0, '0000-00-00', DATE_ADD('2022-01-01', INTERVAL n DAY))",
      "arrived": "IF(n %% 60 = 0, '0000-00-00 00:00:00', "
                 "DATE_ADD('2022-01-05', INTERVAL n HOUR))",
      "duration": "IF(n %% 8, SEC_TO_TIME(n * 7.125 - 9000), NULL)",
      "proof": "UNHEX(LEFT(SHA2(n, 256), 32))"}),
    ("events", """
        happened DATETIME(6) NOT NULL,
        kind VARCHAR(30) NULL,
        payload JSON NULL,
        size INT NULL""", 12000,
     {"happened": "DATE_ADD('2023-01-01 00:00:00.000001', INTERVAL FLOOR(n / 3) * 1001 SECOND)",
      "kind": "ELT(1 + n %% 5, 'view', 'click', 'buy', '浏览')",
      "payload": "IF(n %% 3 = 0, JSON_OBJECT('k', n %% 10), NULL)", "size": "n %% 20"}),
    ("audit_log", """
        at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
        who VARCHAR(40) CHARACTER SET latin1 NULL,
        what TEXT NOT NULL""", 6000,
     {"at": "DATE_ADD('2023-05-01', INTERVAL FLOOR(n / 2) SECOND)",
      "who": "ELT(1 + n %% 3, 'Jürgen', 'Zoë')", "what": "CONCAT('changed ', FLOOR(n / 2))"}),
    ("queue", "job INT, done TINYINT(1)", 500, {"job": "n %% 50", "done": "n %% 2"}),
    ("clients_latin1", """
        id INT NOT NULL PRIMARY KEY,
        name VARCHAR(60) NOT NULL,
        remark TINYTEXT NULL,
        kind ENUM('größer','kleiner','€uro') NOT NULL) DEFAULT CHARACTER SET latin1 --""", 3000,
     {"id": "n", "name": "CONCAT(ELT(1 + n %% 3, 'Müller', 'Žižek €', 'Søren'), ' ', n)",
      "remark": "IF(n %% 2, 'naïve façade', NULL)", "kind": "1 + n %% 3"}),
    ("suppliers_gbk", """
        code CHAR(8) NOT NULL PRIMARY KEY,
        name VARCHAR(60) NOT NULL,
        city VARCHAR(30) NULL) DEFAULT CHARACTER SET gbk --""", 2000,
     {"code": "CONCAT('G', LPAD(n, 5, '0'))", "name": "CONCAT('供应商', n, '有限公司')",
      "city": "ELT(1 + n %% 4, '北京', '上海', '深圳')"}),
    ("cities_ucs2", """
        name VARCHAR(40) CHARACTER SET ucs2 COLLATE ucs2_bin NOT NULL PRIMARY KEY,
        inhabitants INT UNSIGNED NOT NULL""", 500,
     {"name": "CONCAT(ELT(1 + n %% 3, '東京', 'Zürich', 'Київ'), n)", "inhabitants": "n * 1000"}),
    ("measurements", """
        sensor INT NOT NULL,
        at DATETIME(6) NOT NULL,
        value DOUBLE NOT NULL,
        error FLOAT NULL,
        PRIMARY KEY (sensor, at)) PARTITION BY KEY (sensor) PARTITIONS 3 --""", 15000,
     {"sensor": "n %% 20", "at": "DATE_ADD('2024-01-01 00:00:00.000001', INTERVAL n * 17 SECOND)",
      "value": "SIN(n) * POW(10, n %% 30 - 15)", "error": "IF(n %% 4, 1 / n, NULL)"}),
    ("limits", """
        id INT NOT NULL PRIMARY KEY,
        i8 TINYINT, u8 TINYINT UNSIGNED, i16 SMALLINT, u16 SMALLINT UNSIGNED,
        i24 MEDIUMINT, u24 MEDIUMINT UNSIGNED, i32 INT, u32 INT UNSIGNED,
        i64 BIGINT, u64 BIGINT UNSIGNED, z INT(8) ZEROFILL""", 1000,
     {"id": "n", "i8": "ELT(1 + n %% 4, -128, 127, 0)", "u8": "n %% 256",
      "i16": "ELT(1 + n %% 4, -32768, 32767, n)", "u16": "n %% 65536",
      "i24": "ELT(1 + n %% 4, -8388608, 8388607, n)", "u24": "ELT(1 + n %% 2, 16777215, n)",
      "i32": "ELT(1 + n %% 4, -2147483648, 2147483647, n)",
      "u32": "ELT(1 + n %% 2, 4294967295, n)",
      "i64": "ELT(1 + n %% 4, -9223372036854775808, 9223372036854775807, n)",
      "u64": "ELT(1 + n %% 2, 18446744073709551615, n)", "z": "n"}),
    ("prices", """
        id INT NOT NULL PRIMARY KEY,
        d1 DECIMAL(1,0), d9 DECIMAL(9,9), d18 DECIMAL(18,6), d19 DECIMAL(19,2),
        d38 DECIMAL(38,10), d65 DECIMAL(65,30), d65i DECIMAL(65,0)""", 2000,
     {"id": "n", "d1": "n %% 19 - 9", "d9": "n / 1000000007", "d18": "n * 999.123456 - 500000",
      "d19": "IF(n %% 2, -12345678901234567.89, n)",
      "d38": "n * 1234567890123456.7890123456",
      "d65": "IF(n %% 2, -99999999999999999999999999999999999.999999999999999999999999999999, "
             "n / 7)",
      "d65i": "IF(n %% 3, 99999999999999999999999999999999999999999999999999999999999999999, -n)"}),
    ("bits", """
        id INT NOT NULL PRIMARY KEY,
        b1 BIT(1) NOT NULL, b7 BIT(7), b33 BIT(33), b64 BIT(64)""", 800,
     {"id": "n", "b1": "n %% 2", "b7": "n %% 128", "b33": "n * 8388607",
      "b64": "IF(n %% 2, 18446744073709551615, n)"}),
    ("moments", """
        id INT NOT NULL PRIMARY KEY,
        d DATE, t0 TIME, t6 TIME(6), dt0 DATETIME, dt6 DATETIME(6), ts0 TIMESTAMP NULL,
        ts6 TIMESTAMP(6) NULL, y YEAR""", 2000,
     {"id": "n", "d": "DATE_ADD('1900-01-01', INTERVAL n * 71 DAY)",
      "t0": "SEC_TO_TIME(n * 3000 - 3000000)",
      "t6": "ELT(1 + n %% 3, '-00:00:00.000001', '838:59:58.999999', '-12:34:56.5')",
      "dt0": "DATE_ADD('1900-01-01 23:59:59', INTERVAL n * 2 MONTH)",
      "dt6": "DATE_ADD('1969-12-31 23:59:59.999999', INTERVAL n * 1000003 SECOND)",
      "ts0": "IF(n %% 5, DATE_ADD('1970-01-02 00:00:00', INTERVAL n * 500000 SECOND), NULL)",
      "ts6": "DATE_ADD('2000-02-29 00:00:00.123456', INTERVAL n * 100001 SECOND)",
      "y": "ELT(1 + n %% 4, 0, 1901, 2155)"}),
    ("sessions", """
        token VARBINARY(24) NOT NULL PRIMARY KEY,
        data LONGBLOB NULL,
        expires INT UNSIGNED NOT NULL""", 3000,
     {"token": "UNHEX(CONCAT(LEFT(SHA2(n, 256), 32), IF(n %% 2, '00', 'FF20')))",
      "data": "IF(n %% 3, UNHEX(REPEAT(LEFT(SHA2(n, 256), 32), n %% 30)), '')",
      "expires": "1700000000 + n"}),
    ("settings", """
        name VARCHAR(64) NOT NULL PRIMARY KEY,
        value LONGTEXT NULL,
        upper_name VARCHAR(64) AS (UPPER(name)) VIRTUAL,
        secret INT INVISIBLE DEFAULT 7""", 300,
     {"name": "CONCAT('key.', n)", "value": "REPEAT('v', n * 10)", "secret": "n"}),
]

TABLES = [name for name, *_ in _TABLES]
ROWS = sum(rows for _, _, rows, _ in _TABLES)
KEYLESS = ("events", "audit_log", "queue")


def _definition(name, body):
    text = body.strip()
    # A definition that brings its own table options ends with ` --` after its closing bracket.
    closed = text.endswith("--")
    return f"CREATE TABLE {name} ({text[:-2] if closed else text + ')'}"


def load(database, schema="shop"):
    """Makes the schema anew and fills it; the number of rows."""
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET sql_mode = '', time_zone = '+00:00', foreign_key_checks = 0, "
                       "unique_checks = 0")
        cursor.execute(f"DROP DATABASE IF EXISTS {schema}")
        cursor.execute(f"CREATE DATABASE {schema} CHARACTER SET utf8mb4 "
                       "COLLATE utf8mb4_general_ci")
        cursor.execute(f"USE {schema}")
        for name, body, rows, columns in _TABLES:
            cursor.execute(_definition(name, body))
            expressions = ", ".join(columns.values()).replace("%%", "%")
            cursor.execute(f"INSERT INTO {name} ({', '.join(columns)}) SELECT {expressions} "
                           f"FROM {numbers(rows)}")
    return ROWS


def change_schema(database, schema="shop"):
    """ADD, DROP, RENAME and MODIFY COLUMN, new, renamed and truncated tables, rows in between."""
    rename = "ALTER TABLE {0} RENAME COLUMN {1} TO {2}"
    database.execute(
        "SET sql_mode = ''",
        "ALTER TABLE customers ADD COLUMN phone VARCHAR(30) NULL AFTER name",
        "UPDATE customers SET phone = CONCAT('+49 ', id) WHERE id % 10 = 0",
        "ALTER TABLE customers ADD COLUMN score INT NOT NULL DEFAULT 5, ADD COLUMN seen DATETIME",
        "INSERT INTO customers (email, name, created, score) VALUES "
        "('late@example.org', 'Späte Kundin', '2024-01-01', 9)",
        "ALTER TABLE addresses DROP COLUMN country",
        "UPDATE addresses SET street = CONCAT(street, '!') WHERE id <= 500",
        rename.format("products", "weight", "mass"),
        "UPDATE products SET mass = mass * 2 WHERE sku < 'SKU-001000'",
        "ALTER TABLE stock MODIFY COLUMN pieces BIGINT NOT NULL",
        "UPDATE stock SET pieces = pieces * 1000000000 WHERE warehouse_id = 3",
        "ALTER TABLE queue ADD COLUMN worker VARCHAR(20) DEFAULT 'nobody'",
        "INSERT INTO queue VALUES (1, 1, 'ann'), (1, 1, 'ann'), (2, 0, NULL)",
        "CREATE TABLE coupons (code VARCHAR(20) PRIMARY KEY, percent DECIMAL(5,2) NOT NULL, "
        "until DATE)",
        "INSERT INTO coupons VALUES ('SPRING', 12.5, '2025-05-31'), ('ALWAYS', 3, NULL)",
        "CREATE TABLE clicks (page TEXT, at DATETIME(3))",
        "INSERT INTO clicks VALUES ('/a', '2024-01-01 00:00:00.5'), ('/a', "
        "'2024-01-01 00:00:00.5'), ('/b', NULL)",
        "RENAME TABLE bits TO bit_fields",
        "INSERT INTO bit_fields VALUES (9001, 1, 5, 7, 9)",
        "TRUNCATE TABLE cities_ucs2",
        "INSERT INTO cities_ucs2 VALUES ('Nürnberg', 523000)",
        database=schema)


def add_columns(database, schema="shop"):
    """The changes of schemas after which a log of all rows still tells what a table holds: a column
    that older rows lack is NULL in them. New tables too."""
    database.execute(
        "SET sql_mode = ''",
        "ALTER TABLE customers ADD COLUMN phone VARCHAR(30) NULL AFTER name",
        "UPDATE customers SET phone = CONCAT('+49 ', id) WHERE id % 10 = 0",
        "ALTER TABLE queue ADD COLUMN worker VARCHAR(20)",
        "INSERT INTO queue VALUES (1, 1, 'ann'), (1, 1, 'ann'), (2, 0, NULL)",
        "CREATE TABLE coupons (code VARCHAR(20) PRIMARY KEY, percent DECIMAL(5,2) NOT NULL, "
        "until DATE)",
        "INSERT INTO coupons VALUES ('SPRING', 12.5, '2025-05-31'), ('ALWAYS', 3, NULL)",
        "CREATE TABLE clicks (page TEXT, at DATETIME(3))",
        "INSERT INTO clicks VALUES ('/a', '2024-01-01 00:00:00.5'), ('/a', "
        "'2024-01-01 00:00:00.5'), ('/b', NULL)",
        database=schema)


def change_rows(database, schema="shop"):
    """Inserts, updates, deletes and changes of keys, in tables with a key and without."""
    database.execute(
        "SET sql_mode = '', time_zone = '+00:00'",
        "INSERT INTO customers (email, name, created, profile) VALUES "
        "('new@example.org', '新客户', '2024-02-29 12:34:56.789', '{\"a\": [1, 2.5, null]}')",
        "UPDATE customers SET balance = balance + 0.01 WHERE id BETWEEN 100 AND 1100",
        "UPDATE customers SET tier = 'größte', flags = 'news,vip' WHERE id % 1000 = 1",
        # By hand: MariaDB does not write what a cascade deletes into its log.
        "DELETE FROM addresses WHERE customer_id BETWEEN 200 AND 230",
        "DELETE FROM customers WHERE id BETWEEN 200 AND 230",
        "UPDATE product_names SET language = 'xx' WHERE language = 'zh' AND sku < 'SKU-000700'",
        "UPDATE shipments SET id = id + 1000000 WHERE id BETWEEN 10 AND 60",
        "UPDATE shipments SET sent = '0000-00-00', arrived = '0000-00-00 00:00:00' "
        "WHERE id BETWEEN 70 AND 75",
        "DELETE FROM order_lines WHERE order_id BETWEEN 3000 AND 3100",
        "UPDATE order_lines SET pieces = pieces + 1 WHERE order_id BETWEEN 5000 AND 5500",
        "UPDATE events SET size = size + 1 WHERE size = 4",
        "DELETE FROM events WHERE size = 7 LIMIT 200",
        "INSERT INTO events SELECT * FROM events WHERE size = 9",
        "DELETE FROM audit_log WHERE what = 'changed 77' LIMIT 1",
        "UPDATE queue SET done = 1 - done WHERE job < 10",
        "UPDATE sessions SET data = REPEAT('x', 70000) WHERE expires = 1700000009",
        "UPDATE moments SET d = '0000-00-00', dt6 = '0000-00-00' WHERE id < 20",
        "REPLACE INTO settings (name, value) VALUES ('key.1', 'replaced'), ('key.new', NULL)",
        "UPDATE measurements SET value = -value, error = NULL WHERE sensor = 3",
        "UPDATE suppliers_gbk SET name = CONCAT(name, '（更名）') WHERE code < 'G00100'",
        "UPDATE clients_latin1 SET remark = 'plötzlich €' WHERE id < 300",
        "DELETE FROM payments WHERE order_id % 97 = 0",
        "UPDATE prices SET d65 = -d65, d1 = NULL WHERE id % 5 = 0",
        database=schema)


DEADLOCK, LOCK_WAIT = 1213, 1205  # what two writers may do to each other


class Writer(ShopWriter):
    def _connect(self):
        connection = self.server.connect(database=self.schema)
        with connection.cursor() as cursor:
            cursor.execute("SET sql_mode = ''")
        return connection

    def _lost(self, error):
        return (isinstance(error, pymysql.err.OperationalError) and
                error.args[0] in (DEADLOCK, LOCK_WAIT))

    def _transaction(self, cursor):
        pick = self.random.randrange
        cursor.execute("BEGIN")
        order = pick(1, 40000)
        self._write(cursor, "UPDATE orders SET total = total + 0.0001, state = %s WHERE id "
                            "BETWEEN %s AND %s", pick(1, 5), order, order + pick(1, 30))
        self._write(cursor, "INSERT INTO events VALUES (NOW(6), %s, NULL, %s)", "live", pick(100))
        self._write(cursor, "UPDATE stock SET pieces = pieces - 1 WHERE warehouse_id = %s AND "
                            "sku < %s", pick(1, 51), f"SKU-{pick(60):06}")
        if pick(5) == 0:
            self._write(cursor, "DELETE FROM events WHERE kind = 'live' LIMIT 3")
        cursor.execute("ROLLBACK" if pick(20) == 0 else "COMMIT")
