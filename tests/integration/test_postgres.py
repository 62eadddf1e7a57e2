# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL to ClickHouse: the log and the snapshot."""


def test_a_first_table(pg):
    pg.execute("CREATE TABLE t (id int PRIMARY KEY, v int, s text)",
               "INSERT INTO t SELECT n, n * 2, 'row ' || n FROM generate_series(1, 1000) n")
    agent = pg.agent().start()
    agent.wait_streaming()
    pg.execute("INSERT INTO t VALUES (2000, 1, 'new')", "UPDATE t SET v = -v WHERE id < 10",
               "DELETE FROM t WHERE id > 990 AND id < 1500", "UPDATE t SET id = 3000 WHERE id = 5")
    pg.wait_equal()
