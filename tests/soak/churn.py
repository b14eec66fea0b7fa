#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Breaks real farms while they work, and checks that nothing is lost.

Runs churn_farm in local mode, over TCP, and over MPI and TCP together. Meanwhile its slaves are, at
random, killed, stopped, continued, terminated and started, and its master is killed and started again
with its journal. Then: each tag has exactly one result in the
output, and it is right; hardly any work was done twice; no process and no descriptor is left, and the
master has not grown. Prints the seed; the same seed chooses the same faults,
though the machine does not put them into effect at the same instants.
"""

import argparse
from collections import Counter
import ctypes
import os
from pathlib import Path
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SLAVES = 20
NAP_US = 10_000
WINDOW = 2000
AGAIN_MAX = 0.01  # of the tasks: finished, and run again
GROWTH_KIB_MAX = 8192
FARM_S_MAX = 600  # for a farm, beyond the time that its tasks take
END_S_MAX = 60  # until all processes have ended, behind the master
# Open MPI leaves one of its own when it is finalised.
DESCRIPTORS_LEFT = {"local": 0, "tcp": 0, "mixed": 1}
# How often each fault happens, against the others; and how many seconds a slave is stopped.
FAULTS = {signal.SIGKILL: 2, signal.SIGTERM: 2, signal.SIGSTOP: 3}
PAUSE_S = (0.02, 0.4)
STOPPED_S = (0.05, 3)
RECONNECT_S = 60
PR_SET_CHILD_SUBREAPER = 36
MPI = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
       "OMPI_MCA_rmaps_base_oversubscribe": "1"}


def parents():
    """The parent of each process."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if words[0] != "Z":
            found[int(folder.name)] = int(words[1])
    return found


def descendants(ancestor):
    above = parents()

    def is_below(pid):
        while pid > 1 and pid != ancestor:
            pid = above.get(pid, 0)
        return pid == ancestor
    return {pid for pid in above if pid != ancestor and is_below(pid)}


class Farm:
    """One farm with its faults, in a folder of its own."""

    def __init__(self, how, arguments, dice, folder):
        self.how, self.arguments, self.dice, self.folder = how, arguments, dice, folder
        self.runs = folder / "runs"
        self.runs.mkdir()
        self.output = folder / "output"
        self.resource_file = folder / "farm.rsc"
        self.pid_file = folder / "master"
        self.errors = open(folder / "errors", "w")
        self.environment = {**os.environ, **MPI, "CHURN_RUNS": str(self.runs),
                            "CHURN_MASTER": str(self.pid_file),
                            "XDG_CONFIG_HOME": str(folder), "TMPDIR": str(folder)}
        self.slaves = []  # those over TCP, which this process starts
        self.stopped = {}  # when each of those is continued
        self.faults = Counter()
        self.master = None
        self.deaths_left, self.death = arguments.master_kills, 0
        # So that all deaths have come before the last task has.
        self.pause_s = 1.5 * arguments.tasks * NAP_US / 1e6 / SLAVES / (arguments.master_kills + 1)

    def start(self, *words, before=(), output=subprocess.DEVNULL):
        return subprocess.Popen([*before, self.arguments.program, "--mw-quiet", *words],
                                stdin=subprocess.DEVNULL, stdout=output, stderr=self.errors,
                                env=self.environment)

    def start_master(self):
        resource = ("--mw-reconnect", str(RECONNECT_S), "--mw-resource-file", self.resource_file, "--mw-master-host",
                    "127.0.0.1")
        words = {"local": ("--mw-local", str(SLAVES)),
                 "tcp": ("--mw-master", *resource),
                 "mixed": ("--mw-transport", "mpi,tcp", *resource)}[self.how]
        before = (self.arguments.mpirun, "-n", "3") if self.how == "mixed" else ()
        with open(self.output, "w") as output:
            self.master = self.start(*words, "--mw-journal", self.folder / "journal",
                                     *self.insecure(), str(self.arguments.tasks), str(NAP_US),
                                     str(WINDOW), before=before, output=output)

        self.death = time.monotonic() + self.dice.uniform(0, self.pause_s)

    def insecure(self):
        """For a library that cannot encrypt; a local farm needs no key."""
        return ("--mw-insecure",) * (self.arguments.insecure and self.how != "local")

    def start_slave(self):
        self.slaves.append(self.start("--mw-slave", "--mw-resource-file", self.resource_file,
                                      *self.insecure(), "--mw-reconnect", str(RECONNECT_S)))

    def tend_slaves(self):
        self.slaves = [slave for slave in self.slaves if slave.poll() is None]
        while self.resource_file.exists() and len(self.slaves) < SLAVES:
            self.start_slave()
            self.faults["started"] += 1

    def victims(self):
        """Slaves that have ended a task at least: of the processes of a local farm these are known
        to be slaves."""
        if self.how != "local":
            return sorted(slave.pid for slave in self.slaves)
        known = {int(name) for name in os.listdir(self.runs)}
        return sorted(known & descendants(self.master.pid))

    def send(self, pid, number):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        self.faults[signal.Signals(number).name] += 1

    def wake(self, until):
        for pid in [pid for pid, moment in self.stopped.items() if moment <= until]:
            del self.stopped[pid]
            self.send(pid, signal.SIGCONT)

    def hurt(self):
        victims = [pid for pid in self.victims() if pid not in self.stopped]
        fault = self.dice.choices(list(FAULTS), FAULTS.values())[0]
        seconds = self.dice.uniform(*STOPPED_S)
        choice = self.dice.random()  # drawn before the return, so that a seed keeps its sequence
        if not victims:
            return
        pid = victims[int(choice * len(victims))]
        self.send(pid, fault)
        if fault == signal.SIGSTOP:
            self.stopped[pid] = time.monotonic() + seconds

    def kill_master(self):
        """And starts it again. In a job over MPI it is a child of mpirun, which ends with it."""
        if time.monotonic() < self.death or self.deaths_left == 0:
            return
        pid = self.master.pid
        if self.how == "mixed":
            if not self.pid_file.exists():
                return
            pid = int(self.pid_file.read_text())
        self.deaths_left -= 1
        self.faults["masters killed"] += 1
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.master.wait()
        self.pid_file.unlink(missing_ok=True)
        self.start_master()

    def play(self):
        """Until the master has ended. Its status, None if it did not end."""
        deadline = time.monotonic() + FARM_S_MAX + self.arguments.tasks * NAP_US / 1e6
        self.start_master()
        while self.master.poll() is None and time.monotonic() < deadline:
            self.tend_slaves()
            self.hurt()
            self.kill_master()
            time.sleep(self.dice.uniform(*PAUSE_S))
            self.wake(time.monotonic())
        self.wake(float("inf"))
        return self.master.poll()

    def left_processes(self):
        deadline = time.monotonic() + END_S_MAX
        while time.monotonic() < deadline:
            self.slaves = [slave for slave in self.slaves if slave.poll() is None]
            reap()
            if not descendants(os.getpid()):
                return 0
            time.sleep(0.05)
        left = descendants(os.getpid())
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        return len(left)

    def check(self, status):
        """The sentences on what is wrong."""
        tasks = self.arguments.tasks
        left = self.left_processes()
        if status != 0:
            yield f"the status of the master is {status}"
        if left > 0:
            yield f"{left} processes did not end"
        lines = self.output.read_text().splitlines()
        tags = Counter(int(line) for line in lines if line.isdigit())
        missing = tasks - len(tags.keys() & set(range(tasks)))
        twice = sum(count - 1 for count in tags.values())
        if missing > 0:
            yield f"{missing} results are missing"
        if twice > 0:
            yield f"{twice} results came again"
        again = sum(run.stat().st_size for run in self.runs.iterdir()) - tasks
        if again > AGAIN_MAX * tasks:
            yield f"{again} tasks ran again after they had ended"
        figures = re.search(r"^replayed (\d+), grown by (-?\d+) KiB, descriptors (-?\d+)$", "\n".join(lines), re.M)
        replayed, growth, descriptors = map(int, figures.groups()) if figures else (0, 0, 0)
        if figures is None:
            yield "the master did not say how it ended"
        may_grow = self.arguments.may_grow or growth <= GROWTH_KIB_MAX
        if not may_grow:
            yield f"the master has grown by {growth} KiB"
        if descriptors > DESCRIPTORS_LEFT[self.how]:
            yield f"{descriptors} descriptors were left"
        faults = ", ".join(f"{count} {name}" for name, count in sorted(self.faults.items()))
        print(f"{self.how}: {len(tags)} results, {replayed} from the journal, {again} tasks ran again after they had ended, the "
              f"master has grown by {growth} KiB; {faults}", flush=True)


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        pass


def run_farm(how, arguments, dice):
    folder = Path(tempfile.mkdtemp(prefix="mw-churn-"))
    farm = Farm(how, arguments, dice, folder)
    faults = list(farm.check(farm.play()))
    for fault in faults:
        print(f"FAILED: {how}: {fault}; see {folder}", flush=True)
    if not faults:
        shutil.rmtree(folder)
    return not faults


def main():
    parser = argparse.ArgumentParser(description="Breaks real farms, and checks that nothing is lost.")
    parser.add_argument("--program", required=True, help="churn_farm")
    parser.add_argument("--mpirun", help="without it no farm over MPI")
    parser.add_argument("--insecure", action="store_true", help="nothing is encrypted")
    parser.add_argument("--may-grow", action="store_true",
                        help="the master, since a sanitizer keeps what was freed")
    parser.add_argument("--tasks", type=int, default=33_334, help="in each farm")
    parser.add_argument("--master-kills", type=int, default=5, help="in each farm")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2 ** 32))
    parser.add_argument("--only", choices=("local", "tcp", "mixed"))
    arguments = parser.parse_args()
    # What a farm leaves behind becomes a child of this process.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    print(f"seed {arguments.seed}", flush=True)
    dice = random.Random(arguments.seed)
    hows = [arguments.only] if arguments.only else ["local", "tcp"] + ["mixed"] * bool(arguments.mpirun)
    is_good = True
    for _ in range(arguments.rounds):
        for how in hows:
            is_good = run_farm(how, arguments, dice) and is_good
    if not is_good:
        print("to repeat: churn.py " + " ".join(sys.argv[1:]) + f" --seed {arguments.seed}")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
