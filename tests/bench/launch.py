# SPDX-License-Identifier: Apache-2.0
"""Starts the processes of a farm, waits for them, ends what is left of them, and gives the lines of
JSON that they printed, as one dictionary."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time

RUN_TIMEOUT_S = 600
END_TIMEOUT_S = 30
START_TIMEOUT_S = 30
POLL_S = 0.01
WATCH_S = 0.5  # the figures are the programs' own


class Failed(Exception):
    """A program did not run to its end; the text says how."""


class Missing(Exception):
    """What is needed is not installed; the text says what."""


def environment():
    variables = dict(os.environ)
    if os.geteuid() == 0:
        variables["OMPI_ALLOW_RUN_AS_ROOT"] = "1"
        variables["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1"
    return variables


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


def head(file):
    file.seek(0)
    return "".join(file.readlines()[:10])


def wait_until(seen, process, what):
    """What `seen` gives when it is not None; the process must not end meanwhile."""
    end = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < end and process.poll() is None:
        found = seen()
        if found is not None:
            return found
        time.sleep(POLL_S)
    raise Failed(f"{what} did not come up")


class Processes:
    """The processes of one run; all have ended when its block is left."""

    def __enter__(self):
        self.errors = tempfile.TemporaryFile("w+", errors="replace")
        self.processes, self.outputs = [], []
        return self

    def __exit__(self, *exception):
        for process in self.processes:
            stop(process)
        for file in self.outputs + [self.errors]:
            file.close()

    def start(self, command, told=""):
        """Starts a program, and writes `told` to its standard input."""
        output = tempfile.TemporaryFile("w+", errors="replace")
        self.outputs.append(output)
        try:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, text=True,
                                       stderr=self.errors, env=environment())
            process.stdin.write(told)
            process.stdin.close()
        except OSError as error:
            raise Failed(str(error)) from error
        self.processes.append(process)
        return process

    def figures(self, servers=0):
        """Waits for all but the first so many, and gives what they printed. If one of them fails, it
        does not wait for the first, which might wait for that one."""
        clients = self.processes[servers:]
        end = time.monotonic() + RUN_TIMEOUT_S
        try:
            while not any(process.poll() for process in clients):
                try:
                    clients[0].wait(min(WATCH_S, max(end - time.monotonic(), 0)))
                    break
                except subprocess.TimeoutExpired:
                    if time.monotonic() >= end:
                        raise
            for process in clients[1:] if clients[0].returncode == 0 else ():
                process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            raise Failed(f"{error}\n{head(self.errors)}") from error
        statuses = [process.poll() for process in clients]
        if any(status != 0 for status in statuses):
            raise Failed(f"{' '.join(map(str, clients[0].args))}: exit statuses {statuses}\n"
                         f"{head(self.errors)}")
        return self.printed()

    def printed(self):
        figures = {}
        for output in self.outputs:
            output.seek(0)
            for line in output:
                if line.startswith("{"):
                    figures.update(json.loads(line))
        if not figures:
            raise Failed(f"{self.processes[0].args[0]} printed no line of JSON")
        return figures


def run_all(commands):
    """Starts all commands, whose first is waited for first; gives their figures."""
    with Processes() as processes:
        for command in commands:
            processes.start(command)
        return processes.figures()


def run_behind_master(master, resource_file, client):
    """A master, and when its resource file is there, what `client` makes of it: a command, and what
    this is told."""
    def resource():
        try:
            with open(resource_file, encoding="utf-8") as file:
                found = json.load(file)
                return found if found.get("port") else None
        except (OSError, ValueError):
            return None

    with Processes() as processes:
        process = processes.start(master)
        processes.start(*client(wait_until(resource, process, "the master's resource file")))
        return processes.figures()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run_behind_server(server, port, client):
    """A server that listens on a port, and then a client; the server is ended after it."""
    def answers():
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            return None

    with Processes() as processes:
        wait_until(answers, processes.start(server), server[0])
        processes.start(client)
        return processes.figures(servers=1)


def need(program):
    """The path of an installed program."""
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if not path:
        raise Missing(f"{program} is not installed")
    return path


def need_python(modules):
    """A python3 that has these modules: this one or the system's."""
    for python in (shutil.which("python3"), "/usr/bin/python3"):
        if python and subprocess.run([python, "-c", f"import {modules}"], check=False,
                                     capture_output=True).returncode == 0:
            return python
    raise Missing(f"no python3 has the module {modules}")
