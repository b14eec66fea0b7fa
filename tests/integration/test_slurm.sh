#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Farms under a Slurm of one node that this script starts itself, in a folder and on ports of its own,
# beside any other that may run: srun and salloc with MPI, and the batch scripts of examples/batch.
#
#   test_slurm.sh BATCH HELLO_WORLD FARM [MPIEXEC PMI]
#
# PMI is what srun --mpi offers the MPI of MPIEXEC. Without both there is no MPI. Exits 77 where there can be no Slurm.
# shellcheck disable=SC2317 # functions are called by await and check
set -u
PATH=$PATH:/usr/sbin:/sbin
# How long anything is waited for, far more than it takes: so the only limit, however slow the machine.
patience_s=300
batch=$1
hello=$2
farm=$3
mpiexec=${4-}
pmi=${5-}

skip() {
    echo "NOT TESTED: $1"
    exit 77
}

[ "$(id -u)" -eq 0 ] || skip "Slurm is started by root only"
for tool in munged munge unmunge slurmctld slurmd srun salloc sbatch squeue scontrol scancel; do
    command -v $tool >/dev/null || skip "$tool is not installed (Debian's packages: slurm-wlm, munge)"
done

# What a surrounding job or farm has set is not for those of the test.
unset "${!MW_@}" "${!OMPI_@}" "${!PMIX_@}" "${!SLURM_@}"
# MWT_WITHOUT_TLS is set for a build that can encrypt nothing.
[ -z "${MWT_WITHOUT_TLS-}" ] || export MW_INSECURE=1
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
# Open MPI leaves memory behind.
export ASAN_OPTIONS=detect_leaks=0

work=$(mktemp -d /tmp/mw-slurm-XXXXXX) || exit 1
# munged wants a way to its socket for everybody.
chmod 711 "$work"
export SLURM_CONF=$work/slurm.conf
daemons=()
failures=0

fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

# await WHAT COMMAND...: until the command succeeds.
await() {
    local deadline=$((SECONDS + patience_s)) what=$1
    shift
    until "$@"; do
        if [ $SECONDS -ge $deadline ]; then
            fail "in vain waited for $what"
            return 1
        fi
        sleep 0.1
    done
}

has_no_jobs() {
    [ -z "$(squeue -h 2>/dev/null)" ]
}

# The processes of jobs are not children of the daemons, and would outlive them.
clean_up() {
    local i
    if [ ${#daemons[@]} -eq 3 ]; then
        scancel --quiet --user root
        await "the end of all jobs" has_no_jobs
    fi
    for ((i = ${#daemons[@]} - 1; i >= 0; i--)); do
        kill "${daemons[i]}" && wait "${daemons[i]}"
    done 2>/dev/null
    if [ "$failures" -gt 0 ]; then
        tail -n 30 "$work"/*.log "$work"/*.out
    fi
    rm -rf "$work"
}
trap 'exit 1' HUP INT TERM
trap clean_up EXIT

# A port that nobody listens on, below those that connections get.
free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        (: <>/dev/tcp/127.0.0.1/$port) 2>/dev/null || break
    done
    echo $port
}

# Open MPI names what processes share in memory after the job, so that numbers of jobs must be others
# than those of another Slurm on this machine.
write_conf() {
    local host
    host=$(hostname -s)
    cat >"$SLURM_CONF" <<EOF
ClusterName=mwt
FirstJobId=$((1000 + RANDOM * 100))
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$work/munge.socket
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
TmpFS=$work
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0
KillWait=$patience_s
ReturnToService=2
SlurmdParameters=config_overrides
NodeName=$host NodeAddr=127.0.0.1 Port=$(free_port) CPUs=8 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
EOF
}

# start NAME COMMAND...: a daemon in the foreground.
start() {
    local log=$work/$1.log
    shift
    "$@" >"$log" 2>&1 </dev/null &
    daemons+=($!)
}

has_munge() {
    munge -n -S "$work/munge.socket" 2>/dev/null | unmunge -S "$work/munge.socket" >/dev/null 2>&1
}

has_node() {
    [ "$(sinfo -h -o %T 2>/dev/null)" = idle ]
}

start_slurm() {
    mkdir "$work/state" "$work/spool"
    write_conf
    (umask 077 && head -c 1024 /dev/urandom >"$work/munge.key")
    start munged munged --foreground --key-file "$work/munge.key" --socket "$work/munge.socket" \
        --pid-file "$work/munged.pid" --log-file "$work/munged.log" --seed-file "$work/munged.seed"
    await "munged" has_munge || return 1
    start slurmctld slurmctld -D
    start slurmd slurmd -D
    await "an idle node" has_node
}

# check WHAT COMMAND...: the command must succeed.
check() {
    local what=$1
    shift
    "$@" || fail "$what"
}

has_line() {
    grep -q "$1" "${@:2}" 2>/dev/null
}

# has_lines COUNT TEXT FILE...: so many lines, no less and no more.
has_lines() {
    [ "$(cat "${@:3}" 2>/dev/null | grep -c "$2")" -eq "$1" ]
}

# check_hello FILE SLAVES: what hello_world prints as a farm of so many slaves.
check_hello() {
    local i
    for i in 0 1 2 3 4 5 6 7 8 9; do
        check "$1: task $i once" has_lines 1 "^Got result from slave: \"Hello World: Task $i\"\$" "$1"
    done
    check "$1: the master's end" has_lines 1 "^Master algo cleanup form.\$" "$1"
    check "$1: the ends of $2 slaves" has_lines "$2" "^Slave algo cleanup form.\$" "$1"
}

# Submits a script of examples/batch, and sets `job`.
submit() {
    job=$(sbatch --parsable "$@") || fail "sbatch $*"
}

# What scontrol says of all elements of a job: "FIELD=..." words.
job_words() {
    scontrol --oneliner show job "$1" | tr ' ' '\n' | grep "^$2="
}

is_over() {
    ! job_words "$1" JobState | grep -qE '=(PENDING|CONFIGURING|RUNNING|COMPLETING|SUSPENDED)$'
}

# check_job JOB STATE EXIT: waits for the end of all its elements; EXIT is as scontrol has it,
# STATUS:SIGNAL.
check_job() {
    local end
    await "the end of job $1" is_over "$1" || return
    end=$(job_words "$1" '\(JobState\|ExitCode\)' | sort -u | xargs)
    [ "$end" = "ExitCode=$3 JobState=$2" ] || fail "job $1 is not $2, $3 but $end"
}

# await_task_0 COUNT FILE...: until task 0 was begun so often. Sets `slave_pid`, the process that has
# it, if that was once.
await_task_0() {
    await "the begin of task 0, time $1" has_lines "$1" '^task 0 runs, pid ' "${@:2}" || return
    slave_pid=$(sed -n 's/^task 0 runs, pid //p' "${@:2}")
}

# Lets task 0 end.
open_gate() {
    timeout $patience_s sh -c ": >'$FARM_GATE'" || fail "nobody waits at the gate"
}

# A farm over MPI in one command.
test_mpi_commands() {
    srun --mpi="$pmi" -n 4 "$hello" >srun.out 2>srun.log </dev/null || fail "srun exits with $?"
    check_hello srun.out 3
    salloc -n 4 "$mpiexec" "$hello" >salloc.out 2>salloc.log </dev/null || fail "salloc exits with $?"
    check_hello salloc.out 3
}

# Without a way for MPI to join the processes that srun starts, there are sentences and no farms; with
# options that say what each process is there is no MPI.
test_plain_srun() {
    local status
    srun --mpi=none -n 3 "$hello" >plain.out 2>plain.log </dev/null
    status=$?
    [ $status -eq 2 ] || fail "a plain srun exits with $status"
    check "one sentence" has_lines 1 '^hello_world: srun started 3 processes, but ' plain.log
    check "no farm" has_lines 0 . plain.out

    srun --mpi=none -n 2 "$hello" --mw-local 1 >own.out 2>own.log </dev/null ||
        fail "srun of local farms exits with $?"
    check "two farms" has_lines 2 '^Master algo cleanup form.$' own.out

    rm -f farm.rsc
    "$farm" nap:20 100 --mw-master --mw-master-host 127.0.0.1 --mw-resource-file farm.rsc \
        >own-master.out 2>own-master.log </dev/null &
    srun --mpi=none -n 3 "$farm" --mw-slave --mw-resource-file farm.rsc </dev/null ||
        fail "srun of slaves exits with $?"
    wait $! || fail "their master exits with $?"
    check "all tasks" has_line '^farm: 100 done, 0 failed, 0 unrunnable, 0 lost or wrong$' \
        own-master.out
}

# A local farm has as many slaves as its job has processors, though this Slurm does not bind it.
test_share() {
    srun --mpi=none -n 1 "$hello" >share.out 2>share.log </dev/null || fail "srun exits with $?"
    check_hello share.out 1
}

# A farm over MPI in one batch job; what is run without arguments; and a job that loses a rank ends.
test_mpi_batch() {
    submit -o mpi.out "$batch/mpi.sbatch" "$hello"
    check_job "$job" COMPLETED 0:0
    check_hello mpi.out 3

    submit -n 3 -o default.out "$batch/mpi.sbatch"
    check_job "$job" COMPLETED 0:0
    check_hello default.out 2

    submit -n 3 -o rank.out "$batch/mpi.sbatch" "$farm" gate:1 5
    await_task_0 1 rank.out || return
    kill -9 "$slave_pid"
    check_job "$job" FAILED 137:0
}

# A farm of a master job and an array of slaves that find it by the resource file. One slave is killed
# while it runs a task: it is started again, and the task is run by another.
test_farm() {
    local master slaves
    rm -f farm.rsc
    submit --array=1-2 -o 'slave-%a.out' "$batch/slaves.sbatch" "$farm" gate:1 30
    slaves=$job
    submit -o master.out "$batch/master.sbatch" "$farm" gate:1 30 --mw-master-host 127.0.0.1
    master=$job

    await_task_0 1 slave-1.out slave-2.out || return
    kill -9 "$slave_pid"
    await_task_0 2 slave-1.out slave-2.out || return
    await "a third slave" has_line 'SLAVE-2 ' master.out || return
    open_gate

    check_job "$master" COMPLETED 0:0
    check_job "$slaves" COMPLETED 0:0
    check "all tasks" has_line '^farm: 30 done, 0 failed, 0 unrunnable, 0 lost or wrong$' master.out
    check "one new try" has_lines 1 '^try 1 of 20: the slave ended with status 137$' slave-?.out
    check "a finished resource file" has_line '"finished"' farm.rsc
    if [ -z "${MW_INSECURE-}" ]; then
        check "an encrypted farm" has_line '"encryption": "tls"' farm.rsc
        check "a private resource file" [ "$(stat -c %a farm.rsc)" = 600 ]
        check "no warning" has_lines 0 insecure master.out slave-1.out slave-2.out
    fi

    submit --array=1 -o late.out "$batch/slaves.sbatch" "$farm"
    check_job "$job" COMPLETED 0:0
    check "a late slave has nothing to do" has_lines 0 '^try' late.out
}

# A rank and an array of slaves on one master. The rank has task 0 until a slave was killed in the middle
# of one of its own: it is started again, and the job goes on.
test_mixed() {
    local master slaves
    rm -f farm.rsc
    submit -n 2 -o mixed.out "$batch/mixed.sbatch" "$farm" gate:1,doze:100 80 \
        --mw-master-host 127.0.0.1
    master=$job
    await_task_0 1 mixed.out || return
    submit --array=1-2 -o 'guest-%a.out' "$batch/slaves.sbatch" "$farm"
    slaves=$job
    await "a task of a guest" has_line '^task [0-9]* runs, pid ' guest-1.out || return
    kill -9 "$(sed -n 's/^task [0-9]* runs, pid //p' guest-1.out | head -n 1)"
    await "its successor" has_line 'SLAVE-3 ' mixed.out || return
    open_gate

    check_job "$master" COMPLETED 0:0
    check_job "$slaves" COMPLETED 0:0
    check "all tasks" has_line '^farm: 80 done, 0 failed, 0 unrunnable, 0 lost or wrong$' mixed.out
    check "one new try" has_lines 1 '^try 1 of 20: the slave ended with status 137$' guest-?.out
    check "one rank" has_lines 1 'NEW-CLIENT -> rank ' mixed.out
}

# Without arguments.
test_farm_by_default() {
    local slaves
    rm -f farm.rsc
    submit --array=1-2 -o 'default-%a.out' "$batch/slaves.sbatch"
    slaves=$job
    submit -o default-master.out "$batch/master.sbatch"
    check_job "$job" COMPLETED 0:0
    check_job "$slaves" COMPLETED 0:0
    check_hello default-master.out 0
}

# scancel of a slave lets it say goodbye, and does not start it again; scancel of a master leaves
# a resource file that says so. A slave that finds no master gives up after its tries.
test_cancel() {
    local slave
    rm -f farm.rsc
    submit --array=1 -o cancelled.out "$batch/slaves.sbatch" "$farm"
    slave=$job
    submit -o cancelled-master.out "$batch/master.sbatch" "$farm" nap:20 10000 \
        --mw-master-host 127.0.0.1
    await "a result" has_line '^task 0 done' cancelled-master.out || return
    scancel "$slave"
    check_job "$slave" CANCELLED 255:0
    check "no new try" has_lines 0 '^try' cancelled.out
    await "the slave's goodbye" has_line 'SLAVE-0 -> GOODBYE' cancelled-master.out

    scancel "$job"
    check_job "$job" CANCELLED 143:0
    check "a failed resource file" has_line '"failed"' farm.rsc

    MW_CONNECT_TIMEOUT=0 TRIES=2 submit --array=1 -o lonely.out "$batch/slaves.sbatch" "$farm"
    check_job "$job" FAILED 255:0
    check "two tries" has_lines 2 '^try . of 2: the slave ended with status 255$' lonely.out
}

# The process of the master that works in this folder.
master_pid() {
    local process
    for process in /proc/[0-9]*; do
        if [ "$(readlink "$process/cwd")" = "$PWD" ] && has_line mw-master "$process/cmdline"; then
            echo "${process#/proc/}"
        fi
    done
}

# has_at_most COUNT TEXT FILE...: so many lines, or less.
has_at_most() {
    [ "$(cat "${@:3}" 2>/dev/null | grep -c "$2")" -le "$1" ]
}

# The run that the guide shows, "Runs that survive". The first master is killed, and the second gets
# SIGTERM, as at its time limit. The third ends the work, and the fourth has all from the journal. The
# slaves go on from one to the next, so that hardly a task begins twice: one of each slave's, if that
# needs so long to find the next master that nothing else waits.
test_survive() {
    local jobs masters slaves number
    mkdir survive && cd survive || return
    jobs=$(SBATCH_OUTPUT=%x-%a.out "$batch/survive.sh" "$farm" doze:100 600) ||
        fail "survive.sh exits with $?"
    read -r masters slaves < <(echo "$jobs" | sed 's/.* //' | xargs)

    await "work of the first master" has_line '^task 20 done' mw-master-1.out
    kill -9 "$(master_pid)"
    await "work of the second" has_line ' -> [0-9]* results$' mw-master-2.out
    scancel "${masters}_2"
    await "the end of the fourth" has_line '^farm: ' mw-master-4.out
    scancel "$masters" "$slaves"
    await "the end of the slaves" is_over "$slaves"

    check "the first was killed" has_lines 0 '^farm: ' mw-master-1.out
    check "work for the third" has_line ' -> [0-9]* results$' mw-master-3.out
    for number in 3 4; do
        check "all tasks" has_line '^farm: 600 done, 0 failed, 0 unrunnable, 0 lost or wrong$' \
            "mw-master-$number.out"
    done
    check "no work for the fourth" has_line 'JOURNAL "sweep.mwj" has 600 results of 3 runs$' \
        mw-master-4.out
    check "hardly a task begun twice" has_at_most 607 '^task [0-9]* runs, pid ' mw-slave-*.out
    cd ..
}

batch=$(realpath "$batch")
hello=$(realpath "$hello")
farm=$(realpath "$farm")
cd "$work" || exit 1
start_slurm || exit 1
mkdir -p build/examples
ln -s "$hello" build/examples/ping
ln -s "$hello" build/examples/monte_carlo_pi
mkfifo gate
export FARM_GATE=$work/gate PAUSE=0.2 TRIES=20
export MW_CONNECT_TIMEOUT=$patience_s MW_SHUTDOWN_TIMEOUT=$patience_s

if [ -n "$mpiexec" ]; then
    test_mpi_commands
    test_plain_srun
fi
# The batch scripts are for PMIx.
if [ "$pmi" = pmix ]; then
    test_mpi_batch
    test_mixed
fi
if [ -z "$mpiexec" ]; then
    echo "NOT TESTED: MPI, since this is a build without"
fi
test_share
test_farm
test_farm_by_default
test_cancel
test_survive
[ $failures -eq 0 ] && echo "all as it should be, after $SECONDS s"
exit $((failures > 0))
