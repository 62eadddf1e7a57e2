# SPDX-License-Identifier: Apache-2.0
"""Types that extensions bring: they come as the text that the server prints."""

import pytest

from support.process import wait_for
from test_postgres import insert

TYPES = {
    "hstore": ("hstore", ["'a=>1, \"b c\"=>NULL, \"q\\\"\"=>\"\"'", "''"]),
    "citext": ("citext", ["'Größe'", "'a''b\\c'"]),
    "ltree": ("ltree", ["'top.science.astronomy'", "''"]),
    "lquery": ("lquery", ["'top.*{1,2}.a|b'"]),
    "cube": ("cube", ["'(1,2),(3,4.5)'"]),
    "seg": ("seg", ["'1.50 .. 2'", "'<7'"]),
    "isbn": ("isbn13", ["'978-0-393-04002-9'"]),
    "big_object": ("lo", ["4294967295"]),
    "tree_array": ("ltree[]", ["'{a.b,NULL}'"]),
}
POSTGIS = {
    "point": ("geometry(Point, 4326)", ["'SRID=4326;POINT(-71.06 42.28)'"]),
    "any": ("geometry", ["'POINT EMPTY'", "'LINESTRING ZM (1 2 3 4, 5 6 7 8)'",
                         "'SRID=3857;GEOMETRYCOLLECTION(POINT(1 2),POLYGON((0 0,0 1,1 1,0 0)))'"]),
    "geography": ("geography", ["'POINT(10 50)'"]),
    "box3d": ("box3d", ["'BOX3D(1 2 3,4 5 6)'"]),
}
VECTORS = {
    "vector": ("vector(3)", ["'[1,-2.5,1e-30]'"]),
    "halfvec": ("halfvec(2)", ["'[0.5,65504]'"]),
    "sparsevec": ("sparsevec(5)", ["'{1:1.5,5:-2}/5'"]),
}


def seen_from(pg):
    """The statement by which names of extensions need no schema before them."""
    return f'SET search_path = "{pg.schema}", public'


def check_types(pg, extensions, types):
    for name in extensions:  # some are not trusted: only a superuser may make them
        pg.source.execute(f"CREATE EXTENSION IF NOT EXISTS {name} SCHEMA public",
                          database=pg.schema)
    for name, (kind, values) in types.items():
        pg.execute(seen_from(pg), f"CREATE TABLE t_{name} (id int PRIMARY KEY, v {kind})",
                   insert(f"t_{name}", values, 0))
    agent = pg.agent().start()
    agent.wait_streaming(120)
    for name, (_, values) in types.items():
        pg.execute(seen_from(pg), insert(f"t_{name}", values, 100),
                   f"UPDATE t_{name} SET id = 50 WHERE id = 1")
    pg.wait_equal(tables=[f"t_{name}" for name in types])
    shown = {name: pg.clickhouse.columns(pg.schema, f"t_{name}")["v"] for name in types}
    assert shown == {name: "Nullable(UInt32)" if name == "big_object" else "Nullable(String)"
                     for name in types}  # a domain over oid


def test_types_of_contrib(pg_for):
    check_types(pg_for("postgres15"), ["hstore", "citext", "ltree", "cube", "seg", "isn", "lo"],
                TYPES)


def test_types_of_postgis(pg_for):
    check_types(pg_for("postgres15"), ["postgis"], POSTGIS)


def test_types_of_pgvector(pg_for):
    check_types(pg_for("postgres18"), ["vector"], VECTORS)


def test_a_key_that_ignores_case(pg_for):
    """What the server takes for the same key, the target does not: the old spelling goes."""
    pg = pg_for("postgres15")
    pg.execute("CREATE EXTENSION IF NOT EXISTS citext SCHEMA public",
               "CREATE TABLE t (k public.citext PRIMARY KEY, v int)",
               "INSERT INTO t VALUES ('One', 1), ('Two', 2), ('Three', 3)")
    pg.agent().start().wait_streaming(60)
    pg.execute(seen_from(pg),
               "UPDATE t SET k = 'ONE' WHERE k = 'one'", "UPDATE t SET v = 5 WHERE k = 'TWO'",
               "DELETE FROM t WHERE k = 'THREE'")
    wait_for(lambda: pg.value_or_none(
        f"SELECT arraySort(groupArray((k, v))) FROM {pg.schema}.t FINAL") ==
        "[('ONE',1),('Two',5)]", 60, "the rows in their newest spelling")


@pytest.mark.parametrize("dropped", ["hstore"])
def test_an_extension_that_goes(pg_for, dropped):
    """DROP EXTENSION .. CASCADE takes the columns of its types along."""
    pg = pg_for("postgres15")
    pg.execute(f"CREATE EXTENSION IF NOT EXISTS {dropped} SCHEMA public",
               f"CREATE TABLE t (id int PRIMARY KEY, v public.{dropped})",
               "INSERT INTO t VALUES (1, 'a=>1')")
    pg.agent().start().wait_streaming(60)
    pg.execute(f"DROP EXTENSION {dropped} CASCADE", "INSERT INTO t VALUES (2)")
    wait_for(lambda: pg.value_or_none(
        f"SELECT arraySort(groupArray(id)) FROM {pg.schema}.t FINAL") == "[1,2]", 60,
        "the row after it")
