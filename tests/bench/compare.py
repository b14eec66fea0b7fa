#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs mw_bench and the textbook farms in turns and prints one table of medians and ratios.

Every round runs every program once on every workload and number of workers, so that what else the
machine does hits all of them alike. Before the first round each program is run with a growing
number of tasks, until a run takes about --seconds; that number is then kept. The exit status tells
whether everything ran, never how fast. README.md says how to read the table.
"""

import argparse
import json
import os
import pathlib
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass

HERE = pathlib.Path(__file__).resolve().parent
RUN_TIMEOUT_S = 120
END_TIMEOUT_S = 30
TASKS_FIRST = 1000
TASKS_MAX = 20_000_000
GROUP_1 = ("--mw-slave-task-group", "1", "--mw-slave-result-group", "1")
GROUP_64 = ("--mw-slave-task-group", "64", "--mw-slave-result-group", "64")


@dataclass(frozen=True)
class Workload:
    name: str
    bytes: int
    mode: str
    unit: str


@dataclass(frozen=True)
class Program:
    """One way to run one program. Those of a family are compared with its textbook farm."""

    name: str
    family: str
    launch: str
    options: tuple = ()
    is_baseline: str = ""


SMALL = Workload("no-op, 64 B", 64, "throughput", "tasks/s")
LARGE = Workload("no-op, 64 KiB", 65536, "throughput", "MB/s")
ALONE = Workload("one at a time, 64 B", 64, "latency", "us")

EPOLL = Program("textbook_epoll", "tcp", "epoll", (), "textbook")
MPI = Program("textbook_mpi", "mpi", "mpi", (), "textbook")
OURS = (
    Program("mw, local", "tcp", "mw_local"),
    Program("mw, tcp", "tcp", "mw_tcp"),
    Program("mw, mpi", "mpi", "mw_mpi"),
)
OURS_GROUPED = tuple(
    Program(f"{ours.name}, groups of {size}", ours.family, ours.launch, options)
    for ours in OURS[1:]
    for size, options in ((1, GROUP_1), (64, GROUP_64))
)


def batched(program, out, batch):
    options = ("--out", str(out), "--batch", str(batch))
    return Program(f"{program.name}, {out} out in {batch}s", program.family, program.launch,
                   options, "batched")


PLAN = (
    (SMALL, (EPOLL, batched(EPOLL, 128, 64), MPI, batched(MPI, 128, 64)) + OURS + OURS_GROUPED),
    (LARGE, (EPOLL, batched(EPOLL, 8, 4), MPI, batched(MPI, 4, 1)) + OURS),
    (ALONE, (EPOLL, MPI) + OURS),
)


class Failed(Exception):
    """A program did not run to its end; the text says how."""


def stop(process):
    """Ends a process that this script has started: politely first, so that mpirun and a master
    can end theirs."""
    for end in (process.terminate, process.kill):
        if process.poll() is None:
            end()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                pass


def run_all(commands, environment):
    """Starts all commands; returns what the first printed when all have ended well."""
    with tempfile.TemporaryFile("w+") as errors:
        processes = []
        try:
            for command in commands:
                output = subprocess.DEVNULL if processes else subprocess.PIPE
                processes.append(subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, text=True,
                    env=environment))
            printed, _ = processes[0].communicate(timeout=RUN_TIMEOUT_S)
            if processes[0].returncode == 0:
                for process in processes[1:]:
                    process.wait(END_TIMEOUT_S)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Failed(f"{error}\n{head(errors)}") from error
        finally:
            for process in processes:
                stop(process)
        statuses = [process.returncode for process in processes]
        if any(statuses):
            raise Failed(f"{' '.join(commands[0])}: exit statuses {statuses}\n{head(errors)}")
        return printed


def head(file):
    file.seek(0)
    return "".join(file.readlines()[:10])


class Runner:
    def __init__(self, folder, mpirun):
        self.folder = folder
        self.mpirun = mpirun
        self.environment = dict(os.environ)
        if os.geteuid() == 0:
            self.environment["OMPI_ALLOW_RUN_AS_ROOT"] = "1"
            self.environment["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1"

    def program(self, name):
        return str(self.folder / name)

    def commands(self, program, workers, options, resource_file):
        """The processes to start for one run; the first prints the figures."""
        ranks = (self.mpirun, "--oversubscribe", "-n", str(workers + 1))
        ours = (self.program("mw_bench"), "--mw-quiet") + program.options
        seen = ("--workers", str(workers)) + options
        if program.launch == "epoll":
            return [(self.program("textbook_epoll"),) + seen + program.options]
        if program.launch == "mpi":
            return [ranks + (self.program("textbook_mpi"),) + options + program.options]
        if program.launch == "mw_local":
            return [ours + ("--mw-local", str(workers)) + seen]
        if program.launch == "mw_mpi":
            return [ranks + ours + seen]
        file = ("--mw-resource-file", resource_file)
        master = ours + ("--mw-master", "--mw-master-host", "127.0.0.1") + file + seen
        return [master] + [ours + ("--mw-slave",) + file] * workers

    def run(self, program, workload, workers, tasks):
        options = ("--tasks", str(tasks), "--bytes", str(workload.bytes), "--mode", workload.mode)
        with tempfile.TemporaryDirectory() as folder:
            resource_file = os.path.join(folder, "bench.rsc")
            commands = self.commands(program, workers, options, resource_file)
            printed = run_all(commands, self.environment)
        try:
            figures = json.loads(printed)
        except ValueError as error:
            raise Failed(f"{commands[0][0]} printed no line of JSON: {printed!r}") from error
        if figures["tasks"] != tasks or figures["workers"] != workers:
            raise Failed(f"{program.name} ran something else: {printed}")
        return figures

    def tasks_for(self, program, workload, workers, seconds):
        """How many tasks take about so many seconds."""
        tasks = TASKS_FIRST
        while True:
            took = self.run(program, workload, workers, tasks)["seconds"]
            factor = seconds / max(took, 1e-6)
            if factor < 2 or tasks >= TASKS_MAX:
                return tasks
            tasks = min(int(tasks * min(factor, 20)), TASKS_MAX)


def cells_of(families, workers_counts):
    return [(workload, workers, program)
            for workload, programs in PLAN
            for workers in workers_counts
            for program in programs if program.family in families]


def measure(runner, cells, arguments):
    """Runs everything; returns the figures per cell, and what failed."""
    figures, failures, tasks = {cell: [] for cell in cells}, {}, {}
    for turn in range(arguments.rounds):
        for cell in cells:
            if cell in failures:
                continue
            workload, workers, program = cell
            progress(f"round {turn + 1}: {workload.name}, {program.name}, {workers} workers")
            try:
                if cell not in tasks:
                    tasks[cell] = (TASKS_FIRST // 10 if arguments.quick else runner.tasks_for(
                        program, workload, workers, arguments.seconds))
                figures[cell].append(runner.run(program, workload, workers, tasks[cell]))
            except Failed as failure:
                failures[cell] = str(failure)
    progress("")
    return figures, failures


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def value(workload, run):
    if workload.mode == "latency":
        return run["latency_median_us"]
    if workload.unit == "MB/s":
        return run["tasks_per_s"] * workload.bytes / 1e6
    return run["tasks_per_s"]


def median(cell, figures):
    return statistics.median(value(cell[0], run) for run in figures[cell])


def ratio(cell, figures, kind):
    """The median of a cell over that of the baseline of its family, as text."""
    workload, workers, program = cell
    for other in figures:
        if (other[:2] == (workload, workers) and other[2].family == program.family
                and other[2].is_baseline == kind and figures[other]):
            return f"{median(cell, figures) / median(other, figures):.2f}"
    return "-"


def number(amount):
    return f"{amount:,.2f}" if amount < 100 else f"{amount:,.0f}"


def row(cell, figures):
    workload, workers, program = cell
    values = [value(workload, run) for run in figures[cell]]
    p99 = "-"
    if workload.mode == "latency":
        p99 = number(statistics.median(run["latency_p99_us"] for run in figures[cell]))
    return (program.name, str(workers), number(statistics.median(values)), number(min(values)),
            number(max(values)), p99, ratio(cell, figures, "textbook"),
            ratio(cell, figures, "batched"))


def print_table(figures, failures):
    head = ("workers", "median", "min", "max", "p99", "/ textbook", "/ batched")
    for workload, _ in PLAN:
        print(f"{workload.name + ', ' + workload.unit:<34}"
              + "".join(f"{text:>12}" for text in head))
        for cell in figures:
            if cell[0] == workload and figures[cell]:
                name, *rest = row(cell, figures)
                print(f"{name:<34}" + "".join(f"{text:>12}" for text in rest))
            elif cell[0] == workload:
                print(f"{cell[2].name:<34}{cell[1]:>12}{'failed' if cell in failures else '':>12}")
        print()


def machine():
    return {"processors": os.cpu_count(), "system": platform.system(),
            "kernel": platform.release(), "architecture": platform.machine()}


def write_json(path, figures, failures, arguments):
    runs = [{"workload": workload.name, "name": program.name, "family": program.family,
             "launch": program.launch, "baseline": program.is_baseline or None,
             "options": program.options, "workers": workers, "runs": figures[cell],
             "failure": failures.get(cell)}
            for cell in figures for workload, workers, program in (cell,)]
    report = {"machine": machine(), "rounds": arguments.rounds, "results": runs}
    pathlib.Path(path).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def whole_numbers(text):
    return [int(word) for word in text.split(",")]


def parse_arguments():
    parser = argparse.ArgumentParser(
        description="Compares mw_bench with the textbook farms; see README.md.")
    parser.add_argument("--programs", type=pathlib.Path, metavar="DIR",
                        default=HERE.parent.parent / "build" / "tests" / "bench",
                        help="where the built programs are (default: %(default)s)")
    parser.add_argument("--families", default="tcp,mpi", metavar="LIST",
                        help="which transports to compare (default: %(default)s)")
    parser.add_argument("--workers", type=whole_numbers, default=[1, 2, 4], metavar="LIST",
                        help="numbers of workers (default: 1,2,4)")
    parser.add_argument("--rounds", type=int, default=3, metavar="R")
    parser.add_argument("--seconds", type=float, default=0.5, metavar="S",
                        help="about how long a run is (default: %(default)s)")
    parser.add_argument("--json", metavar="FILE", help="keep all figures in FILE")
    parser.add_argument("--quick", action="store_true",
                        help="one round of 100 tasks with 2 workers: does it run?")
    parser.add_argument("--mpirun", default=shutil.which("mpirun") or "mpirun", metavar="PROGRAM")
    arguments = parser.parse_args()
    arguments.programs = arguments.programs.resolve()
    if arguments.quick:
        arguments.rounds, arguments.workers = 1, [2]
    return arguments


def main():
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    cells = cells_of(arguments.families.split(","), arguments.workers)
    runner = Runner(arguments.programs, arguments.mpirun)
    figures, failures = measure(runner, cells, arguments)
    print_table(figures, failures)
    print(f"medians of {arguments.rounds} rounds; {os.cpu_count()} processors")
    for (workload, workers, program), why in failures.items():
        print(f"failed: {workload.name}, {program.name}, {workers} workers: {why}",
              file=sys.stderr)
    if arguments.json:
        write_json(arguments.json, figures, failures, arguments)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
