#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the documents against the sources: documents.py SOURCE CTEST BUILD COMPILER [FLAG...]

Examples compile, links lead somewhere, files that are named exist, and what the documents say of errors, sentences, audit records,
states and tests is what the sources say. CTEST lists the tests of the folder BUILD; "" if some are missing on purpose.
"""
import pathlib
import re
import subprocess
import sys

source = pathlib.Path(sys.argv[1])
ctest, build = sys.argv[2:4]
compiler = sys.argv[4:]
problems = []
PROMISES = {"docs/security.md": 12, "docs/reliability.md": 11}


def read(path):
    return (source / path).read_text()


def code_of(document, language):
    return re.findall(rf"^```{language}\n(.*?)^```", read(document), re.S | re.M)


def check_compiles(document, code):
    flags = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wno-unused-function", "-D_GNU_SOURCE"]
    command = [*compiler, *flags, "-fsyntax-only", "-x", "c", f"-I{source}/include", "-"]
    run = subprocess.run(command, input=code, text=True, capture_output=True)
    if run.returncode != 0:
        problems.append(f"{document}: an example does not compile:\n{run.stderr}")


def check_examples():
    (readme,) = code_of("README.md", "c")
    check_compiles("README.md", readme)
    headers = ["poll.h", "stdio.h", "stdlib.h", "string.h", "mw/embed.h", "mw/mw.h", "mw/sim.h",
               "mw/stats.h"]
    includes = "".join(f"#include <{header}>\n" for header in headers)
    check_compiles("docs/guide.md", includes + "".join(code_of("docs/guide.md", "c")))


def check_survive():
    """The guide quotes the script that it explains."""
    script = read("examples/batch/survive.sh").partition("set -eu\n\n")[2]
    if not script or "\n\n    " + "    ".join(script.splitlines(keepends=True)) not in read("docs/guide.md"):
        problems.append("docs/guide.md: other lines than examples/batch/survive.sh")


def check_links():
    for document in [*source.glob("*.md"), *source.glob("docs/*.md"), *source.glob("transports/*/*.md")]:
        for link in re.findall(r"\]\(([^)#]+)", document.read_text()):
            if "://" not in link and not (document.parent / link).exists():
                problems.append(f"{document.relative_to(source)}: no such file: {link}")


def prose(file):
    """The text of a document, or the comments of a source, in lines as they stand in the file."""
    text = file.read_text()
    if file.suffix not in (".c", ".h"):
        return text
    parts = re.split(r"(/\*.*?\*/)", text, flags=re.S)
    return "".join(part if part.startswith("/*") else "\n" * part.count("\n") for part in parts)


def check_paths():
    """A path that a document or a comment names is the end of a file's path; so is, in a comment, the bare
    name of a .c or .py. NAME stands for any name."""
    folders = ["docs", "examples", "include", "src", "tests", "transports"]
    files = [file for folder in folders for file in sorted((source / folder).rglob("*")) if file.is_file()]
    paths = {"/" + "/".join(file.relative_to(source).parts[start:]) for file in files
             for start in range(len(file.relative_to(source).parts))}
    readers = [file for file in [*source.glob("*.md"), *files]
               if file.suffix in (".c", ".h", ".md", ".dot") or file.name == "CMakeLists.txt"]
    for file in readers:
        bare = "" if file.suffix == ".md" else r"|\w+\.(?:c|py)"
        for number, line in enumerate(prose(file).split("\n"), 1):
            for path in re.findall(rf"(?<![\w/.$}}*-])((?:\w[\w-]*/)+[\w-]+\.(?:c|h|py|md|dot){bare})\b", line):
                if "NAME" not in path and "/" + path not in paths:
                    problems.append(f"{file.relative_to(source)}:{number}: no such file: {path}")


def check_errors():
    guide = read("docs/guide.md")
    for name, text in re.findall(r'X\((\w+), +"([^"]+)"\)', read("include/mw/error.h")):
        if f"| `MW_{name}` | {text} |" not in guide:
            problems.append(f"docs/guide.md: the table of errors lacks MW_{name}, {text}")


def literals():
    """All of the sources, with strings that C would join joined."""
    files = [*source.glob("src/*/*.c"), *source.glob("transports/*.c"), *source.glob("transports/*/*.c")]
    text = "\n".join(file.read_text() for file in sorted(files))
    return re.sub(r'"\s+"', "", text).replace('\\"', '"').replace('MWI_OPTION_PREFIX "', '"--mw-')


def check_sentences():
    known = literals()
    table = read("docs/guide.md").partition("## When something goes wrong")[2]
    sentences = re.findall(r"^\| `(.+?)` \|", table, re.M)
    if not sentences:
        problems.append("docs/guide.md: no table of sentences")
    for sentence in sentences:
        for part in sentence.split("..."):
            if len(part) > 4 and part not in known:
                problems.append(f"docs/guide.md: nothing says \"{part}\"")


def audit_rows():
    """The rows of src/record/audit.c's table as they shall stand in docs/audit.md."""
    table = read("src/record/audit.c").replace('" SLAVE_N', 'SLAVE-%s"').replace("SLAVE_N", '"SLAVE-%s"')
    names = {name: (letter, key) for name, letter, key in
             re.findall(r"#define (\w+) \{'(\w)', \"(\w+)\"\}", table)}
    string = r'"((?:[^"\\]|\\.)*)"'
    row = rf"\[MWI_AUDIT_\w+\] =\s+\{{[A-Z]+, {string}, {string},\s+{string},\s+\{{(.*?)\}}\}},\n"
    for subject, event, text, fields in re.findall(row, table, re.S):
        keys = [names.get(name) or (letter, key) for name, letter, key in
                re.findall(r"([A-Z_]+)\b|\{'(\w)', \"(\w+)\"", fields)]
        line = f"{subject} {text}".replace('\\"', '"').replace("SLAVE-%s", "SLAVE-N")
        for letter, key in keys:
            line = line.replace("%" + letter, key.upper())
        yield f"| `{event}` | `{line}` | {', '.join(f'`{key}`' for _, key in keys)} |"


def check_audit():
    document = read("docs/audit.md")
    rows = list(audit_rows())
    for row in rows:
        if row not in document:
            problems.append(f"docs/audit.md: lacks {row}")
    if len(set(rows)) != len(re.findall(r"^\| `[\w-]+` \| `", document, re.M)):
        problems.append("docs/audit.md: has an event that src/record/audit.c has not, or one twice")
    if len(rows) != read("src/record/audit.c").count("[MWI_AUDIT_") - 1:
        problems.append("tests/unit/documents.py does not understand src/record/audit.c any more")


def check_states():
    code, drawing = read("src/record/state.c"), read("docs/states.dot")
    for kind in "slave", "task":
        rows = re.findall(rf"\[MWI_{kind.upper()}_(\w+)\] =\s+([TO(][^,]*),", code)
        moves = {(start.lower(), end.lower()) for start, ends in rows
                 for end in re.findall(rf"MWI_{kind.upper()}_(\w+)", ends)}
        drawn = drawing.partition(f"cluster_{kind} ")[2].partition("}")[0]
        if not moves or moves != set(re.findall(r"(\w+) -> (\w+)", drawn)):
            problems.append(f"docs/states.dot: other moves of a {kind} than src/record/state.c")


def check_from_cl_mw():
    """No cell is empty, and the tests that are named are there."""
    document = read("docs/from-cl-mw.md")
    cases = {f"{file.parent.name}/{file.stem.removeprefix('test_')}":
             re.findall(r'\{"([^"]+)", test_', file.read_text())
             for file in source.glob("tests/*/*.c")}
    for row in re.findall(r"^\|.*", document, re.M):
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
        if len(cells) != 4 or not all(cells):
            problems.append(f"docs/from-cl-mw.md: not four full cells: {row}")
        for kind, program, names in re.findall(r"`(integration|test)_(\w+)`: ([^|`]+)", row):
            files = [f"integration/{program}"]
            if kind == "test":
                files = [f"unit/{program}", f"transport/{program}_addresses"]
            known = [case for file in files for case in cases.get(file, [])]
            for name in names.strip().rstrip(";").split("; "):
                if name not in known:
                    problems.append(f"docs/from-cl-mw.md: {program} has no test \"{name}\"")


def check_promises():
    """Each promise names tests: those that ctest runs, and of a C program perhaps some of its cases."""
    command = [ctest, "-N", "-C", "soak", "--test-dir", build]
    listed = subprocess.run(command, text=True, capture_output=True, check=True).stdout
    tests = set(re.findall(r"Test +#\d+: (\S+)", listed))
    for document, count in PROMISES.items():
        check_rows(document, count, tests)


def check_rows(document, count, tests):
    rows = re.findall(r"^\| (\d+) \|[^|]+\|([^|]+)\|$", read(document), re.M)
    if [int(number) for number, _ in rows] != list(range(1, count + 1)):
        problems.append(f"{document}: not {count} promises in order")
    for number, cell in rows:
        named = re.findall(r"`(\w+)`(?:: ([^`]+))?", cell)
        if not named:
            problems.append(f"{document}: promise {number} has no test")
        for test, cases in named:
            if test not in tests:
                problems.append(f"{document}: promise {number}: ctest has no {test}")
            known = cases_beside(test) if cases else []
            for case in re.split(r"; ", cases.strip().rstrip(";,.")) if cases else []:
                if case not in known:
                    problems.append(f"{document}: promise {number}: {test} has no test \"{case}\"")


def cases_beside(test):
    """The cases of all C files in the folders where the program of this test may be."""
    folders = {"integration": ["integration"], "fuzz": ["fuzz"]}.get(test.partition("_")[0], ["unit", "transport"])
    return [case for folder in folders for file in source.glob(f"tests/{folder}/*.c")
            for case in re.findall(r'\{"([^"]+)",\s*test_', file.read_text())]


check_examples()
check_from_cl_mw()
check_survive()
check_links()
check_paths()
check_errors()
check_sentences()
check_audit()
check_states()
if ctest:
    check_promises()
print("\n".join(problems) or "the documents agree with the sources")
sys.exit(bool(problems))
