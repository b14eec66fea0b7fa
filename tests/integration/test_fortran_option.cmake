# SPDX-License-Identifier: Apache-2.0
# Where there is no Fortran compiler, MW_WITH_FORTRAN=AUTO goes on without, and ON says what to do.
#
#   cmake -DSOURCE=.. -DWORK=.. -DCC=.. -DGENERATOR=.. -P FILE
include(${CMAKE_CURRENT_LIST_DIR}/checks.cmake)
set(configure ${CMAKE_COMMAND} -S ${SOURCE} -B ${WORK} -G ${GENERATOR} -DCMAKE_C_COMPILER=${CC}
    -DCMAKE_Fortran_COMPILER=NOTFOUND -DMW_BUILD_TESTS=OFF -DMW_WITH_MPI=OFF)

file(REMOVE_RECURSE ${WORK})
check(0 "No Fortran module: it needs a Fortran compiler" ${configure})
check(1 "MW_WITH_FORTRAN=ON needs a Fortran compiler" ${configure} -DMW_WITH_FORTRAN=ON)
check(0 "Configuring done" ${configure} -DMW_WITH_FORTRAN=OFF)
