# SPDX-License-Identifier: Apache-2.0
"""Random values of every type as SQL, for tables whose rows are compared with their targets."""

import json
import math
import random
import struct

# Of many scripts; a character set that lacks one stores something else, and that is compared.
_CHARACTERS = "aZ09 ~'\\\"\n\t\0%_ éüßñŁ€ЖαאกÅ中文東日本語あｱ한🚚😀￿"
_CHARSETS = ["utf8mb4", "latin1", "gbk", "big5", "sjis", "ujis", "euckr", "cp1251", "cp1250",
             "greek", "hebrew", "tis620", "koi8r", "ucs2", "utf16", "utf16le", "utf32", "utf8mb3",
             "swe7", "cp932", "eucjpms", "latin5", "macroman", "ascii"]


class RandomRows:
    """A table of all types, and rows for it; the same for the same seed."""

    def __init__(self, seed, mariadb):
        self.random = random.Random(seed)
        self.columns = self._numbers() + self._times() + self._texts() + self._bytes()
        self.columns += [("JSON", self._json), ("ENUM('a','ü','c,d','')", self._enum),
                         ("SET('p','q','ü','s')", lambda: str(self.random.randrange(16)))]
        if mariadb:
            self.columns += [("UUID", self._uuid), ("INET6", self._inet6), ("INET4", self._inet4)]
        self.random.shuffle(self.columns)

    def definition(self, key):
        return ", ".join([key] + [f"c{i} {kind} NULL" for i, (kind, _) in enumerate(self.columns)])

    def row(self, key):
        cells = [make() if self.random.random() > 0.1 else "NULL" for _, make in self.columns]
        return f"({', '.join([str(key), *cells])})"

    # ---- kinds ----

    def _numbers(self):
        made = []
        for name, bits in (("TINYINT", 8), ("SMALLINT", 16), ("MEDIUMINT", 24), ("INT", 32),
                           ("BIGINT", 64)):
            made += [(name, self._integer(-(1 << bits - 1), (1 << bits - 1) - 1)),
                     (name + " UNSIGNED", self._integer(0, (1 << bits) - 1))]
        for precision, scale in ((1, 0), (9, 9), (10, 2), (18, 18), (19, 4), (38, 10), (65, 30)):
            made.append((f"DECIMAL({precision},{scale})", self._decimal(precision, scale)))
        made += [(f"BIT({bits})", self._integer(0, (1 << bits) - 1)) for bits in (1, 9, 33, 64)]
        return made + [("FLOAT", self._float), ("DOUBLE", self._double), ("YEAR", self._year)]

    def _year(self):
        return str(self.random.choice([0, self.random.randint(1901, 2155)]))

    def _integer(self, least, most):
        return lambda: str(self.random.choice(
            [least, most, 0, self.random.randint(least, most),
             max(least, min(most, self.random.randint(-300, 300)))]))

    def _decimal(self, precision, scale):
        def make():
            digits = self._digits(precision)
            whole, fraction = digits[:precision - scale] or "0", digits[precision - scale:]
            return self.random.choice(["", "-"]) + whole + ("." + fraction if fraction else "")
        return make

    def _digits(self, count):
        return "".join(self.random.choice("0123456789" if self.random.random() > 0.3 else "09")
                       for _ in range(count))

    def _float(self):
        while True:
            number, = struct.unpack("<f", self.random.randbytes(4))
            if math.isfinite(number) and len(repr(number)) <= 22:  # all that MySQL prints of one
                return repr(number)

    def _double(self):
        while True:
            number, = struct.unpack("<d", self.random.randbytes(8))
            if math.isfinite(number) and abs(number) > 1e-300:
                return repr(number)

    def _times(self):
        made = [("DATE", lambda: f"'{self._date(1, 9999)}'")]
        for digits in (0, 1, 3, 6):
            made += [(f"DATETIME({digits})", self._moment(digits, 1, 9999)),
                     (f"TIMESTAMP({digits})", self._moment(digits, 1971, 2037)),
                     (f"TIME({digits})", self._span(digits))]
        return made

    def _date(self, first, last):
        return (f"{self.random.randint(first, last):04}-{self.random.randint(1, 12):02}-"
                f"{self.random.randint(1, 28):02}")

    def _clock(self, digits, hours):
        fraction = "." + self._digits(digits) if digits else ""
        return (f"{self.random.randint(0, hours):02}:{self.random.randint(0, 59):02}:"
                f"{self.random.randint(0, 59):02}{fraction}")

    def _moment(self, digits, first, last):
        return lambda: f"'{self._date(first, last)} {self._clock(digits, 23)}'"

    def _span(self, digits):
        return lambda: f"'{self.random.choice(['', '-'])}{self._clock(digits, 837)}'"

    def _text(self, most):
        size = self.random.choice([0, 1, self.random.randint(0, most)])
        text = "".join(self.random.choice(_CHARACTERS) for _ in range(size))
        return f"CONVERT(x'{text.encode().hex()}' USING utf8mb4)"

    def _texts(self):
        made = []
        for charset in _CHARSETS:
            kind = self.random.choice(["CHAR(40)", "VARCHAR(90)", "TEXT", "MEDIUMTEXT"])
            made.append((f"{kind} CHARACTER SET {charset}", lambda: self._text(40)))
        return made + [("VARCHAR(300)", lambda: self._text(300)),
                       ("LONGTEXT", lambda: self._text(3000))]

    def _bytes(self):
        def make(most):
            return lambda: f"x'{self.random.randbytes(self.random.randint(0, most)).hex()}'"
        return [("BINARY(7)", make(7)), ("VARBINARY(300)", make(300)), ("TINYBLOB", make(255)),
                ("BLOB", make(2000)), ("LONGBLOB", make(5000))]

    def _enum(self):
        return str(self.random.randint(1, 4))

    def _uuid(self):
        digits = f"{self.random.getrandbits(128):032x}"
        return f"'{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}'"

    def _inet6(self):
        groups = [self.random.choice(["0", f"{self.random.getrandbits(16):x}"]) for _ in range(8)]
        return f"'{':'.join(groups)}'"

    def _inet4(self):
        return "'" + ".".join(str(self.random.randrange(256)) for _ in range(4)) + "'"

    def _json(self):
        document = json.dumps(self._document(3), ensure_ascii=self.random.random() < 0.5)
        return f"CONVERT(x'{document.encode().hex()}' USING utf8mb4)"

    def _document(self, depth):
        kind = self.random.randrange(7 if depth else 5)
        if kind == 5:
            return [self._document(depth - 1) for _ in range(self.random.randint(0, 5))]
        if kind == 6:
            return {self._word(): self._document(depth - 1)
                    for _ in range(self.random.randint(0, 5))}
        return [None, self.random.random() < 0.5, self.random.randint(-2**63, 2**64 - 1),
                self.random.uniform(-1e6, 1e6), self._word()][kind]

    def _word(self):
        characters = _CHARACTERS.replace("\0", "").replace("\uffff", "")
        return "".join(self.random.choice(characters) for _ in range(self.random.randint(0, 20)))
