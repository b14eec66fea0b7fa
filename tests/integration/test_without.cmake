# SPDX-License-Identifier: Apache-2.0
# Builds the library and hello_world without a part, TCP, TLS or MPI: what does not need it works, and
# who asks for it is told what is missing.
#
#   cmake -DPART=.. -DSOURCE=.. -DWORK=.. -DCC=.. -DGENERATOR=.. -DMPIEXEC=.. -DWITH_TLS=.. -P FILE
include(${CMAKE_CURRENT_LIST_DIR}/checks.cmake)
set(hello ${WORK}/examples/hello_world)
set(good "Got result from slave: \"Hello World: Task 9\"")
set(missing "MW_WITH_${PART}=OFF")

# What the build under test does without may be missing here.
set(options -DMW_WITH_TLS=${WITH_TLS})
if(NOT MPIEXEC)
    list(APPEND options -DMW_WITH_MPI=OFF)
endif()
file(REMOVE_RECURSE ${WORK})
run(${CMAKE_COMMAND} -S ${SOURCE} -B ${WORK} -G ${GENERATOR} -DCMAKE_C_COMPILER=${CC}
    -DCMAKE_BUILD_TYPE=Debug -DMW_BUILD_TESTS=OFF -DMW_WERROR=ON ${options}
    -DMW_WITH_${PART}=OFF)
run(${CMAKE_COMMAND} --build ${WORK} --parallel 2)

if(PART STREQUAL "MPI")
    check(0 ${good} ${hello} --mw-local 2)
    check(2 ${missing} ${hello} --mw-transport mpi)
    if(MPIEXEC)
        check(2 ${missing} ${MPIEXEC} -n 2 ${hello})
    endif()
    if(EXISTS ${WORK}/lib/mw)
        message(SEND_ERROR "a module was built")
    endif()
elseif(PART STREQUAL "TLS")
    set(insecure --mw-insecure --mw-resource-file ${WORK}/insecure.rsc)
    check(2 ${missing} ${hello} --mw-master)
    check(2 "--mw-insecure" ${hello} --mw-master)
    check(2 ${missing} ${hello} --mw-slave --mw-master-host 127.0.0.1 --mw-master-port 1)
    file(WRITE ${WORK}/farm.sh [["$@" --mw-slave &
"$@" --mw-master
status=$?
wait
exit $status
]])
    check(0 ${good} sh ${WORK}/farm.sh ${hello} ${insecure})
    check(0 ${good} ${hello} --mw-local 2)
    check(0 ${good} ${hello} --mw-local 0)
    check_absent(libssl ldd ${hello})
    check_absent(libcrypto ldd ${hello})
    if(MPIEXEC)
        check(0 ${good} ${MPIEXEC} -n 3 ${hello})
        check(2 ${missing} ${MPIEXEC} -n 2 ${hello} --mw-transport mpi,tcp)
    endif()
else()
    check(2 ${missing} ${hello})
    check(2 ${missing} ${hello} --mw-local 2)
    check(0 ${good} ${hello} --mw-local 0)
    check(2 ${missing} ${hello} --mw-master --mw-master-host 127.0.0.1)
    check(2 ${missing} ${hello} --mw-slave --mw-master-host 127.0.0.1 --mw-master-port 1)
    check_absent(libevent ldd ${hello})
    if(MPIEXEC)
        check(0 ${good} ${MPIEXEC} -n 3 ${hello})
    endif()
endif()
