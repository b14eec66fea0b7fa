# SPDX-License-Identifier: Apache-2.0
"""The benchmark's task over dask.distributed, with its defaults: a scheduler and --workers processes
of one thread on this host, over TCP."""

from distributed import Client, LocalCluster

import peer


def main():
    arguments = peer.parse_arguments("dask_farm")
    with LocalCluster(n_workers=arguments.workers, threads_per_worker=1, processes=True,
                      dashboard_address=None, host="127.0.0.1") as cluster, \
            Client(cluster) as client:
        client.wait_for_workers(arguments.workers)
        peer.run("dask_farm", arguments, arguments.workers,
                 lambda tasks: client.gather(client.map(peer.echo, tasks, pure=False)),
                 lambda task: client.submit(peer.echo, task, pure=False).result())


if __name__ == "__main__":
    main()
