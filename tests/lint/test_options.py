# SPDX-License-Identifier: Apache-2.0
"""The reference of options that the program prints, against the tables in the source."""

import glob
import os
import re
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("MILLRACE_BIN", os.path.join(ROOT, "build", "millrace"))


def reference():
    done = subprocess.run([BINARY, "options"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=True)
    return done.stdout


def declared():
    """Names of the settings in the tables of the source."""
    names = set()
    for folder in ("agent", "config", "sources", "sinks", "engine"):
        for path in glob.glob(os.path.join(ROOT, folder, "**", "*.c"), recursive=True):
            with open(path) as file:
                text = file.read()
            for match in re.finditer(r'\{\s*(?:\.name\s*=\s*)?"([a-z][a-z0-9.-]*)"\s*,\s*'
                                     r"(?:\.type\s*=\s*)?SETTING_", text):
                names.add(match.group(1))
    return names


def test_every_declared_option_is_in_the_reference():
    text, names = reference(), declared()
    assert len(names) > 20, "the tables of settings were not found in the source"
    missing = sorted(name for name in names if name not in text)
    assert not missing, f"`millrace options` does not print: {missing}"


def test_the_reference_says_default_and_help_of_each():
    text = reference()
    for word in ("scan.startup.mode", "checkpoint.interval", "http.listen", "hostname"):
        assert word in text
    # No secret has a default that is printed.
    assert not re.search(r"password\s*[:=]\s*\S*secret", text)


def test_options_of_the_readme_exist():
    readme = os.path.join(ROOT, "README.md")
    with open(readme) as file:
        blocks = re.findall(r"```ya?ml\n(.*?)```", file.read(), re.S)
    assert blocks, "README.md shows no configuration"
    text = reference()
    known = {"source", "sources", "sink", "sinks", "route", "transform", "pipeline", "name", "type",
             "sink-table", "source-table", "replace-symbol", "description"}
    unknown = []
    for block in blocks:
        for match in re.finditer(r"^\s*(?:- )?([a-z][a-z0-9.-]*):", block, re.M):
            if match.group(1) not in known and match.group(1) not in text:
                unknown.append(match.group(1))
    assert not unknown, f"README.md shows options that do not exist: {unknown}"
