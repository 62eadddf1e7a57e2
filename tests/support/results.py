# SPDX-License-Identifier: Apache-2.0
"""Prints how many tests passed and failed: results.py meson LOG.json | pytest REPORT.xml."""

import json
import sys
import xml.etree.ElementTree


def of_meson(path):
    passed = failed = 0
    with open(path) as file:
        for line in file:
            result = json.loads(line)["result"]
            if result in ("OK", "EXPECTEDFAIL"):
                passed += 1
            elif result != "SKIP":
                failed += 1
    return passed, failed


def of_pytest(path):
    tree = xml.etree.ElementTree.parse(path).getroot()
    cases = list(tree.iter("testcase"))
    bad = sum(1 for case in cases if any(child.tag in ("failure", "error") for child in case))
    skipped = sum(1 for case in cases if any(child.tag == "skipped" for child in case))
    return len(cases) - bad - skipped, bad


def main():
    kind, path = sys.argv[1:]
    try:
        print(*(of_meson if kind == "meson" else of_pytest)(path))
    except (OSError, ValueError, KeyError, xml.etree.ElementTree.ParseError) as error:
        print(f"no results in {path}: {error}", file=sys.stderr)
        print(0, 1)


if __name__ == "__main__":
    main()
