# SPDX-License-Identifier: Apache-2.0
"""The machine on which is measured, in words, and what is asked of it."""

import os
import platform
import re
import resource
import subprocess


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def first(pattern, text, default="?"):
    found = re.search(pattern, text, re.M)
    return found.group(1).strip() if found else default


def said(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def free_bytes():
    return int(first(r"^MemAvailable:\s+(\d+)", read("/proc/meminfo"), "0")) * 1024


def raise_descriptors(wanted):
    """What is started may have as many open files as is allowed, or as wanted if this user may
    allow it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(wanted, most), max(wanted, most)))
    except (ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def describe(top):
    memory_kib = int(first(r"^MemTotal:\s+(\d+)", read("/proc/meminfo"), "0"))
    cpu = read("/proc/cpuinfo")
    return {
        "processor": first(r"^model name\s*:(.*)", cpu),
        "is_virtual": bool(re.search(r"^flags.*\bhypervisor\b", cpu, re.M)),
        "processors": os.cpu_count(),
        "memory_gib": round(memory_kib / (1 << 20), 1),
        "system": first(r'^PRETTY_NAME="?([^"\n]*)', read("/etc/os-release")),
        "kernel": f"{platform.system()} {platform.release()}",
        "compiler": said("cc", "--version").split("\n", maxsplit=1)[0],
        "mpi": said("mpirun", "--version").split("\n", maxsplit=1)[0],
        "load": os.getloadavg()[0],
        "commit": said("git", "-C", str(top), "describe", "--always", "--dirty", "--abbrev=10"),
    }
