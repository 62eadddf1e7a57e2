# SPDX-License-Identifier: Apache-2.0
"""Rules of the source text that no compiler checks."""

import os
import re
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Each layer may include the ones named for it, and itself.
LAYERS = {
    "engine/base": (),
    "schema": ("engine/base",),
    "config": ("engine/base",),
    "engine": ("schema", "engine/base"),
    "sources": ("engine", "schema", "engine/base", "config/setting.h"),
    "sinks": ("engine", "schema", "engine/base", "config/setting.h"),
}
DRIVERS = ("sources", "sinks")

BANNED = {
    "strcpy": "copy with a length", "strcat": "use a buf", "sprintf": "use snprintf or a buf",
    "vsprintf": "use vsnprintf or a buf", "gets": "use fgets", "strtok": "use a reader",
    "atoi": "use strtol with its end", "atol": "use strtol with its end",
    "atoll": "use strtoll with its end", "atof": "use strtod with its end",
    "alloca": "use an arena", "setjmp": "return an error", "system": "use a library",
}
# Memory is taken where it is given back; see ARCHITECTURE.md.
ALLOCATION = re.compile(r"\b(malloc|calloc|realloc|strdup|strndup|reallocarray)\s*\(")
ALLOCATION_MODULES = ("engine/base/arena.c", "engine/base/buf.c", "engine/base/map.c",
                      "engine/base/memory.c")


def tracked_files():
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others",
                             "--exclude-standard"], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    names = [name for name in listed.stdout.decode().split("\0") if name]
    return [name for name in names if os.path.isfile(os.path.join(ROOT, name))]


FILES = tracked_files()
C_FILES = [name for name in FILES if name.endswith((".c", ".h"))]
PRODUCT = [name for name in C_FILES if not name.startswith("tests/")]


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8", errors="replace") as file:
        return file.read()


def code_only(text):
    """The text without comments and literals; lines stay where they are."""
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def report(problems):
    assert not problems, "\n" + "\n".join(problems)


def layer_of(name):
    for layer in sorted(LAYERS, key=len, reverse=True):
        if name.startswith(layer + "/"):
            return layer
    return None


def includes(name):
    for number, line in enumerate(read(name).splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if match:
            yield number, match.group(1)


def may_include(name, included):
    layer = layer_of(name)
    if layer in DRIVERS and layer_of(included) == layer:
        # A driver is a folder or a file of its own; the list of all drivers names each of them.
        return name.split("/")[:2] == included.split("/")[:2] or included.count("/") == 1 \
            or name.count("/") == 1
    allowed = LAYERS[layer] + (layer,)
    return included in allowed or layer_of(included) in allowed


def test_layers_are_included_downwards_only():
    report([f"{name}:{number}: {layer_of(name)} must not include {included}"
            for name in PRODUCT if layer_of(name)
            for number, included in includes(name) if not may_include(name, included)])


def test_headers_are_named_from_the_root():
    report([f"{name}:{number}: no such file {included}"
            for name in PRODUCT for number, included in includes(name)
            if not os.path.exists(os.path.join(ROOT, included))])


def test_no_banned_calls():
    problems = []
    for name in PRODUCT:
        for number, line in enumerate(code_only(read(name)).splitlines(), 1):
            for call, instead in BANNED.items():
                if re.search(rf"(?<![\w.>]){call}\s*\(", line):
                    problems.append(f"{name}:{number}: {call}: {instead}")
    report(problems)


def test_memory_is_allocated_by_the_memory_modules():
    report([f"{name}:{number}: {line.strip()}"
            for name in PRODUCT if name not in ALLOCATION_MODULES
            for number, line in enumerate(code_only(read(name)).splitlines(), 1)
            if ALLOCATION.search(line)])


def test_exit_is_for_the_program_alone():
    report([f"{name}:{number}: return an error instead"
            for name in PRODUCT if not name.startswith("agent/")
            for number, line in enumerate(code_only(read(name)).splitlines(), 1)
            if re.search(r"(?<![\w.>])exit\s*\(", line)])


def test_files_are_short():
    report([f"{name}: {count} lines, at most 800"
            for name in C_FILES
            if not name.endswith("charset_tables.c") and not name.startswith("tests/data/")
            for count in [read(name).count("\n")] if count > 800])


def test_lines_are_short():
    report([f"{name}:{number}: {len(line)} columns, at most 100"
            for name in FILES
            if name.endswith((".c", ".h", ".py", ".sh", ".build")) or name in ("quickstart",)
            if not name.endswith("charset_tables.c") and not name.startswith("tests/data/")
            for number, line in enumerate(read(name).splitlines(), 1) if len(line) > 100])


def function_lengths(text):
    """(line, name, length) of each function: a brace in the first column opens its body."""
    lines = code_only(text).splitlines()
    start = None
    for number, line in enumerate(lines, 1):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start is not None:
            head = " ".join(lines[max(0, start - 5):start - 1])
            names = re.findall(r"(\w+)\s*\(", head)
            yield start, names[-1] if names else "?", number - start + 1
            start = None


def test_functions_fit_a_screen():
    report([f"{name}:{line}: {function} has {length} lines, at most 70"
            for name in PRODUCT
            for line, function, length in function_lengths(read(name)) if length > 70])


def test_every_source_names_its_license():
    report([name for name in FILES
            if name.endswith((".c", ".h", ".py", ".sh")) or name in ("quickstart", "tests/run")
            if "SPDX-License-Identifier: Apache-2.0" not in read(name)[:200]])


# Paths of somebody's machine do not belong into the text. The words are put together here so that
# this file is held to the same rule.
MACHINE_PATH = re.compile("|".join(rf"(?<![\w.}}$])/{word}/" for word in
                                   ("wo" "rk", "ro" "ot", "ho" "me/[a-z]", "Us" "ers")))


def test_no_paths_of_a_machine():
    report([f"{name}:{number}: {line.strip()[:90]}"
            for name in FILES if not name.startswith("tests/data/")
            for number, line in enumerate(read(name).splitlines(), 1)
            if MACHINE_PATH.search(line)])


def test_tests_leave_no_temporary_path_behind():
    report([f"{name}:{number}: {line.strip()[:90]}"
            for name in PRODUCT + [f for f in FILES if f.startswith(("tests/", "quickstart"))]
            if not name.startswith("tests/data/") and not name.startswith("tests/unit/")
            for number, line in enumerate(read(name).splitlines(), 1)
            if re.search(r"(?<![\w.}$])/" r"tmp/", line)])


@pytest.mark.parametrize("document", [n for n in FILES if n.endswith(".md")])
def test_links_of_documents_lead_somewhere(document):
    problems = []
    for target in re.findall(r"\]\(([^)#\s]+)", read(document)):
        if "://" in target or target.startswith("mailto:"):
            continue
        if not os.path.exists(os.path.join(ROOT, os.path.dirname(document), target)):
            problems.append(f"{document}: {target} does not exist")
    report(problems)


def test_c_files_are_built():
    builds = {os.path.dirname(name): read(name) for name in FILES
              if name.endswith("meson.build")}
    problems = []
    for name in C_FILES:
        if not name.endswith(".c") or name.startswith("tests/support/"):
            continue
        folder, file = os.path.split(name)
        stem = file[:-2]
        stem = stem[5:] if stem.startswith(("test_", "fuzz_")) else stem
        if not re.search(rf"['/]{re.escape(stem)}(\.c)?'", builds.get(folder, "")) and \
                not re.search(rf"'{re.escape(file)}'", builds.get(folder, "")):
            problems.append(f"{name} is in no meson.build")
    report(problems)
