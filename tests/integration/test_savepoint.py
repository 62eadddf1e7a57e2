# SPDX-License-Identifier: Apache-2.0
"""Savepoints: made beside a running agent, gone back to, and every table converges."""

import json
import os

from support.sample_shop import numbers


def prepare(sync):
    sync.execute("CREATE TABLE keyed (id INT AUTO_INCREMENT PRIMARY KEY, v INT)",
                 f"INSERT INTO keyed (v) SELECT n FROM {numbers(200)}",
                 "CREATE TABLE keyless (v INT)", "INSERT INTO keyless VALUES (1), (1), (2)")


def change(sync):
    sync.execute("INSERT INTO keyed (v) VALUES (1), (2)", "DELETE FROM keyed LIMIT 3",
                 "INSERT INTO keyless VALUES (1), (3)", "DELETE FROM keyless LIMIT 1",
                 "ALTER TABLE keyless ADD COLUMN w INT DEFAULT 5",
                 "UPDATE keyless SET v = 9 LIMIT 1",
                 "CREATE TABLE later (v INT)", "INSERT INTO later VALUES (4), (4)",
                 "ALTER TABLE keyed DROP COLUMN v, ADD COLUMN x INT",
                 "INSERT INTO keyed (x) VALUES (7)")


def test_going_back_converges(maria, tmp_path):
    """The savepoint is older than the target: rows without a key do not come twice."""
    prepare(maria)
    agent = maria.agent().start()
    agent.wait_streaming()
    maria.wait_equal()
    path = os.path.join(tmp_path, "savepoint")
    status, output = agent.command("savepoint", path)
    assert status == 0 and output.strip() == path, output
    change(maria)
    maria.wait_equal()
    agent.stop()
    maria.execute("INSERT INTO keyless (v) VALUES (8)")
    agent.start(arguments=["--from-savepoint", path])
    maria.wait_equal()
    assert "going on from the savepoint" in agent.log()
    maria.execute("INSERT INTO keyless (v) VALUES (9)", "INSERT INTO later VALUES (4)")
    maria.wait_equal()
    agent.stop()
    agent.start(arguments=["--from-savepoint", path])
    agent.wait_log("comes from this savepoint already")
    maria.execute("INSERT INTO later VALUES (5)")
    maria.wait_equal()


def test_what_was_emptied_since_is_read_again(maria, tmp_path):
    """A reading that came after the savepoint, and was not over, left a part of the rows."""
    prepare(maria)
    agent = maria.agent().start()
    agent.wait_streaming()
    maria.wait_equal()
    path = os.path.join(tmp_path, "savepoint")
    status, output = agent.command("savepoint", path)
    assert status == 0, output
    agent.stop()
    for table in ("keyed", "keyless"):
        maria.clickhouse.execute(f"TRUNCATE TABLE `{maria.schema}`.`{table}`")
    agent.start(arguments=["--from-savepoint", path])
    maria.wait_equal()
    assert ".keyed' is read again" in agent.log()


def test_on_another_machine(maria, tmp_path):
    """A directory that never held anything goes on from a savepoint."""
    prepare(maria)
    agent = maria.agent().start()
    agent.wait_streaming()
    maria.wait_equal()
    path = os.path.join(tmp_path, "savepoint")
    assert agent.command("savepoint", path)[0] == 0
    agent.stop()
    change(maria)
    agent.configuration["pipeline"]["checkpoint.directory"] += "-elsewhere"
    before = len(agent.log())
    agent.start(arguments=["--from-savepoint", path])
    maria.wait_equal()
    # A table that is new to the savepoint may be read; those that it knows are not.
    assert ".key" not in "".join(line for line in agent.log()[before:].splitlines()
                                 if "is read again" in line)


def test_retention(maria):
    """Those without a path of their own: the oldest go."""
    import time
    prepare(maria)
    agent = maria.agent(pipeline={"savepoint.num-retained": 2}).start()
    agent.wait_streaming()
    made = []
    for _ in range(3):
        status, output = agent.command("savepoint")
        assert status == 0, output
        made.append(output.strip())
        time.sleep(1.1)  # their names are times
    assert [os.path.exists(path) for path in made] == [False, True, True]


def test_what_cannot_be_gone_back_to(maria, tmp_path):
    prepare(maria)
    agent = maria.agent().start()
    agent.wait_streaming()
    path = os.path.join(tmp_path, "savepoint")
    assert agent.command("savepoint", path)[0] == 0
    agent.stop()
    [name] = os.listdir(path)
    for damage, said in (("flip", "damaged"), ("cut", "damaged"), ("gone", "No such file")):
        file = os.path.join(path, name)
        if damage == "gone":
            os.unlink(file)
        else:
            with open(file, "r+b") as opened:
                data = bytearray(opened.read())
                data[len(data) // 2] ^= 1
                opened.seek(0)
                opened.write(data)
                if damage == "cut":
                    opened.truncate(len(data) // 2)
        agent.start(wait=False, arguments=["--from-savepoint", path])
        assert agent.wait_end() == 2
        assert said in agent.log(1), agent.log(5)
    agent.start()
    maria.execute("INSERT INTO keyless VALUES (6)")
    maria.wait_equal()


def checkpoint(agent, action, *arguments):
    return agent.command(f"checkpoint {action}", *arguments)


def test_checkpoint_as_text(maria, tmp_path):
    """Shown and exported beside the agent, moved to another directory, and gone on from there."""
    prepare(maria)
    agent = maria.agent().start()
    agent.wait_streaming()
    maria.wait_equal()
    path = os.path.join(tmp_path, "state.jsonl")
    status, shown = checkpoint(agent, "show")
    assert status == 0 and ".keyless: version 1, 1 columns, streaming" in shown, shown
    assert "position" in shown and "applied" in shown and "gtid" in shown
    status, shown = checkpoint(agent, "show", "--json")
    [sink] = json.loads(shown)["sinks"]
    assert {"sink", "position", "table", "state"} <= {r["record"] for r in sink["records"]}
    assert checkpoint(agent, "export", path) == (0, "")
    status, output = checkpoint(agent, "import", path, "--force")
    assert status == 2 and "another agent" in output, output
    agent.stop()
    status, text = checkpoint(agent, "export")  # without one, to standard output
    assert status == 0 and json.loads(text.splitlines()[-1])["record"] == "end"
    assert agent.configuration["source"]["password"] not in text
    status, output = checkpoint(agent, "import", path)
    assert status == 2 and "--force" in output and output.count("\n") == 1, output
    change(maria)
    # Older than the target by now, and elsewhere.
    agent.configuration["pipeline"]["checkpoint.directory"] += "-elsewhere"
    agent.write()
    status, output = checkpoint(agent, "import", path)
    assert status == 0, output
    agent.start()
    maria.wait_equal()
    agent.stop()
    agent.start()
    maria.execute("INSERT INTO later VALUES (5)")
    maria.wait_equal()
    agent.stop()
    agent.configuration["pipeline"]["name"] = "another"
    agent.write()
    status, output = checkpoint(agent, "import", path, "--force")
    assert status == 2 and "it is of pipeline '" in output, output
