# SPDX-License-Identifier: Apache-2.0
"""The farms that are measured: how each is started with so many workers and what options. A farm is
a function of a bench (where programs are), the number of workers, and the program's options; it
gives the figures that were printed, or raises Missing or Failed."""

import os
import pathlib
import re
import subprocess
import tempfile
from dataclasses import dataclass

import instructions
import launch

HERE = pathlib.Path(__file__).resolve().parent
PEERS = HERE / "peers"


@dataclass(frozen=True)
class Bench:
    """Where things are."""

    folder: pathlib.Path
    mpirun: str = ""

    def program(self, name):
        path = self.folder / name
        if not path.exists():
            raise launch.Missing(f"{name} is not built: what it needs is not installed")
        return str(path)

    def ranks(self, count):
        if not self.mpirun:
            raise launch.Missing("mpirun is not installed, or mw was built without MPI")
        return (self.mpirun, "--oversubscribe", "-n", str(count))


def words(options):
    return tuple(str(word) for name, value in options.items() for word in (f"--{name}", value))


def plain(name):
    """A program that starts its workers itself."""
    def run(bench, workers, options):
        return launch.run_all([(bench.program(name), "--workers", str(workers)) + words(options)])
    return run


def ranked(name):
    """A program that is all ranks of an MPI job."""
    def run(bench, workers, options):
        return launch.run_all([bench.ranks(workers + 1) + (bench.program(name),) + words(options)])
    return run


def ours(bench, name):
    return (bench.program(name), "--mw-quiet")


def seen(workers, options, has_workers):
    """What the master algorithm gets to see."""
    return (("--workers", str(workers)) if has_workers else ()) + words(options)


def mw_local(name, *settings, has_workers=True):
    def run(bench, workers, options):
        return launch.run_all([ours(bench, name) + settings + ("--mw-local", str(workers))
                               + seen(workers, options, has_workers)])
    return run


def mw_journal(name, runs):
    """A local farm with a journal, that many times with the same one; gives the last figures."""
    def run(bench, workers, options):
        with tempfile.TemporaryDirectory() as folder:
            journal = ("--mw-journal", os.path.join(folder, "bench.mwj"))
            for _ in range(runs):
                figures = mw_local(name, *journal)(bench, workers, options)
        return figures
    return run


def mw_mpi(name, *settings, has_workers=True):
    def run(bench, workers, options):
        return launch.run_all([bench.ranks(workers + 1) + ours(bench, name) + settings
                               + seen(workers, options, has_workers)])
    return run


MASTER = ("--mw-master", "--mw-master-host", "127.0.0.1")
PLAIN = ("--mw-insecure",)


def mw_tcp(name, *settings, has_workers=True, is_encrypted=False):
    """A master and slaves that find it by a resource file."""
    def run(bench, workers, options):
        with tempfile.TemporaryDirectory() as folder:
            file = ("--mw-resource-file", os.path.join(folder, "bench.rsc"))
            both = ours(bench, name) + settings + file + (() if is_encrypted else PLAIN)
            master = both + MASTER + seen(workers, options, has_workers)
            return launch.run_all([master] + [both + ("--mw-slave",)] * workers)
    return run


def mw_many(*settings, is_encrypted=False):
    """A master and one process that is all slaves, to which the key is told on its standard
    input."""
    def run(bench, workers, options):
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "bench.rsc")
            master = (ours(bench, "mw_bench") + settings + (() if is_encrypted else PLAIN) + MASTER
                      + ("--mw-resource-file", file) + seen(workers, options, True))

            def slaves(resource):
                command = (bench.program("many_slaves"), "--port", str(resource["port"]),
                           "--slaves", str(workers))
                if not is_encrypted:
                    return command, ""
                return command + ("--tls", "1"), f"{resource['key-name']}\n{resource['key']}\n"

            return launch.run_behind_master(master, file, slaves)
    return run


def no_prefetch(bench):
    """The option, if mw has one, by which a slave has no next group while it runs one."""
    usage = subprocess.run([bench.program("mw_bench"), "--mw-help"], capture_output=True,
                           text=True, check=False).stdout
    found = re.search(r"--mw-[a-z-]*prefetch[a-z-]*", usage)
    return (found.group(), "0") if found else ()


def instructions_of(bench, row):
    """Instructions per task, counted by callgrind."""
    launch.need("valgrind")
    try:
        return instructions.per_task(bench.folder, row)
    except instructions.Failed as failure:
        raise launch.Failed(str(failure)) from failure


def gearman(bench, workers, options):
    program, server = bench.program("gearman_farm"), launch.need("gearmand")
    port = launch.free_port()
    command = [server, "-p", str(port), "-L", "127.0.0.1", "-l", "none"]
    if os.geteuid() == 0:
        command += ["-u", "root"]
    return launch.run_behind_server(command, port, (
        program, "--port", str(port), "--workers", str(workers)) + words(options))


def work_queue(bench, workers, options):
    launch.need("work_queue_worker")
    return plain("work_queue_farm")(bench, workers, options)


def mpi4py(bench, workers, options):
    python = launch.need_python("mpi4py.futures")
    return launch.run_all([bench.ranks(workers + 1) + (
        python, "-m", "mpi4py.futures", str(PEERS / "mpi4py_farm.py"), "--workers", str(workers))
        + words(options)])


def dask(bench, workers, options):
    python = launch.need_python("distributed")
    return launch.run_all([(python, str(PEERS / "dask_farm.py"), "--workers", str(workers))
                           + words(options)])
