#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts the instructions that a task costs, and compares them with what was recorded.

Every farm runs under valgrind's callgrind with two numbers of tasks, and the difference is divided
by the difference: setting up and shutting down cancels. A simulated farm gives the same count in
every run; one of two processes over a socket differs by a hundredth, since what comes together
depends on time, and is run again before it is blamed. Counts depend on the compiler, so they are
recorded for each in instructions.json; without a record the exit status is 77, "skipped".

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

HERE = pathlib.Path(__file__).resolve().parent
RECORDS = HERE / "instructions.json"
TOLERANCE = 0.10
TRIES = 3
SKIPPED = 77
TIMEOUT_S = 300

SIM = ("sim_tasks", "--workers", "4")
LOCAL = ("mw_bench", "--mw-local", "1", "--mw-quiet", "--workers", "1")
GROUP_64 = ("--mw-slave-task-group", "64", "--mw-slave-result-group", "64")
LATENCY = ("--mode", "latency")
LARGE = ("--bytes", "65536")

# The C library chooses how it copies by what the processor can do; so all processors are alike.
# With "rep movsb", for one, callgrind counts an instruction for each byte.
TUNABLES = "glibc.cpu.hwcaps=-ERMS,-FSRM,-AVX2,-AVX_Fast_Unaligned_Load,-AVX512F,-AVX512VL"

# What is run, and the two numbers of tasks.
FARMS = {
    "W1, simulated, defaults": (SIM, (10000, 20000)),
    "W1, simulated, groups of 64": (SIM + ("--group", "64"), (10000, 20000)),
    "W3, simulated": (SIM + LATENCY, (2000, 4000)),
    "W1, local socket, defaults": (LOCAL, (10000, 20000)),
    "W1, local socket, groups of 64": (LOCAL + GROUP_64, (10000, 20000)),
    "W2, local socket": (LOCAL + LARGE, (400, 800)),
    "W3, local socket": (LOCAL + LATENCY, (1000, 2000)),
}

# The function that a local farm's warden runs. That process looks at the clock and not at tasks, so
# it is left out.
WARDEN = " be_warden\n"


class Failed(Exception):
    """A farm did not run."""


def instructions(folder, command, tasks):
    """How many instructions the farm's processes take, all together."""
    with tempfile.TemporaryDirectory() as out:
        ran = subprocess.run(
            ["valgrind", "--tool=callgrind", "--trace-children=yes",
             f"--callgrind-out-file={out}/out.%p", str(folder / command[0]), *command[1:],
             "--tasks", str(tasks)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True, timeout=TIMEOUT_S, env={**os.environ, "GLIBC_TUNABLES": TUNABLES})
        if ran.returncode != 0:
            raise Failed(f"{' '.join(command)}: exit status {ran.returncode}\n{ran.stderr}")
        profiles = [file.read_text("utf-8") for file in pathlib.Path(out).iterdir()]
        totals = [int(count) for profile in profiles if WARDEN not in profile
                  for count in re.findall(r"^totals: (\d+)", profile, re.M)]
    if not totals:
        raise Failed("callgrind left no totals")
    return sum(totals)


def per_task(folder, name):
    command, (few, many) = FARMS[name]
    return (instructions(folder, command, many) - instructions(folder, command, few)) / (many - few)


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


def parse_arguments():
    parser = argparse.ArgumentParser(
        description="Counts the instructions per task and compares them with the recorded ones.")
    parser.add_argument("--programs", type=pathlib.Path, metavar="DIR",
                        default=HERE.parent.parent / "build" / "tests" / "bench",
                        help="where the built programs are (default: %(default)s)")
    parser.add_argument("--build", required=True, metavar="NAME",
                        help="compiler and build type, under which the counts are recorded")
    parser.add_argument("--without-sockets", action="store_true",
                        help="only the simulated farms: mw was built without TCP")
    parser.add_argument("--record", action="store_true",
                        help="write the counts to instructions.json instead of comparing them")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    if not shutil.which("valgrind"):
        print("skipped: valgrind is not installed")
        return SKIPPED
    records = json.loads(RECORDS.read_text("utf-8")) if RECORDS.exists() else {}
    recorded = records.get(arguments.build, {})
    names = [name for name in FARMS if "socket" not in name or not arguments.without_sockets]
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
    try:
        sys.exit(main())
    except Failed as failure:
        print(failure, file=sys.stderr)
        sys.exit(1)
