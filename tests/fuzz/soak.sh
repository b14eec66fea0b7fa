#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs each fuzzer with libFuzzer and sanitizers, and tells for each the executions and the coverage:
#
#     soak.sh SOURCE WORK [RUNS [NAME...]]
#
# RUNS is the number of executions of each, ten million if it is not given. NAME is that of a fuzzer,
# without "fuzz_"; all of them run if none is given. The inputs that libFuzzer finds stay in
# WORK/corpus/NAME, and the next run goes on from them. Coverage is that of these inputs in the lines
# of the rooms that read what the fuzzer writes. Needs clang, llvm-profdata and llvm-cov.
set -eu
source=$(cd "$1" && pwd)
mkdir -p "$2"
work=$(cd "$2" && pwd)
runs=${3:-10000000}
shift 2
[ $# -eq 0 ] || shift
clang=${CC:-clang}

build() # FOLDER OPTION...: the programs in it
{
    folder=$work/$1
    shift
    cmake -S "$source" -B "$folder" -DCMAKE_C_COMPILER="$clang" -DCMAKE_CXX_COMPILER=clang++ \
        -DMW_WITH_MPI=OFF -DMW_WITH_FORTRAN=OFF "$@" >"$folder.log" 2>&1 &&
        cmake --build "$folder" -j "$(nproc)" --target $targets >>"$folder.log" 2>&1 ||
        { tail -20 "$folder.log"; exit 1; }
}

# What of the sources a fuzzer is for, as a pattern of names.
rooms() # NAME
{
    case $1 in
    message) echo 'wire/(message|guard|column)|engine/(master_engine|membership|greeting|strangers|task_ends|outgoing)|base/(printable|utf8)' ;;
    slave) echo 'wire/(message|guard|column)|engine/(slave_engine|repertoire|task_queue|greeting|results)|base/(printable|utf8)' ;;
    values) echo 'wire/(guard|value)' ;;
    options) echo 'options/' ;;
    journal) echo 'record/journal' ;;
    journal_records) echo 'record/(journal|checkpoint)' ;;
    resource_file) echo 'record/resource\.c|base/utf8' ;;
    *) echo "/$1\.c" ;;
    esac
}

names=${*:-$(cd "$source/tests/fuzz" && ls fuzz_*.c | sed 's/fuzz_\(.*\)\.c/\1/')}
mkdir -p "$work/fuzz" "$work/coverage"
targets=$(printf 'libfuzzer_%s ' $names)
build fuzz -DCMAKE_BUILD_TYPE=RelWithDebInfo -DMW_FUZZ=ON \
    -DMW_SANITIZE=address,undefined,fuzzer-no-link
targets=$(printf 'fuzz_%s ' $names)
build coverage -DCMAKE_BUILD_TYPE=Debug \
    -DCMAKE_C_FLAGS='-fprofile-instr-generate -fcoverage-mapping'

printf '%-16s %12s %10s %16s\n' fuzzer executions inputs 'lines covered'
for name in $names; do
    corpus=$work/corpus/$name
    mkdir -p "$corpus"
    "$work/fuzz/tests/fuzz/libfuzzer_$name" -runs="$runs" -max_len=512 -print_final_stats=1 \
        -artifact_prefix="$work/" "$corpus" >"$work/$name.log" 2>&1 ||
        { tail -40 "$work/$name.log"; exit 1; }
    executions=$(sed -n 's/stat::number_of_executed_units: *//p' "$work/$name.log")
    program=$work/coverage/tests/fuzz/fuzz_$name
    # The files in pieces: there may be more than a command line holds.
    rm -f "$work/$name".*.profraw
    find "$corpus" -type f -print0 |
        LLVM_PROFILE_FILE="$work/$name.%p.profraw" xargs -0 -n 1000 "$program" >/dev/null
    llvm-profdata merge -o "$work/$name.profdata" "$work/$name".*.profraw
    rm -f "$work/$name".*.profraw
    covered=$(llvm-cov export -summary-only -instr-profile="$work/$name.profdata" "$program" |
        python3 -c '
import json, re, sys
files = json.load(sys.stdin)["data"][0]["files"]
lines = [f["summary"]["lines"] for f in files
         if re.search("/(src|transports)/", f["filename"]) and f["filename"].endswith(".c") and re.search(sys.argv[1], f["filename"])]
covered, count = (sum(l[key] for l in lines) for key in ("covered", "count"))
print("%d of %d, %d %%" % (covered, count, 100 * covered // max(count, 1)))' "$(rooms "$name")")
    printf '%-16s %12s %10s %16s\n' "$name" "$executions" "$(ls "$corpus" | wc -l)" "$covered"
done
