#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the C sources against the dialect that CONTRIBUTING.md describes: dialect.py SOURCE [FOLDER...]

Without FOLDER it holds all folders of FOLDERS against it. It prints "file:line: what is wrong", and exits 1 if
anything is. A rule is a function of RULES: it is given a File and the Tree, and calls problem(). A rule has no
false alarms: where the text alone does not tell, it stays silent. test_dialect.py has a case for each rule.
"""
import pathlib
import re
import sys

import c_source

FOLDERS = ["include", "src", "transports", "examples", "tests"]
COLUMNS_MAX = 100

# One letter is enough for loop counters, and for the names that a formula has in every book.
COUNTERS = {"i", "j"}
FORMULA_NAMES = {"examples/mandelbrot.c": {"x", "y"}, "examples/monte_carlo_pi.c": {"x", "y"}}

# A boolean's name is a statement, so it begins with a verb in the third person.
VERBS = re.compile(r"""(is|has|can|was|had|are|may|must|shall|does|goes|takes|wants|needs|waits|sleeps|starts|ends
    |holds|fits|fails|returns|opens|closes|polls|keeps|ran)(_|$)""", re.X)
# Booleans that programs of users name.
PUBLIC_BOOLEANS = {"master_gone", "shutdown"}

# Words that make a sentence a riddle; CONTRIBUTING.md says what to write instead.
RIDDLES = re.compile(r"\b((?<!there )(is|are) none|so many|of which|it is said|he who|those who|one who)\b", re.I)
# A sentence that begins with What or Who, and asks nothing.
RIDDLE_STARTS = re.compile(r"(?:^|[.:;])\s+((?:What|Who|Whoever|Whatever)\s[^.?!]*)[.]")

problems = []


def problem(file, line, what):
    problems.append((str(file.path), line, what))


# A number with a fraction in a format, as "%.1f".
FRACTION = re.compile(r'"[^"]*%[-+ #0]*[0-9*]*(?:\.[0-9*]+)?[aefgAEFG](?!\w)')
# The room that writes such numbers, and a table whose letters mean something else.
MAY_WRITE_FRACTIONS = {"src/base/decimal.c", "src/record/audit.c"}

# Rules of the text.

def check_lines(file, tree):
    if not file.lines[0].startswith("/* SPDX-License-Identifier: Apache-2.0"):
        problem(file, 1, "the first line is not /* SPDX-License-Identifier: Apache-2.0")
    for i, line in enumerate(file.lines, 1):
        if line != line.rstrip():
            problem(file, i, "spaces at the end of the line")
        if "\t" in line:
            problem(file, i, "a tab")


def check_fractions(file, tree):
    """The library's sentences have a decimal point in every locale."""
    if file.path.parts[0] not in ("src", "transports") or str(file.path) in MAY_WRITE_FRACTIONS:
        return
    for i, line in enumerate(file.lines, 1):
        if file.path.suffix == ".c" and FRACTION.search(line):
            problem(file, i, "a number with a fraction, which base/decimal writes")


def check_comments(file, tree):
    for first, text in file.comments:
        if text.startswith("//"):
            problem(file, first, "a // comment, where /* */ is written")
        for i, line in enumerate(text.split("\n"), first):
            if re.search(r"[-=*#~_]{4}", line) and not re.search(r"\w", line):
                problem(file, i, "a banner")
            if re.search(r"\b(TODO|FIXME|XXX)\b", line):
                problem(file, i, "a note about something that is still to be done")
            if len(file.lines[i - 1]) > COLUMNS_MAX:
                problem(file, i, f"a comment of more than {COLUMNS_MAX} columns")


def check_riddles(file, tree):
    for first, text in file.comments:
        # The frame of the comment becomes spaces, so that each sentence is on one line and places stay.
        plain = re.sub(r"\n[ *]*|^/\*|\*/$", lambda match: " " * len(match.group()), text)
        found = [match.span(1) for match in [*RIDDLES.finditer(plain), *RIDDLE_STARTS.finditer(plain)]]
        for begin, end in found:
            line = first + text.count("\n", 0, begin)
            problem(file, line, f'"{" ".join(plain[begin:end].split())}" reads as a riddle')


def check_opening(file, tree):
    """A .c says its job before it includes anything."""
    if file.path.suffix != ".c":
        return
    opening = "".join(text for line, text in file.comments[:2] if line <= 3)
    words = [line for line in opening.split("\n")[1:] if re.search(r"\w", line)]
    if len(words) < 2:
        problem(file, 1, "opens with less than two lines about its job")


def without_scheme(path):
    """The file's name; transports/sim/sim_disk.c counts as disk, because base has a room of that name."""
    return path.stem.removeprefix(path.parts[-2] + "_") if path.parts[0] == "transports" else path.stem


def check_guard(file, tree):
    """MWI_NAME_H; of a transport MWI_TCP_NAME_H, of include/mw MW_NAME_H, of tests MWT_NAME_H."""
    if file.path.suffix != ".h":
        return
    parts = file.path.parts
    top = {"include": "MW", "tests": "MWT"}.get(parts[0], "MWI")
    names = [top, *parts[1:-1]] if parts[0] == "transports" else [top]
    name = without_scheme(file.path).removeprefix("mwt_")
    if name != names[-1]:
        names.append(name)
    guard = "_".join(names).upper() + "_H"
    if f"#ifndef {guard}\n#define {guard}\n" not in file.text:
        problem(file, 1, f"the header's guard is not {guard}")


# Rules of the code.

def block_starts(file, function):
    """The first tokens of a function and of the blocks in it."""
    yield function.begin
    for i in range(function.begin, function.end):
        if file.tokens[i] == "{" and file.tokens[i - 1] in (")", "else", "do"):
            yield i + 1


def check_first_declarations(file, tree):
    """No blank line after the first declarations of a block, unless a comment begins a paragraph there.

    Tests are free to part arranging, acting and asserting.
    """
    if file.path.parts[0] == "tests" and file.path.parts[1] not in ("bench", "fuzz", "lib"):
        return
    for function in tree.functions[file.path]:
        for begin in block_starts(file, function):
            i = begin
            while i < function.end:
                declaration = c_source.read_declaration(file, i)
                if declaration is None or file.tokens[declaration[1]] != ";":
                    break
                i = declaration[1] + 1
            if i == begin or i >= function.end:
                continue
            line = file.line_of(i - 1)
            if file.lines[line].strip() == "" and not file.lines[line + 1].lstrip().startswith("/*"):
                problem(file, line + 1, "a blank line after declarations where no paragraph begins")


def check_sizeof(file, tree):
    """sizeof has parentheses around a type alone."""
    for i, token in enumerate(file.tokens[:-1]):
        if token != "sizeof" or file.tokens[i + 1] != "(":
            continue
        begin, end = i + 2, file.partners.get(i + 1, i + 2)
        inner = file.tokens[begin:end]
        is_variable = inner[0] in tree.variables_at(file, i)
        is_expression = is_variable or inner[0] in ("*", "&") or "->" in inner or "." in inner
        is_longer = file.tokens[end + 1] in ("->", ".", "[", "{")
        if is_expression and not is_longer:
            problem(file, file.line_of(i), f"sizeof({file.text_of(begin, end)}) has parentheses around an expression")


def check_conditions(file, tree):
    """A condition is a boolean or a comparison. int is_... is one too: MPI's functions set such flags."""
    for function in tree.functions[file.path]:
        for begin, end in set(c_source.conditions(file, function)):
            if begin >= end or tree.kind(file, function, begin, end) != "number":
                continue
            text = file.text_of(begin, end)
            if not VERBS.match(text):
                problem(file, file.line_of(begin), f'"{text}" is no boolean; compare it with 0, NULL or MW_OK')


def declared(file, tree):
    """The parameters, local variables and members of a file."""
    for function in tree.functions[file.path]:
        yield from function.parameters
        yield from function.locals
    yield from tree.members[file.path]


def check_letters(file, tree):
    allowed = COUNTERS | FORMULA_NAMES.get(str(file.path), set())
    for variable in declared(file, tree):
        if len(variable.name) == 1 and variable.name not in allowed:
            problem(file, file.line_of(variable.token), f'"{variable.name}" is a name of one letter')


def check_booleans(file, tree):
    for variable in declared(file, tree):
        is_boolean = variable.kind() == "bool" and not variable.is_function
        if is_boolean and not VERBS.match(variable.name) and variable.name not in PUBLIC_BOOLEANS:
            problem(file, file.line_of(variable.token), f'"{variable.name}" is a boolean: is_, has_, can_, ...')


def own_prefixes(path):
    """The prefixes that the functions of a .c of the library may bear, from its name and its folder.

    src/options/help.c: mwi_help, mwi_options. src/face/master_open.c: mwi_master_open, mwi_master, mwi_face.
    transports/tcp/conn.c: mwi_tcp_conn. transports/tcp/tcp.c: mwi_tcp. transports/sim/sim_disk.c: mwi_sim_disk.
    """
    name, folder = without_scheme(path), path.parts[-2]
    if path.parts[0] == "transports" and len(path.parts) == 3:
        return [f"mwi_{folder}" if name == folder else f"mwi_{folder}_{name}"]
    words = name.split("_")
    families = ["_".join(words[:count]) for count in range(len(words), 0, -1)]
    return [f"mwi_{each}" for each in [*families, folder]]


def check_symbols(file, tree):
    """A function that other files may call bears the name of its file; a room may be a plural of it."""
    if file.path.parts[0] not in ("src", "transports") or file.path.parts[1] == "tools" or file.path.suffix != ".c":
        return
    prefixes = own_prefixes(file.path)
    own = re.compile(rf"(mw|({'|'.join(prefixes)})s?)(_|$)")
    for function in tree.functions[file.path]:
        if "static" not in function.words and not own.match(function.name):
            problem(file, file.line_of(function.token), f"{function.name} does not begin with {prefixes[0]}_")


RULES = [check_lines, check_fractions, check_comments, check_riddles, check_opening, check_guard, check_first_declarations,
         check_sizeof, check_conditions, check_letters, check_booleans, check_symbols]


def main():
    source, folders = pathlib.Path(sys.argv[1]), sys.argv[2:] or FOLDERS
    tree = c_source.Tree(source, FOLDERS)
    chosen = [file for file in tree.files if any(file.path.is_relative_to(folder) for folder in folders)]
    for file in chosen:
        for rule in RULES:
            rule(file, tree)
    for path, line, what in sorted(problems):
        print(f"{path}:{line}: {what}")
    print(f"{len(chosen)} files, {len(problems)} places that are not in the dialect")
    return bool(problems) or not chosen


sys.exit(main())
