# SPDX-License-Identifier: Apache-2.0
"""The benchmark's task over mpi4py.futures, with its defaults. Run it as

    mpirun -n WORKERS+1 python3 -m mpi4py.futures mpi4py_farm.py --workers WORKERS
"""

from mpi4py.futures import MPIPoolExecutor

import peer


def main():
    arguments = peer.parse_arguments("mpi4py_farm")
    with MPIPoolExecutor() as executor:
        executor.bootup()
        peer.run("mpi4py_farm", arguments, arguments.workers,
                 lambda tasks: list(executor.map(peer.echo, tasks)),
                 lambda task: executor.submit(peer.echo, task).result())


if __name__ == "__main__":
    main()
