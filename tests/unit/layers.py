#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the sources against the layers: layers.py SOURCE NM OBJECT...

A folder of src/ is a layer and a file of it a room. Includes and calls point downwards, no two rooms of
a folder need each other, no two files bear one name, no two types differ by a letter, and
docs/architecture.md lists the rooms as they are. The core reads no clock, socket or file, nothing is
global, and nobody changes a file by its path. OBJECT are the object files of the library and its
modules: what they define and need says who calls whom.
"""
import itertools
import pathlib
import re
import subprocess
import sys

# From the ground up. A transport is a layer beside those above base: it uses base alone.
LAYERS = ["base", "options", "wire", "record", "farm", "engine", "loop", "face"]
SCHEMES = ["sim", "inproc", "tcp", "mpi"]

# The core below the loop may call none of these: they reach out of the process, or differ from run to run.
OUTSIDE = """clock_gettime gettimeofday time clock nanosleep usleep sleep socket bind listen accept connect
    send sendto sendmsg recv recvmsg open openat fopen freopen fdopen read readv write writev poll ppoll
    select epoll_wait fork execv system getrandom rand random srand exit abort signal sigaction""".split()
# Nobody may call these: they change a file by its path, which may lead to another one meanwhile, or
# make a name that can be guessed.
FORBIDDEN = "chmod lchmod fchmodat chown lchown fchown fchownat mktemp tmpnam tmpnam_r tempnam".split()
OUTSIDE_PREFIXES = ("MPI_", "event_", "evutil_", "bufferevent_", "pthread_")
# Files that are written and read below the loop, random bytes for keys, and the clock, which only transports, loop and face may read.
MAY_REACH_OUT = {"base/clock", "base/fork_guard", "base/secret", "record/disk_file", "record/journal_view", "record/key_file",
                 "record/outlet",
                 "record/private_file", "record/resource_file"}
# A signal handler and an exit handler reach nothing but what is global.
MAY_BE_GLOBAL = {"base/fork_guard", "loop/signals", "face/job"}

problems = []


def is_problem(condition, text):
    if condition:
        problems.append(text)


def room_of(path):
    """The folder and the name of a file in a folder of src or transports; else the whole path."""
    parts = path.with_suffix("").parts
    return "/".join(parts[1:] if len(parts) == 3 else parts)


def folder_of(room):
    return room.rpartition("/")[0]


def rooms(source):
    """Room -> its files, relative to the source."""
    result = {}
    for top in ["src", "transports"]:
        for file in sorted((source / top).rglob("*.[ch]")):
            path = file.relative_to(source)
            if path.parts[1] not in ("fortran", "tools"):
                result.setdefault(room_of(path), []).append(path)
    return result


def includes(source, files, known):
    """The rooms whose headers the files include."""
    found = set()
    for path in files:
        for name in re.findall(r'^#include "([^"]+)"', (source / path).read_text(), re.M):
            inner = name.removesuffix(".h")
            room = inner if "/" in name else "/".join([*room_of(path).split("/")[:-1], inner])
            is_problem(room not in known, f"{path} includes \"{name}\", which is no room's header")
            found.add(room)
    return found


def room_of_object(name):
    """build/src/CMakeFiles/mw_core.dir/base/map.c.o -> base/map; NAME.dir/conn.c.o of a scheme -> tcp/conn."""
    target, inner = re.search(r"CMakeFiles/mw_(\w+)\.dir/(.+)\.c\.o$", name).groups()
    parts = [part for part in inner.split("/") if part not in (".", "..", "__", "src")]
    return "/".join(parts if len(parts) == 2 else [target, *parts])


def symbols(nm, objects):
    """Room -> the symbols that it defines, and those that it needs."""
    defined, needed = {}, {}
    for name in objects:
        text = subprocess.run([nm, "-g", name], capture_output=True, text=True, check=True).stdout
        for line in text.splitlines():
            kind, symbol = line.split()[-2:]
            where = needed if kind in "Uwv" else defined
            where.setdefault(room_of_object(name), set()).add(symbol)
    return defined, needed


def check_forbidden(nm, objects):
    for room, names in symbols(nm, objects)[1].items():
        for name in FORBIDDEN:
            is_problem(name in names, f"{room} calls {name}, which nobody may")


def calls(nm, objects):
    """Room -> the rooms whose symbols it needs."""
    defined, needed = symbols(nm, objects)
    owner = {symbol: room for room, names in defined.items() for symbol in names}
    return {room: {owner[name] for name in names if name in owner} for room, names in needed.items()}


def may_use(room, other):
    mine, theirs = folder_of(room), folder_of(other)
    if other == "base/clock":
        return mine in [*SCHEMES, "loop", "face"]
    if mine in SCHEMES:
        return theirs in (mine, "base")
    if room == "transports/registry":
        return theirs in SCHEMES
    if other == "transports/registry":
        return mine == "face"
    return theirs in LAYERS and LAYERS.index(theirs) <= LAYERS.index(mine)


def circles(uses):
    """The sets of rooms that need each other."""
    def reached(start):
        seen, todo = set(), [start]
        while todo:
            for other in uses.get(todo.pop(), ()):
                if other not in seen:
                    seen.add(other)
                    todo.append(other)
        return seen
    reach = {room: reached(room) for room in uses}
    return {frozenset(other for other in reach[room] if room in reach.get(other, ())) for room in uses
            if room in reach[room]}


def check_directions(source, nm, objects, known):
    uses = {room: includes(source, files, known) - {room} for room, files in known.items()}
    for room, others in calls(nm, objects).items():
        uses.setdefault(room, set()).update(others - {room})
    for room, others in sorted(uses.items()):
        for other in sorted(others):
            is_problem(not may_use(room, other), f"{room} uses {other}, which is not below it")
    for circle in circles(uses):
        problems.append(f"these rooms need each other: {', '.join(sorted(circle))}")


def check_names(known):
    seen = {}
    for room in known:
        name = room.rpartition("/")[2]
        is_problem(name in seen, f"{room} and {seen.get(name)} bear one name")
        seen[name] = room


def is_near(one, other):
    """Whether two names differ by one letter, or by the i of an internal name."""
    if len(one) == len(other):
        return sum(a != b for a, b in zip(one, other)) == 1
    short, long = sorted((one, other), key=len)
    return len(long) == len(short) + 1 and any(long[:i] + long[i + 1:] == short for i in range(len(long)))


def check_types(source, known):
    """No two types differ by a letter: who reads mwi_slave must not wonder whether mw_slave was meant."""
    files = [path for paths in known.values() for path in paths]
    files += [path.relative_to(source) for path in source.glob("include/mw/*.h")]
    names = set()
    for path in files:
        text = (source / path).read_text()
        names.update(re.findall(r"^(?:typedef )?(?:struct|enum|union) (mwi?_\w+) \{", text, re.M))
        names.update(re.findall(r"^\} (mw_\w+);", text, re.M))
    for one, other in itertools.combinations(sorted(names), 2):
        is_problem(is_near(one, other), f"the types {one} and {other} differ by a letter")


def code_of(text):
    """Without comments and literals."""
    return re.sub(r'/\*.*?\*/|"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'', " ", text, flags=re.S)


def check_core(source, known):
    for room, files in known.items():
        if folder_of(room) not in LAYERS or folder_of(room) in ("loop", "face") or room in MAY_REACH_OUT:
            continue
        for path in files:
            for name in re.findall(r"(?<![\w.>])(\w+)\s*\(", code_of((source / path).read_text())):
                is_outside = name in OUTSIDE or name.startswith(OUTSIDE_PREFIXES)
                is_problem(is_outside, f"{path} calls {name}, which the core does not")


def check_no_global_state(source, known):
    for room, files in known.items():
        if room in MAY_BE_GLOBAL:
            continue
        for path in files:
            for line in code_of((source / path).read_text()).splitlines():
                is_state = line.startswith("static ") and line.endswith(";") and "(" not in line
                is_problem(is_state and "const" not in line, f"{path} has state of the whole process: {line}")


def check_drawing(source, known):
    """docs/architecture.md lists each folder's rooms in a row of its table: | base | block, buffer | ... |"""
    text = (source / "docs/architecture.md").read_text()
    for folder in LAYERS:
        row = re.search(rf"^\| {folder} \|([^|]*)\|", text, re.M)
        drawn = set(re.findall(r"\w+", row.group(1))) if row else set()
        there = {room.rpartition("/")[2] for room in known if folder_of(room) == folder}
        is_problem(drawn != there, f"docs/architecture.md: the rooms of {folder} are {', '.join(sorted(there))}; "
                                   f"its table differs by {', '.join(sorted(drawn ^ there))}")


def main():
    source, nm, objects = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
    known = rooms(source)
    check_names(known)
    check_types(source, known)
    check_directions(source, nm, objects, known)
    check_core(source, known)
    check_forbidden(nm, objects)
    check_no_global_state(source, known)
    check_drawing(source, known)
    print("\n".join(problems) or f"{len(known)} rooms, each where it belongs")
    return bool(problems)


sys.exit(main())
