#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs mw_wait with each --mw-wait over each transport and prints one table, in Markdown.

Rounds take turns, so that what else the machine does hits all alike; the figures are medians over
the rounds. docs/transports.md has such a table.
"""

import argparse
import os
import pathlib
import shutil
import signal
import statistics
import sys
import tempfile

from launch import Failed, run_all

HERE = pathlib.Path(__file__).resolve().parent
WAITS = ("auto", "spin", "yield", "nap")
FIGURES = ("busy_median_us", "busy_p99_us", "first_median_us", "idle_master_percent",
           "idle_slave_percent")
MASTER = ("--mw-master", "--mw-master-host", "127.0.0.1")


def tls(arguments, ours, seen, file):
    return [ours + MASTER + file + seen, ours + ("--mw-slave",) + file]


def tcp(arguments, ours, seen, file):
    return tls(arguments, ours + ("--mw-insecure",), seen, file)


def mpi(arguments, ours, seen, file):
    return [(arguments.mpirun, "--oversubscribe", "-n", "2") + ours + seen]


def mixed(arguments, ours, seen, file):
    (command,) = mpi(arguments, ours, seen, file)
    return [command + MASTER[1:] + file + ("--mw-insecure", "--mw-transport", "mpi,tcp")]


TRANSPORTS = {"tcp": tcp, "tls": tls, "mpi": mpi, "mixed": mixed}


def run(arguments, transport, wait):
    ours = (str(arguments.programs / "mw_wait"), "--mw-quiet", "--mw-wait", wait)
    seen = ("--tasks", str(arguments.tasks), "--quiets", str(arguments.quiets), "--seconds",
            str(arguments.seconds))
    with tempfile.TemporaryDirectory() as folder:
        file = ("--mw-resource-file", os.path.join(folder, "wait.rsc"))
        return run_all(TRANSPORTS[transport](arguments, ours, seen, file))


def print_row(transport, wait, runs):
    medians = [statistics.median(figures[name] for figures in runs) for name in FIGURES]
    print(f"| {transport} | {wait} | "
          + " | ".join(f"{amount:,.1f}" if amount < 1000 else f"{amount:,.0f}"
                       for amount in medians) + " |")


def parse_arguments():
    parser = argparse.ArgumentParser(description="Measures the ways to wait; see README.md.")
    parser.add_argument("--programs", type=pathlib.Path, metavar="DIR",
                        default=HERE.parent.parent / "build" / "tests" / "bench",
                        help="where the built programs are (default: %(default)s)")
    parser.add_argument("--transports", default=",".join(TRANSPORTS), metavar="LIST",
                        help="which to measure (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, metavar="R")
    parser.add_argument("--tasks", type=int, default=3000, metavar="N",
                        help="one after the other (default: %(default)s)")
    parser.add_argument("--quiets", type=int, default=5, metavar="N",
                        help="of a second, each with a task after it (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=10, metavar="S",
                        help="with nothing to do (default: %(default)s)")
    parser.add_argument("--mpirun", default=shutil.which("mpirun") or "mpirun", metavar="PROGRAM")
    arguments = parser.parse_args()
    arguments.programs = arguments.programs.resolve()
    return arguments


def main():
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    cells = [(transport, wait) for transport in arguments.transports.split(",") for wait in WAITS]
    runs = {cell: [] for cell in cells}
    try:
        for _ in range(arguments.rounds):
            for cell in cells:
                runs[cell].append(run(arguments, *cell))
    except Failed as failure:
        print(failure, file=sys.stderr)
        return 1
    print("| transport | `--mw-wait` | busy, median us | p99 us | after 1 s, us | idle master, % "
          "| idle slave, % |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for cell in cells:
        print_row(*cell, runs[cell])
    return 0


if __name__ == "__main__":
    sys.exit(main())
