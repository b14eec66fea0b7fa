#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Moves payloads beyond 2^31 and 2^32 bytes each way between real processes, and checks that they are
# right and that no process holds one more than twice. Takes some minutes and four times the largest
# payload of memory.
#
#   soak_large.sh LARGE_FARM tcp|MPIEXEC
set -u
farm=$1
over=$2

unset "${!MW_@}" "${!OMPI_@}" "${!PMIX_@}"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=1

work=$(mktemp -d /tmp/mw-soak-XXXXXX) || exit 1
children=()
# shellcheck disable=SC2317 # called by trap
clean_up() {
    [ ${#children[@]} -eq 0 ] || kill "${children[@]}" 2>/dev/null
    rm -rf "$work"
}
trap clean_up EXIT

# What all processes are told.
common=(--mw-quiet --mw-max-write-buffer-size 5G --mw-max-read-buffer-size 5G)

# run_tcp BYTES FORM: a master and a slave that finds it by its resource file.
run_tcp() {
    rm -f "$work/farm.rsc"
    "$farm" "${common[@]}" --mw-master --mw-master-host 127.0.0.1 \
        --mw-resource-file "$work/farm.rsc" "$1" "$2" 1 &
    local master=$!
    "$farm" "${common[@]}" --mw-slave --mw-resource-file "$work/farm.rsc" &
    local slave=$!
    children=("$master" "$slave")
    wait "$master" && wait "$slave"
    local status=$?
    children=()
    return $status
}

run_mpi() {
    "$over" -n 2 "$farm" "${common[@]}" "$1" "$2" 1
}

failures=0
# 2.5 GiB, and 4.1 GiB and a byte.
for payload in "2684354560 bytes" "4402341479 bytes" "4402341479 values"; do
    read -r bytes form <<<"$payload"
    if [ "$over" = tcp ]; then
        run_tcp "$bytes" "$form" >"$work/said" 2>&1
    else
        run_mpi "$bytes" "$form" >"$work/said" 2>&1
    fi
    status=$?
    cat "$work/said"
    # Each process: the payload twice, and 96 MiB for all else.
    if ! awk -v limit=$((2 * bytes / 1024 + 96 * 1024)) '
        / bytes each way / { moved++ }
        / had [0-9]+ KiB/ { processes++; if ($4 > limit) exit 1 }
        END { if (moved != 1 || processes != 2) exit 1 }' "$work/said" || [ $status -ne 0 ]; then
        echo "FAILED: $payload, status $status"
        failures=$((failures + 1))
    fi
done
exit $((failures > 0))
