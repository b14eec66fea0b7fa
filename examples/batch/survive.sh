#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# A run of up to ten days where a job may take a day: ten masters one after the other, with one journal, and a
# hundred slaves at a time. docs/guide.md explains it, "Runs that survive".
#
#   survive.sh PROGRAM [ARGUMENT...]
#
# Run it in the folder that shall have the journal and the resource file; all nodes must see that folder.
set -eu

batch=$(dirname "$0")
rm -f farm.rsc
sbatch --time=1-0 --array=1-10%1 "$batch/master.sbatch" "$@" --mw-journal sweep.mwj --mw-reconnect 86400
sbatch --time=1-0 --array=1-1000%100 "$batch/slaves.sbatch" "$@" --mw-reconnect 86400
