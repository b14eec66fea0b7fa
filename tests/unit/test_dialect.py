#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests dialect.py: each rule finds its fault, and is silent where there is none: test_dialect.py FOLDER

Each case is a tree of one file in FOLDER, which is emptied. To add a rule, add what it shall find to FAULTS,
and what is easily mistaken for that to GOOD.
"""
import pathlib
import shutil
import subprocess
import sys

OPENING = """/* SPDX-License-Identifier: Apache-2.0
 *
 * The room of the example.
 * It has two lines about its job.
 */
"""

# The file, its code behind the opening, and the lines and words that are printed about it.
FAULTS = [
    ("tests/unit/test_x.c", "int number;  \n", [(6, "spaces at the end")]),
    ("tests/unit/test_x.c", "int\tnumber;\n", [(6, "a tab")]),
    ("tests/unit/test_x.c", "int number; // how many\n", [(6, "//")]),
    ("tests/unit/test_x.c", "/* ------------- */\n", [(6, "a banner")]),
    ("tests/unit/test_x.c", "/* Count them. TODO */\n", [(6, "still to be done")]),
    ("tests/unit/test_x.c", "/* " + 96 * "a" + " */\n", [(6, "more than 100 columns")]),
    ("tests/unit/test_x.c", "/* Counts them.\n * What is left is wrong. */\n", [(7, '"What is left is wrong"')]),
    ("tests/unit/test_x.c", "/* The name, NULL of one that\n * is none. */\n", [(7, '"is none"')]),
    ("src/base/x.c", "static void f(double number)\n{\n    g(\"%s: %.1f s\", number);\n}\n", [(8, "base/decimal")]),
    ("src/base/x.h", "#ifndef X_H\n#define X_H\n#endif\n", [(1, "guard is not MWI_X_H")]),
    ("transports/tcp/x.h", "#ifndef MWI_X_H\n#define MWI_X_H\n#endif\n", [(1, "guard is not MWI_TCP_X_H")]),
    ("src/base/x.c", "static void f(void)\n{\n    int number = 1;\n\n    g(number);\n}\n", [(9, "a blank line")]),
    ("src/base/x.c", "static void f(void)\n{\n    while (g()) {\n        int number = 1;\n\n        g(number);\n    }\n}\n",
     [(10, "a blank line")]),
    ("src/base/x.c", "static void f(int number)\n{\n    g(sizeof(number));\n}\n", [(8, "sizeof(number)")]),
    ("src/base/x.c", "static void f(mw_error error)\n{\n    if (error)\n        g();\n}\n", [(8, '"error"')]),
    ("src/base/x.c", "static int f(char *text)\n{\n    return is_new && !text;\n}\n", [(8, '"text"')]),
    ("src/base/x.c", "static int f(char *text)\n{\n    return *text ? 1 : 0;\n}\n", [(8, '"*text"')]),
    ("src/base/x.c", "struct room { int seats; };\nstatic void f(struct room *room)\n{\n"
                     "    while (room->seats)\n        g();\n}\n", [(9, '"room->seats"')]),
    ("src/base/x.c", "static void f(int flags)\n{\n    if (flags & 1)\n        g();\n}\n", [(8, '"flags & 1"')]),
    ("src/base/x.c", "static void f(char *a)\n{\n    if (!strcmp(a, 0))\n        g();\n}\n",
     [(6, "one letter"), (8, "strcmp(a, 0)")]),
    ("src/base/x.c", "static void f(void)\n{\n    for (int n = 0; n < 9; n++)\n        g();\n}\n",
     [(8, '"n" is a name of one letter')]),
    ("src/base/x.c", "struct room {\n    bool roomy;\n};\n", [(7, '"roomy" is a boolean')]),
    ("src/base/x.c", "void mwi_y_open(void)\n{\n}\n", [(6, "mwi_y_open does not begin with mwi_x_")]),
    ("transports/tcp/x.c", "void mwi_x_open(void)\n{\n}\n", [(6, "mwi_x_open does not begin with mwi_tcp_x_")]),
]

GOOD = [
    ("src/base/x.c", "/* As %g. */\nstatic void f(int number)\n{\n    g(\"%d %zu %.200s 5%%\", number);\n}\n"),
    ("tests/unit/test_x.c", "static void f(double number)\n{\n    g(\"%g\", number);\n}\n"),
    ("src/base/x.h", "#ifndef MWI_X_H\n#define MWI_X_H\n/* False if there is none. What then? */\n#endif\n"),
    ("include/mw/x.h", "#ifndef MW_X_H\n#define MW_X_H\n#endif\n"),
    ("transports/tcp/tcp.h", "#ifndef MWI_TCP_H\n#define MWI_TCP_H\n#endif\n"),
    ("src/base/x.c", "static void f(void)\n{\n    int number = 1;\n\n    /* Now. */\n    g(number);\n}\n"),
    ("tests/unit/test_x.c", "static void f(void)\n{\n    int number = 1;\n\n    g(number);\n}\n"),
    ("src/base/x.c", "static void f(int number)\n{\n    g(sizeof(int) + sizeof number + sizeof(mw_task));\n}\n"),
    ("src/base/x.c", "static void f(bool is_new, char *text)\n{\n    if (!is_new && text != NULL)\n        g();\n}\n"),
    ("src/base/x.c", "static void f(bool *is_new)\n{\n    if (*is_new || h(is_new))\n        g();\n}\n"),
    ("src/base/x.c", "static int f(int count)\n{\n    return count > 0 ? count & 1 : 0;\n}\n"),
    ("src/base/x.c", "static void f(void)\n{\n    for (int i = 0; i < 9; i++)\n        g(\"// TODO\");\n}\n"),
    ("src/base/x.c", "void mwi_x_open(void)\n{\n}\n\nbool mw_noun_verb(void)\n{\n    return true;\n}\n"),
    ("src/options/x.c", "void mwi_options_open(void)\n{\n}\n"),
]


def run(folder, name, text):
    """The exit status, and the lines that are printed about the file, of a tree of one file."""
    shutil.rmtree(folder, ignore_errors=True)
    file = folder / name
    file.parent.mkdir(parents=True)
    file.write_text(text)
    script = pathlib.Path(__file__).with_name("dialect.py")
    done = subprocess.run([sys.executable, script, folder], capture_output=True, text=True)
    return done.returncode, done.stdout.splitlines()[:-1], done.stderr


def is_found(lines, name, expected):
    return len(lines) == len(expected) and all(
        line.startswith(f"{name}:{number}: ") and words in line for line, (number, words) in zip(lines, expected))


def main():
    folder = pathlib.Path(sys.argv[1])
    cases = [(name, OPENING + code, found) for name, code, found in FAULTS]
    cases += [(name, OPENING + code, []) for name, code in GOOD]
    cases += [("src/base/x.c", "/* The room. */\nint number;\n", [(1, "opens with"), (1, "first line")]),
              ("src/base/x.c", OPENING.replace(" * It has two lines about its job.\n", ""), [(1, "opens with")])]
    failed = 0
    for name, text, expected in cases:
        status, lines, errors = run(folder, name, text)
        if not is_found(lines, name, expected) or status != bool(expected) or errors:
            print(f"{name} with\n{text}\nis said to have {lines}, expected {expected}\n{errors}")
            failed += 1
    print(f"{len(cases)} cases, {failed} failed")
    return failed != 0


sys.exit(main())
