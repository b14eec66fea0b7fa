# SPDX-License-Identifier: Apache-2.0
# Builds the library and hello_world without a part, TCP or MPI: what does not need it works, and who
# asks for it is told what is missing.
#
#   cmake -DPART=.. -DSOURCE=.. -DWORK=.. -DCC=.. -DGENERATOR=.. -DMPIEXEC=.. -P FILE
include(${CMAKE_CURRENT_LIST_DIR}/checks.cmake)
set(hello ${WORK}/examples/hello_world)
set(good "Got result from slave: \"Hello World: Task 9\"")
set(missing "MW_WITH_${PART}=OFF")

file(REMOVE_RECURSE ${WORK})
run(${CMAKE_COMMAND} -S ${SOURCE} -B ${WORK} -G ${GENERATOR} -DCMAKE_C_COMPILER=${CC}
    -DCMAKE_BUILD_TYPE=Debug -DMW_BUILD_TESTS=OFF -DMW_WERROR=ON -DMW_WITH_${PART}=OFF)
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
