#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts the instructions that a task costs, and compares them with what was recorded.

Every farm runs under valgrind's callgrind with two numbers of tasks, and the difference is divided
by the difference: setting up and shutting down cancels. A simulated farm gives the same count in
every run; one of two processes over a socket differs by a hundredth, since what comes together
depends on time, and is run again before it is blamed. Counts depend on the compiler, so they are
recorded for each in instructions.json; without a record the exit status is 77, "skipped".

Four rows are the parts of the first, so that a loss has an address: what the master does to submit
a task; to choose groups and write their messages (mwi_dispatch_all); for its result, from reading
the message until it is handed out; and all that the slaves do. The rest is the simulated world.

A count that is more than 10 % above the recorded one fails. If that is wanted, record it anew:

    cmake --build build --target bench_record
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass

HERE = pathlib.Path(__file__).resolve().parent
RECORDS = HERE / "instructions.json"
TOLERANCE = 0.10
TRIES = 3
SKIPPED = 77
TIMEOUT_S = 300

SIM = ("sim_tasks", "--workers", "4")
LOCAL = ("mw_bench", "--mw-local", "1", "--mw-quiet", "--workers", "1")
# A master and a slave that find each other by a resource file in $FOLDER.
PAIR = ("sh", "-c", """
    "$0" "$@" --mw-resource-file "$FOLDER/farm.rsc" --mw-slave &
    "$0" "$@" --mw-resource-file "$FOLDER/farm.rsc" --mw-master --mw-master-host 127.0.0.1
    status=$?
    wait $! && exit $status
    """)
GROUP_64 = ("--mw-slave-task-group", "64", "--mw-slave-result-group", "64")
TLS = ("mw_bench", "--mw-quiet", "--workers", "1")
LATENCY = ("--mode", "latency")
LARGE = ("--bytes", "65536")

# The C library chooses how it copies by what the processor can do; so all processors are alike.
# With "rep movsb", for one, callgrind counts an instruction for each byte. OpenSSL chooses likewise
# how it encrypts: here with AES and multiplication instructions and SSSE3, but without AVX.
TUNABLES = "glibc.cpu.hwcaps=-ERMS,-FSRM,-AVX2,-AVX_Fast_Unaligned_Load,-AVX512F,-AVX512VL"
OPENSSL = "~0x1000000000000000:0x0"

# How callgrind counts one part: what sim_tasks marks, or a function with all that it calls. Marks
# and function together count what is marked except the function.
MARKED = ("--collect-atstart=no",)
DISPATCH = ("--toggle-collect=mwi_dispatch_all",)


def part(number):
    """Of enum mwt_sim_part_kind in sim_part.h."""
    return SIM + ("--part", str(number))


@dataclass(frozen=True)
class Farm:
    """What is run, with which two numbers of tasks, and what callgrind counts of it."""

    command: tuple
    few: int
    many: int
    counting: tuple = ()
    is_pair: bool = False  # run as a master and as a slave over TCP


FARMS = {
    "W1, simulated, defaults": Farm(SIM, 10000, 20000),
    "W1, simulated: submit": Farm(part(1), 10000, 20000, MARKED),
    "W1, simulated: dispatch": Farm(SIM, 10000, 20000, DISPATCH),
    "W1, simulated: slave": Farm(part(3), 10000, 20000, MARKED),
    "W1, simulated: result": Farm(part(2), 10000, 20000, DISPATCH),
    "W1, simulated, groups of 64": Farm(SIM + ("--group", "64"), 10000, 20000),
    "W3, simulated": Farm(SIM + LATENCY, 2000, 4000),
    "W1, local socket, defaults": Farm(LOCAL, 10000, 20000),
    "W1, local socket, groups of 64": Farm(LOCAL + GROUP_64, 10000, 20000),
    "W2, local socket": Farm(LOCAL + LARGE, 400, 800),
    "W3, local socket": Farm(LOCAL + LATENCY, 1000, 2000),
    "W1, TLS socket, defaults": Farm(TLS, 10000, 20000, is_pair=True),
    "W2, TLS socket": Farm(TLS + LARGE, 400, 800, is_pair=True),
    "W3, TLS socket": Farm(TLS + LATENCY, 1000, 2000, is_pair=True),
}

# The function that a local farm's warden runs. That process looks at the clock and not at tasks, so
# it is left out.
WARDEN = " be_warden\n"


class Failed(Exception):
    """A farm did not run."""


def instructions(folder, command, counting=(), timeout_s=TIMEOUT_S, is_pair=False):
    """How many instructions the command's processes take, all together."""
    with tempfile.TemporaryDirectory() as out, tempfile.TemporaryDirectory() as farm_folder:
        ran = subprocess.run(
            ["valgrind", "--tool=callgrind", "--trace-children=yes",
             f"--callgrind-out-file={out}/out.%p", *counting, *(PAIR if is_pair else ()),
             str(folder / command[0]), *command[1:]],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True, timeout=timeout_s,
            env={**os.environ, "GLIBC_TUNABLES": TUNABLES, "OPENSSL_ia32cap": OPENSSL,
                 "FOLDER": farm_folder})
        if ran.returncode != 0:
            raise Failed(f"{' '.join(command)}: exit status {ran.returncode}\n{ran.stderr}")
        profiles = [file.read_text("utf-8") for file in pathlib.Path(out).iterdir()]
        totals = [int(count) for profile in profiles if WARDEN not in profile
                  for count in re.findall(r"^totals: (\d+)", profile, re.M)]
    if not totals:
        raise Failed("callgrind left no totals")
    return sum(totals)


def per_task(folder, name):
    farm = FARMS[name]
    few, many = (instructions(folder, farm.command + ("--tasks", str(tasks)), farm.counting,
                              is_pair=farm.is_pair)
                 for tasks in (farm.few, farm.many))
    if many == 0:
        raise Failed(f"{name}: callgrind counted nothing. Either sim_tasks was built without "
                     "valgrind/callgrind.h, or a function of this script has another name now.")
    return (many - few) / (farm.many - farm.few)


def measure(folder, name, recorded):
    """The count; the least of several if the first is too high."""
    count = per_task(folder, name)
    for _ in range(TRIES - 1):
        if recorded is None or count <= recorded * (1 + TOLERANCE):
            break
        count = min(count, per_task(folder, name))
    return count


def verdict(count, recorded):
    if recorded is None:
        return "not recorded"
    if count > recorded * (1 + TOLERANCE):
        return "FAILED: too many"
    if count < recorded * (1 - TOLERANCE):
        return "fewer: record anew"
    return "ok"


def make_parser(description):
    """With the option that all scripts have that count."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--programs", type=pathlib.Path, metavar="DIR",
                        default=HERE.parent.parent / "build" / "tests" / "bench",
                        help="where the built programs are (default: %(default)s)")
    return parser


def run(parser, main):
    """Calls main with the arguments, and ends with the status that it returns."""
    arguments = parser.parse_args()
    if not shutil.which("valgrind"):
        print("skipped: valgrind is not installed")
        sys.exit(SKIPPED)
    try:
        sys.exit(main(arguments))
    except Failed as failure:
        print(failure, file=sys.stderr)
        sys.exit(1)


def own_parser():
    parser = make_parser(
        "Counts the instructions per task and compares them with the recorded ones.")
    parser.add_argument("--build", required=True, metavar="NAME",
                        help="compiler and build type, under which the counts are recorded")
    parser.add_argument("--without-sockets", action="store_true",
                        help="only the simulated farms: mw was built without TCP")
    parser.add_argument("--without-tls", action="store_true",
                        help="no farms that encrypt: mw was built without TLS")
    parser.add_argument("--record", action="store_true",
                        help="write the counts to instructions.json instead of comparing them")
    return parser


def main(arguments):
    records = json.loads(RECORDS.read_text("utf-8")) if RECORDS.exists() else {}
    recorded = records.get(arguments.build, {})
    left_out = ["socket"] * arguments.without_sockets + ["TLS"] * arguments.without_tls
    names = [name for name in FARMS if not any(word in name for word in left_out)]
    if not recorded and not arguments.record:
        print(f"skipped: nothing is recorded for {arguments.build}")
        return SKIPPED
    print(f"instructions per task, {arguments.build}\n")
    print(f"{'':<34}{'recorded':>10}{'now':>10}{'change':>9}")
    counts, failed = {}, False
    for name in names:
        old = None if arguments.record else recorded.get(name)
        counts[name] = round(measure(arguments.programs, name, old))
        change = f"{100 * (counts[name] / old - 1):+.1f} %" if old else ""
        text = "recorded" if arguments.record else verdict(counts[name], old)
        failed = failed or text.startswith("FAILED")
        print(f"{name:<34}{old or '-':>10}{counts[name]:>10}{change:>9}  {text}", flush=True)
    if arguments.record:
        records[arguments.build] = {**recorded, **counts}
        RECORDS.write_text(json.dumps(records, indent=2) + "\n", "utf-8")
    if failed:
        print("\nIf this is wanted, record it anew: cmake --build build --target bench_record")
    return 1 if failed else 0


if __name__ == "__main__":
    run(own_parser(), main)
