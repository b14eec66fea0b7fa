#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures what a flood of connections at its port costs a farm at work.

A farm of mw_bench runs beside a flood at its master's port, beside the same flood at a port that
accepts and closes, and beside none. The rounds take turns, so that what else the machine does hits
all alike. Prints the medians of tasks per second, and of the ratio of the first two in each round.
"""

import argparse
import json
import os
import pathlib
import statistics
import sys
import tempfile

from launch import Failed, Processes, wait_until

PLACES = ("port", "sink", "none")


def printed(output):
    """The first line of JSON in an output, if it is there."""
    output.seek(0)
    lines = [line for line in output if line.startswith("{") and line.endswith("\n")]
    return json.loads(lines[0]) if lines else None


def resource_of(file, master):
    def seen():
        try:
            found = json.loads(pathlib.Path(file).read_text(encoding="utf-8"))
            return found if found.get("port") else None
        except (OSError, ValueError):
            return None

    return wait_until(seen, master, "the master's resource file")


def run(arguments, place):
    """Tasks per second of a farm beside a flood at this place."""
    flood = str(arguments.programs / "flood")
    with tempfile.TemporaryDirectory() as folder, Processes() as processes:
        file = os.path.join(folder, "flood.rsc")
        ours = (str(arguments.programs / "mw_bench"), "--mw-quiet", "--mw-resource-file", file)
        ours += ("--mw-insecure",) if arguments.insecure else ()
        sink = processes.start((flood, "--sink", "1"))
        port = wait_until(lambda: printed(processes.outputs[0]), sink, "the sink")["port"]
        master = processes.start(ours + ("--mw-master", "--mw-master-host", "127.0.0.1", "--workers",
                                         str(arguments.slaves), "--tasks", str(arguments.tasks)))
        if place == "port":
            port = resource_of(file, master)["port"]
        for _ in range(arguments.slaves):
            processes.start(ours + ("--mw-slave",))
        if place != "none":
            processes.start((flood, "--port", str(port), "--rate", str(arguments.rate), "--seconds",
                             "600", "--hello", "0" if arguments.silent else "1"))
        status = master.wait(600)
        if status != 0:
            raise Failed(f"the master's status is {status}")
        figures = printed(processes.outputs[1])
        return figures["tasks"] / figures["seconds"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tasks", type=int, default=1000000)
    parser.add_argument("--slaves", type=int, default=2)
    parser.add_argument("--rate", type=int, default=10000)
    parser.add_argument("--silent", action="store_true", help="the connections say nothing")
    parser.add_argument("--insecure", action="store_true")
    arguments = parser.parse_args()
    rates = {place: [] for place in PLACES}
    try:
        for _ in range(arguments.rounds):
            for place in PLACES:
                rates[place].append(run(arguments, place))
    except Failed as failure:
        sys.exit(f"flood.py: {failure}")
    for place in PLACES:
        print(f"{place}: {statistics.median(rates[place]):.0f} tasks/s")
    ratios = [port / sink for port, sink in zip(rates["port"], rates["sink"])]
    print(f"port / sink: {statistics.median(ratios):.3f} "
          f"({', '.join(f'{ratio:.3f}' for ratio in ratios)})")


if __name__ == "__main__":
    main()
