#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures mw beside farms written by hand and other people's, and writes docs/performance.md.

Every round runs every farm once on every workload, so that what else the machine does hits all
alike; medians and ratios of one such run are what counts. The exit status tells whether everything
ran, never how fast. README.md says what is measured.
"""

import argparse
import datetime
import json
import os
import pathlib
import shutil
import signal
import sys
import time

import farms
import machine
import plan
import report
from launch import Failed, Missing

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
TASKS_MAX = 100_000_000
DESCRIPTORS = 32_768  # for 10,000 slaves and more


class Measurement:
    """The figures of all runs, and what could not be measured, by the key of the cell."""

    def __init__(self, bench, size):
        self.bench, self.size = bench, size
        self.begin = time.monotonic()
        self.runs, self.tasks, self.missing = {}, {}, {}
        self.rates = {}  # tasks/s of the last run by Cell.pace_key
        self.has_failed = False

    def is_over(self):
        return time.monotonic() - self.begin > self.size.limit_s

    def run(self, cell, tasks, turn):
        options = {"tasks": tasks, **dict(cell.options)}
        if cell.has_seed:
            options["seed"] = turn + 1
        return cell.farm(self.bench, cell.workers, options)

    def tasks_for(self, cell, turn):
        """How many tasks take about Size.seconds."""
        tasks = cell.tasks_first
        while True:
            took = self.run(cell, tasks, turn)["seconds"]
            factor = self.size.seconds / max(took, 1e-6)
            if factor < 2 or tasks >= TASKS_MAX:
                return tasks
            tasks = min(int(tasks * min(factor, 20)), TASKS_MAX)

    def refuse(self, cell, why):
        self.missing[cell.key] = why
        say(f"NOT MEASURED: {cell.key}: {why}")

    def measure(self, cell, turn):
        if cell.key in self.missing or (cell.rounds_max and turn >= cell.rounds_max):
            return
        if self.is_over():
            if not self.runs.get(cell.key):
                self.refuse(cell, f"the time of {self.size.limit_s} s was over")
            return
        expected_s = cell.fixed_tasks / self.rates.get(cell.pace_key, TASKS_MAX)
        if expected_s > self.size.run_limit_s:
            self.refuse(cell, f"{cell.fixed_tasks:,} tasks would take about {expected_s:.0f} s")
            return
        if machine.free_bytes() < cell.memory:
            self.refuse(cell, f"it needs {cell.memory / 1e9:.0f} GB of memory that is free")
            return
        try:
            if cell.key not in self.tasks:
                self.tasks[cell.key] = cell.fixed_tasks or self.tasks_for(cell, turn)
            figures = self.run(cell, self.tasks[cell.key], turn)
            self.runs.setdefault(cell.key, []).append(figures)
            if "tasks_per_s" in figures:
                self.rates[cell.pace_key] = figures["tasks_per_s"]
        except Missing as missing:
            self.refuse(cell, str(missing))
        except Failed as failure:
            self.refuse(cell, str(failure))
            self.has_failed = True


def say(text):
    print(text, file=sys.stderr, flush=True)


def measure(bench, size, cells):
    measurement = Measurement(bench, size)
    for turn in range(size.rounds):
        if measurement.is_over():
            say(f"round {turn + 1} and later ones: left out, the time was over")
            break
        for number, cell in enumerate(cells):
            if sys.stderr.isatty():
                print(f"\r\x1b[Kround {turn + 1} of {size.rounds}, {number + 1} of {len(cells)}: "
                      f"{cell.work} {cell.name}, {cell.workers}", end="\r", file=sys.stderr)
            measurement.measure(cell, turn)
        say(f"round {turn + 1} of {size.rounds} done after "
            f"{time.monotonic() - measurement.begin:.0f} s")
    return measurement


def parse_arguments():
    parser = argparse.ArgumentParser(
        description="Measures mw and writes a report with plots; see README.md.")
    parser.add_argument("--programs", type=pathlib.Path, metavar="DIR",
                        default=TOP / "build" / "tests" / "bench",
                        help="where the built programs are (default: %(default)s)")
    parser.add_argument("--families", default="tcp,mpi", metavar="LIST",
                        help="which transports mw has (default: %(default)s)")
    parser.add_argument("--mpirun", default=shutil.which("mpirun") or "", metavar="PROGRAM")
    parser.add_argument("--report", type=pathlib.Path, metavar="DIR",
                        help="where performance.md and its plots go (default: docs; none with "
                             "--smoke)")
    parser.add_argument("--only", default="", metavar="LIST", help="of W1,W2,..: no report")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="keep all figures")
    parser.add_argument("--render", type=pathlib.Path, metavar="FILE",
                        help="measure nothing: write the report of what --json has kept")
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", action="store_const", dest="size", const="quick",
                       help="about seven minutes (default)")
    sizes.add_argument("--full", action="store_const", dest="size", const="full",
                       help="at most 25 minutes: more rounds, workers, and tasks")
    sizes.add_argument("--smoke", action="store_const", dest="size", const="smoke",
                       help="some seconds, no peers: does it run?")
    parser.set_defaults(size="quick")
    arguments = parser.parse_args()
    arguments.programs = arguments.programs.resolve()
    unknown = set(filter(None, arguments.only.split(","))) - set(plan.WORKS)
    if unknown:
        parser.error(f"--only: there is no {', '.join(sorted(unknown))}, only "
                     f"{', '.join(plan.WORKS)}")
    if not arguments.render and not (arguments.programs / "mw_bench").exists():
        parser.error(f"{arguments.programs} has no mw_bench: build it with cmake --preset default "
                     "&& cmake --build build")
    if not arguments.report and (arguments.render or arguments.size != "smoke"):
        arguments.report = TOP / "docs"
    return arguments


def main():
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    if arguments.render:
        data = json.loads(arguments.render.read_text("utf-8"))
        report.write(data, arguments.report)
        return 0
    machine.raise_descriptors(DESCRIPTORS)
    size = plan.SIZES[arguments.size]
    bench = farms.Bench(arguments.programs, arguments.mpirun)
    cells = [cell for cell in plan.cells(size, arguments.families.split(","))
             if not arguments.only or cell.work in arguments.only.split(",")]
    described = machine.describe(TOP)
    measurement = measure(bench, size, cells)
    data = {
        "machine": described, "size": size.name, "rounds": size.rounds,
        "date": datetime.date.today().isoformat(),
        "took_s": round(time.monotonic() - measurement.begin),
        "cells": [{"work": cell.work, "name": cell.name, "family": cell.family,
                   "workers": cell.workers, "variant": cell.variant,
                   "runs": measurement.runs.get(cell.key, []),
                   "missing": measurement.missing.get(cell.key)} for cell in cells]}
    if arguments.json:
        arguments.json.write_text(json.dumps(data, indent=1) + "\n", "utf-8")
    if size.name != "smoke":
        print(report.table(data))
    if arguments.report and not arguments.only:
        os.makedirs(arguments.report, exist_ok=True)
        report.write(data, arguments.report)
    return 1 if measurement.has_failed else 0


if __name__ == "__main__":
    sys.exit(main())
