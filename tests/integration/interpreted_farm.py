# SPDX-License-Identifier: Apache-2.0
"""A farm whose program is an interpreter: interpreted_farm.py LIBRARY [--mw-OPTION ...] COUNT

The master and the task algorithm are Python functions that the library calls. Prints the sum of the
results, and the number of processes that computed them.
"""
import ctypes
import os
import sys

library = ctypes.CDLL(sys.argv[1])
TASK = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
MASTER = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


class Algorithm(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("run", TASK)]


class Program(ctypes.Structure):
    _fields_ = [("algorithms", ctypes.POINTER(Algorithm)), ("master", MASTER), ("slave", ctypes.c_void_p),
                ("user", ctypes.c_void_p)]


class Task(ctypes.Structure):
    _fields_ = [("algorithm", ctypes.c_char_p), ("rest", ctypes.c_byte * 256)]


library.mw_master_next.restype = ctypes.c_void_p


@TASK
def square(call):
    number = ctypes.c_int()
    if library.mw_call_args(ctypes.c_void_p(call), b"i", ctypes.byref(number)) == 0:
        library.mw_call_return(ctypes.c_void_p(call), b"ii", number.value ** 2, os.getpid())


@MASTER
def master(farm, argc, _):
    farm = ctypes.c_void_p(farm)
    for number in range(10):
        library.mw_master_submit(farm, ctypes.byref(Task(algorithm=b"square")), b"i", number)
    total, pids = 0, set()
    while (result := library.mw_master_next(farm)) is not None:
        value, pid = ctypes.c_int(), ctypes.c_int()
        if library.mw_result_get(ctypes.c_void_p(result), b"ii", ctypes.byref(value), ctypes.byref(pid)) == 0:
            total += value.value
            pids.add(pid.value)
    print(f"sum {total} by {len(pids - {os.getpid()})} slaves, {argc} arguments")
    return 0


arguments = [sys.argv[0].encode(), *(word.encode() for word in sys.argv[2:])]
argv = (ctypes.c_char_p * (len(arguments) + 1))(*arguments)
algorithms = (Algorithm * 2)(Algorithm(b"square", square))
sys.exit(library.mw_main(ctypes.byref(Program(algorithms, master)), len(arguments), argv))
