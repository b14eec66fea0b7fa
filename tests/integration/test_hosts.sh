#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Farms across three hosts, which are network namespaces at one switch: a master over TCP behind
# several addresses, of both families, whose third host is cut off twice and healed; and an MPI job
# across two of them; and names whose name server does not answer.
#
#   test_hosts.sh FARM [MPIEXEC]
#
# Without MPIEXEC there is no MPI. Exits 77 where there can be no network namespaces.
#
# All of it - processes, hosts, files - lives in namespaces of its own, of which nobody else sees
# anything, and which the kernel takes down with all that is in them when their first process ends,
# however it ends: nothing can stay behind, and runs side by side do not meet.
# shellcheck disable=SC2317 # functions are called by await and check
set -u
PATH=$PATH:/usr/sbin:/sbin

# How long anything is waited for, far more than it takes: so the only limit, however slow the machine.
patience_s=300

# In the namespaces of the test.

# /run is where ip keeps the names of hosts; the test's files go there too.
make_place() {
    mount -t tmpfs -o mode=755 mw_hosts /run && mkdir /run/work || return
    cd /run/work || return
}

on() { # HOST COMMAND...
    ip netns exec "$@"
}

# add_host NAME NUMBER: at the switch, and with addresses that end in the number.
add_host() {
    ip netns add "$1" && ip -n switch link add name "$1" type veth peer name eth0 netns "$1" &&
        ip -n switch link set dev "$1" master bridge up && ip -n "$1" link set dev lo up &&
        ip -n "$1" link set dev eth0 up && ip -n "$1" address add "10.77.0.$2/24" dev eth0
}

make_hosts() {
    ip netns add switch && ip -n switch link add name bridge type bridge forward_delay 0 &&
        ip -n switch link set dev bridge up && add_host a 1 && add_host b 2 && add_host c 3 && on a true
}

# Addresses that can be used at once, without a look whether somebody else has them.
add_ipv6() {
    local name number=0
    for name in a b c; do
        number=$((number + 1))
        ip -n $name address add fd77::$number/64 dev eth0 nodad &&
            ip -n $name address add fe80::77:$number/64 dev eth0 nodad || return
    done
}

# As if the cable of host c were pulled and put back.
cut_off() {
    ip -n switch link set dev c down
}

heal() {
    ip -n switch link set dev c up
}

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

# check WHAT COMMAND...: the command must succeed.
check() {
    local what=$1
    shift
    "$@" || fail "$what"
}

count_lines() { # TEXT FILE
    grep -c "$1" "$2" 2>/dev/null
}

has_lines() { # COUNT TEXT FILE: so many lines, no less and no more
    [ "$(count_lines "$2" "$3")" = "$1" ]
}

has_line() { # TEXT FILE
    grep -q "$1" "$2" 2>/dev/null
}

# start_master FARM ADDRESS BOUND: a master on host a that listens on all interfaces, at the first
# port that is free there, and asks to be found at the address.
start_master() {
    local interfaces=()
    # An insecure master listens on other interfaces than the loopback one only if it is told to.
    [ -z "${MW_INSECURE-}" ] || interfaces=(--mw-master-host ::)
    on a "$farm" token:0 $tasks --mw-master --mw-advertise "$2" --mw-master-port 7000-7009 \
        "${interfaces[@]}" --mw-resource-file "$1.rsc" --mw-client-timeout 4 --mw-shutdown-timeout $patience_s \
        --mw-slave-task-group 2 >"$1.out" 2>"$1.log" &
    masters+=($!)
    await "the master of $1" has_line ' MASTER READY ' "$1.log" || return
    check "$1: where slaves shall connect" has_line " MASTER READY $3\$" "$1.log"
}

# What a batch system does: starts a slave again until it ends with 0.
keep_slave() { # FARM HOST
    until FARM_TOKENS=$1-$2.tokens on "$2" "$farm" --mw-slave --mw-resource-file "$1.rsc" \
        --mw-connect-timeout $patience_s; do
        echo "the slave ended with status $?"
        sleep 0.1
    done
}

# start_slave FARM HOST: and waits until it runs its first task.
start_slave() {
    mkfifo "$1-$2.tokens"
    # Open, so that those who read wait instead of finding the end.
    # shellcheck disable=SC2034 # nobody needs the number
    exec {holder}<>"$1-$2.tokens"
    keep_slave "$1" "$2" >"$1-$2.log" 2>&1 &
    slaves+=($!)
    await "the first task of $1 on host $2" has_line '^task [0-9]* runs, ' "$1-$2.log"
}

# let_end FARM HOST COUNT: so many tasks.
let_end() {
    printf "%$3s" '' >"$1-$2.tokens"
}

await_results() { # FARM COUNT
    await "$2 results of $1" has_lines "$2" '^task [0-9]* done by ' "$1.out"
}

# The id of the slave on the host, the last if there were several.
slave_id() { # FARM HOST
    sed -n 's/^.* MASTER -> ID \(SLAVE-[0-9]*\)$/\1/p' "$1-$2.log" | tail -n 1
}

# await_return FARM COUNT: until the slave on host c has lost its master so often, and was welcomed
# again, under a name that it had not before.
await_return() {
    await "end $2 of $1's slave on host c" has_lines "$2" '^the slave ended with status 255$' \
        "$1-c.log" || return
    await "the return of $1's slave on host c" has_lines $(($2 + 1)) ' MASTER -> ID SLAVE-' \
        "$1-c.log"
}

# Host c has a slave of each farm with two tasks; then come those of a and b.
start_farm() { # FARM ADDRESS BOUND
    farms+=("$1")
    start_master "$@" && start_slave "$1" c && start_slave "$1" a && start_slave "$1" b
}

# The others go on while c is cut off. Its silence is found by the kernel's probes, since slaves that
# have a task may be silent: that takes about 50 s.
check_goes_on() { # FARM
    let_end "$1" a 4
    let_end "$1" b 4
    await_results "$1" 8
}

await_loss() { # FARM
    await "the loss of $1's slave on host c" has_line ' SLAVE-0 -> :disconnected$' "$1.log" ||
        return
    check "$1: its tasks wait again" has_lines 2 \
        ' SLAVE-0 -> task [0-9]* of "token" requeued after attempt 1: ' "$1.log"
}

# The slave that was cut off ends its tasks, in vain; the one that is started in its place gets them,
# and all others that a and b do not have.
check_serves_again() { # FARM
    local i id
    let_end "$1" c 2
    await_return "$1" 1 || return
    id=$(slave_id "$1" c)
    let_end "$1" c $((tasks - 12))
    await_results "$1" $((tasks - 4)) || return
    for i in 0 1; do
        check "$1: task $i by the slave that came back" has_line "^task $i done by $id\$" "$1.out"
    done
}

# A slave without a task is asked, and missed soon.
await_silence() { # FARM
    await "the silence of $1's idle slave on host c" has_line \
        "$(slave_id "$1" c) dropped: it had no task and did not answer within --mw-client-timeout" \
        "$1.log"
}

# All ends well, and each task is done once.
check_end() { # FARM MASTER
    local i
    let_end "$1" a 2
    let_end "$1" b 2
    wait "$2" || fail "$1: the master exits with $?"
    check "$1: all tasks" has_line "^farm: $tasks done, 0 failed, 0 unrunnable, 0 lost or wrong\$" \
        "$1.out"
    for ((i = 0; i < tasks; i++)); do
        check "$1: task $i once" has_lines 1 "^task $i done by SLAVE-[0-9]*\$" "$1.out"
    done
    check "$1: slaves that were not cut off" has_lines 0 '^the slave ended' "$1-a.log"
    check "$1: slaves that were not cut off" has_lines 0 '^the slave ended' "$1-b.log"
    check "$1: a finished resource file" has_line '"finished"' "$1.rsc"
}

test_tcp() {
    local i name
    tasks=30 farms=() masters=() slaves=()
    start_farm ipv4 10.77.0.1 10.77.0.1:7000 || return
    if [ "$has_ipv6" = yes ]; then
        start_farm ipv6 '[fd77::1]' '\[fd77::1]:7001' || return
        check "the host of an IPv6 master" has_line '"host": "fd77::1"' ipv6.rsc
    fi

    cut_off
    for name in "${farms[@]}"; do check_goes_on "$name" || return; done
    for name in "${farms[@]}"; do await_loss "$name" || return; done
    heal
    for name in "${farms[@]}"; do check_serves_again "$name" || return; done

    cut_off
    for name in "${farms[@]}"; do await_silence "$name" || return; done
    heal
    for name in "${farms[@]}"; do await_return "$name" 2 || return; done
    for i in "${!farms[@]}"; do check_end "${farms[i]}" "${masters[i]}"; done
    for i in "${slaves[@]}"; do wait "$i" || fail "a slave's loop exits with $?"; done
}

# A link-local address is one only together with an interface, which has the same name on both hosts.
test_link_local() {
    local master
    on a "$farm" echo:0 10 --mw-master --mw-master-host '[fe80::77:1%eth0]' \
        --mw-resource-file link.rsc >link.out 2>link.log &
    master=$!
    on b "$farm" --mw-slave --mw-resource-file link.rsc >link-b.log 2>&1 ||
        fail "the slave of a link-local master exits with $?"
    wait $master || fail "a link-local master exits with $?"
    check "a link-local address" has_line ' MASTER READY \[fe80::77:1%eth0]:[0-9]*$' link.log
    check "a link-local host" has_line '"host": "fe80::77:1%eth0"' link.rsc
    check "all tasks" has_line '^farm: 10 done, 0 failed, 0 unrunnable, 0 lost or wrong$' link.out
}

# Nothing comes back from a dummy interface.
silence_name_server() {
    ip link set dev lo up && ip link add name silent type dummy && ip link set dev silent up &&
        ip address add 198.51.100.1/24 dev silent && echo 'nameserver 198.51.100.77' >resolv.conf &&
        mount --bind resolv.conf /etc/resolv.conf
}

# With a name server that does not answer, a master does not listen on a name that nobody knows, and
# says so after a second; SIGTERM ends a slave that searches at once; other names work as ever.
test_silent_name_server() {
    local slave began
    if ! silence_name_server 2>silent.log; then
        echo "NOT TESTED: a silent name server: $(head -n 1 silent.log)"
        return
    fi
    began=$SECONDS
    "$farm" echo:0 1 --mw-master --mw-master-host some.example >silent.out 2>silent.log &&
        fail "a master listens on an unknown name"
    [ $((SECONDS - began)) -lt 5 ] || fail "a master waits $((SECONDS - began)) s for a name server"
    check "no answer" has_line 'no name server has answered within a second' silent.log
    "$farm" --mw-slave --mw-master-host some.example --mw-master-port 7123 \
        --mw-connect-timeout $patience_s >>silent.out 2>silent-slave.log &
    slave=$!
    await "a searching slave" has_line 'INIT SLAVE' silent-slave.log
    began=$SECONDS
    kill -TERM $slave
    wait $slave && fail "a slave without a master exits with 0"
    [ $((SECONDS - began)) -lt 5 ] || fail "a slave waits $((SECONDS - began)) s for a name server"
    "$farm" echo:0 10 --mw-master --mw-master-host localhost --mw-resource-file local.rsc \
        >silent-local.out 2>silent-local.log &
    "$farm" --mw-slave --mw-resource-file local.rsc >silent-guest.log 2>&1 ||
        fail "the slave of localhost exits with $?"
    wait $! || fail "the master of localhost exits with $?"
    umount /etc/resolv.conf
}

# What mpirun starts its daemons with, in place of ssh: AGENT OPTION... HOST COMMAND...
write_agent() {
    cat >agent <<'AGENT'
#!/bin/sh
while [ "${1#-}" != "$1" ]; do
    shift
done
echo "$1" >>agent.log
case $1 in
10.77.0.1) name=a ;;
10.77.0.2) name=b ;;
*) exit 1 ;;
esac
shift
exec ip netns exec $name unshare --uts sh -c "hostname $name && $*"
AGENT
    chmod 755 agent
}

# Hosts need names of their own, or Open MPI takes them for one.
test_mpi() {
    local i name
    write_agent
    on a unshare --uts sh -c 'hostname a && exec "$@"' sh "$mpiexec" \
        --mca plm_rsh_agent "$PWD/agent" --mca btl tcp,self --mca pml ob1 \
        --host 10.77.0.1:2,10.77.0.2:2 "$farm" doze:5 40 --mw-audit-file 'mpi-%h-%p.log' \
        >mpi.out 2>mpi.log </dev/null || fail "mpirun exits with $?"
    check "mpirun went to host b" has_line '^10.77.0.2$' agent.log
    for name in a b; do
        i=$(find . -name "mpi-$name-*.log" | wc -l)
        [ "$i" -eq 2 ] || fail "$i processes on host $name, not 2"
    done
    check "all tasks over MPI" has_line '^farm: 40 done, 0 failed, 0 unrunnable, 0 lost or wrong$' \
        mpi.out
    for ((i = 0; i < 40; i++)); do
        check "task $i over MPI once" has_lines 1 "^task $i done by SLAVE-[0-9]*\$" mpi.out
    done
}

test_all() {
    failures=0 has_ipv6=yes
    make_place && make_hosts || return 1
    if ! add_ipv6 2>ipv6.log; then
        has_ipv6=no
        echo "NOT TESTED: IPv6: $(head -n 1 ipv6.log)"
    fi
    if [ -n "$mpiexec" ]; then
        test_mpi
    else
        echo "NOT TESTED: MPI, since this is a build without"
    fi
    test_silent_name_server
    [ $has_ipv6 = no ] || test_link_local
    test_tcp
    if [ $failures -gt 0 ]; then
        tail -n 40 ./*.log ./*.out
        return 1
    fi
    echo "all as it should be, after $SECONDS s"
}

# Outside of them.

skip() {
    echo "NOT TESTED: $1"
    exit 77
}

# Runs this script's function in namespaces of its own, which end when it or this process does.
isolate() {
    local as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(--map-root-user)
    exec setpriv --pdeathsig KILL unshare "${as_root[@]}" --mount --net --pid --fork --kill-child \
        --mount-proc "$0" --isolated "$@"
}

if [ "${1-}" = --isolated ]; then
    farm=${3-} mpiexec=${4-}
    case $2 in
    probe) make_place && make_hosts ;;
    *) test_all ;;
    esac
    exit
fi

farm=$(realpath "$1") || exit 1
mpiexec=${2-}
for tool in ip mount setpriv unshare; do
    command -v $tool >/dev/null || skip "$tool is not installed (Debian's packages: iproute2, mount, util-linux)"
done

# What a surrounding job or farm has set is not for those of the test.
unset "${!MW_@}" "${!OMPI_@}" "${!PMIX_@}" "${!SLURM_@}"
# MWT_WITHOUT_TLS is set for a build that can encrypt nothing.
[ -z "${MWT_WITHOUT_TLS-}" ] || export MW_INSECURE=1
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export TMPDIR=/run/work
# Open MPI leaves memory behind.
export ASAN_OPTIONS=detect_leaks=0

why=$(isolate probe 2>&1) || skip "network namespaces are not allowed here: ${why:-no reason given}"
isolate test "$farm" "$mpiexec" &
child=$!
trap 'kill -9 $child; exit 1' HUP INT TERM
wait $child
