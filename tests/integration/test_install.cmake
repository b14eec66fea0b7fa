# SPDX-License-Identifier: Apache-2.0
# Installs the build, moves what was installed, and builds and runs a project of a user's own against
# it: with find_package, the shared and the static library, and with pkg-config. The same in Fortran, if
# FC is not empty; if it is, the package says that it has no such component.
#
#   cmake -DBUILD=.. -DWORK=.. -DLIBDIR=.. -DDOCDIR=.. -DCC=.. -DFC=.. -DGENERATOR=.. -DSANITIZE=..
#       -DMPIEXEC=.. -P FILE
include(${CMAKE_CURRENT_LIST_DIR}/checks.cmake)
set(source ${CMAKE_CURRENT_LIST_DIR}/consumer)
set(good "sum 385, library as the headers")
set(prefix ${WORK}/moved)
set(lib ${prefix}/${LIBDIR})
set(flags "")
if(SANITIZE)
    set(flags -fsanitize=${SANITIZE})
endif()

file(REMOVE_RECURSE ${WORK})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix)
file(RENAME ${WORK}/prefix ${prefix})
foreach(file include/mw/mw.h include/mw/embed.h include/mw/sim.h include/mw/transport.h
        ${LIBDIR}/libmw.so ${LIBDIR}/libmw.a ${LIBDIR}/cmake/mw/mw-config.cmake
        ${LIBDIR}/pkgconfig/mw.pc share/man/man3/mw.3 share/man/man3/mw_master_submit.3
        share/man/man7/mw.7 ${DOCDIR}/LICENSE ${DOCDIR}/README.md ${DOCDIR}/docs/guide.md
        ${DOCDIR}/docs/batch.md ${DOCDIR}/examples/ping.c ${DOCDIR}/examples/batch/master.sbatch)
    check_file(${prefix}/${file})
endforeach()
# The function's page leads to one that is there.
file(READ ${prefix}/share/man/man3/mw_master_submit.3 text)
string(REGEX REPLACE "^\\.so (.*)\n$" "\\1" page "${text}")
check_file(${prefix}/share/man/${page})

run(${CMAKE_COMMAND} -S ${source} -B ${WORK}/consumer -G ${GENERATOR} -DCMAKE_C_COMPILER=${CC}
    "-DCMAKE_C_FLAGS=${flags}" -DCMAKE_PREFIX_PATH=${prefix})
run(${CMAKE_COMMAND} --build ${WORK}/consumer)
check(0 ${good} ${WORK}/consumer/consumer --mw-local 2)
check(0 ${good} ${WORK}/consumer/consumer_static --mw-local 2)
check(0 ${lib}/libmw.so ldd ${WORK}/consumer/consumer)
check_absent(libmw.so ldd ${WORK}/consumer/consumer_static)

check(1 "mw has no component \"shared\"" ${CMAKE_COMMAND} -S ${source} -B ${WORK}/unknown
    -G ${GENERATOR} -DCMAKE_C_COMPILER=${CC} -DCMAKE_PREFIX_PATH=${prefix} -DCOMPONENT=shared)

set(ENV{PKG_CONFIG_PATH} ${lib}/pkgconfig)
execute_process(COMMAND pkg-config --cflags --libs mw COMMAND_ERROR_IS_FATAL ANY
    OUTPUT_VARIABLE words OUTPUT_STRIP_TRAILING_WHITESPACE)
separate_arguments(words UNIX_COMMAND "${words}")
run(${CC} -std=c11 ${flags} -o ${WORK}/by_pkg_config ${source}/consumer.c ${words})
# An installed example is built as its README.md says, and so is a static program.
run(${CC} -std=c11 ${flags} -o ${WORK}/hello_world ${prefix}/${DOCDIR}/examples/hello_world.c
    ${words})
set(ENV{LD_LIBRARY_PATH} ${lib})
check(0 "Hello World" ${WORK}/hello_world --mw-local 2)
if(NOT SANITIZE)
    execute_process(COMMAND pkg-config --static --cflags --libs mw COMMAND_ERROR_IS_FATAL ANY
        OUTPUT_VARIABLE static_words OUTPUT_STRIP_TRAILING_WHITESPACE)
    separate_arguments(static_words UNIX_COMMAND "${static_words}")
    run(${CC} -std=c11 -static -o ${WORK}/static_by_pkg_config ${source}/consumer.c ${static_words})
    check(0 ${good} ${WORK}/static_by_pkg_config --mw-local 2)
    if(MPIEXEC)
        check(2 "a static program cannot load the MPI module" ${WORK}/static_by_pkg_config
            --mw-transport mpi)
    endif()
endif()
# A program with the shared library needs no package files but those of mw and msgpack-c.
file(GLOB_RECURSE packages /usr/lib*/msgpack*.pc /usr/share/pkgconfig/msgpack*.pc
    /usr/local/lib/msgpack*.pc)
if(packages)
    file(COPY ${packages} ${lib}/pkgconfig/mw.pc DESTINATION ${WORK}/packages)
    run(${CMAKE_COMMAND} -E env --unset=PKG_CONFIG_PATH PKG_CONFIG_LIBDIR=${WORK}/packages
        pkg-config --cflags --libs mw)
endif()
check(0 ${good} ${WORK}/by_pkg_config --mw-local 2)
check(0 ${lib}/libmw.so ldd ${WORK}/by_pkg_config)

set(source ${CMAKE_CURRENT_LIST_DIR}/consumer_fortran)
set(configure ${CMAKE_COMMAND} -S ${source} -B ${WORK}/consumer_fortran -G ${GENERATOR}
    -DCMAKE_PREFIX_PATH=${prefix})
if(FC)
    check_file(${prefix}/${DOCDIR}/fortran/mw.f90)
    run(${configure} -DCMAKE_Fortran_COMPILER=${FC} "-DCMAKE_Fortran_FLAGS=${flags}")
    run(${CMAKE_COMMAND} --build ${WORK}/consumer_fortran)
    check(0 "sum 385" ${WORK}/consumer_fortran/consumer_fortran --mw-local 2)
    execute_process(COMMAND pkg-config --cflags --libs mw-fortran COMMAND_ERROR_IS_FATAL ANY
        OUTPUT_VARIABLE words OUTPUT_STRIP_TRAILING_WHITESPACE)
    separate_arguments(words UNIX_COMMAND "${words}")
    run(${FC} ${flags} -J ${WORK} -o ${WORK}/fortran_by_pkg_config ${source}/consumer.f90 ${words})
    check(0 "sum 385" ${WORK}/fortran_by_pkg_config --mw-local 2)
else()
    check(1 "this mw was built without its Fortran module" ${configure} -DLANGUAGES=C
        -DCMAKE_C_COMPILER=${CC})
endif()

# A Fortran program with MPI, by MPI's own compiler.
if(MPIFC AND FC)
    execute_process(COMMAND pkg-config --cflags --libs mw-fortran-mpi COMMAND_ERROR_IS_FATAL ANY
        OUTPUT_VARIABLE words OUTPUT_STRIP_TRAILING_WHITESPACE)
    separate_arguments(words UNIX_COMMAND "${words}")
    run(${MPIFC} ${flags} -J ${WORK} -o ${WORK}/poisson_mpi
        ${CMAKE_CURRENT_LIST_DIR}/../../examples/poisson_mpi.f90 ${words} -Wl,-rpath,${lib})
    check(0 "round 4" ${CMAKE_COMMAND} -E env ASAN_OPTIONS=detect_leaks=0
        ${MPIEXEC} -n 3 ${WORK}/poisson_mpi --points 30 --sweeps 50)
    set(source ${CMAKE_CURRENT_LIST_DIR}/consumer_fortran)
    run(${CMAKE_COMMAND} -S ${source} -B ${WORK}/consumer_fortran_mpi -G ${GENERATOR}
        -DCMAKE_PREFIX_PATH=${prefix} -DCMAKE_Fortran_COMPILER=${MPIFC}
        "-DCMAKE_Fortran_FLAGS=${flags}" -DPROGRAM=${CMAKE_CURRENT_LIST_DIR}/../../examples/poisson_mpi.f90)
    run(${CMAKE_COMMAND} --build ${WORK}/consumer_fortran_mpi)
endif()

if(MPIEXEC)
    set(ENV{ASAN_OPTIONS} detect_leaks=0)
    check_file(${lib}/mw/mw_mpi.so)
    check(0 ${good} ${MPIEXEC} -n 3 ${WORK}/consumer/consumer)
    # A program with the static library finds the module beside itself, also if PATH leads to it.
    file(COPY ${lib}/mw/mw_mpi.so DESTINATION ${WORK}/consumer/mw)
    set(path $ENV{PATH})
    set(ENV{PATH} ${WORK}/consumer:${path})
    check(0 ${good} ${MPIEXEC} -n 3 consumer_static)
    set(ENV{PATH} ${path})
    file(REMOVE_RECURSE ${WORK}/consumer/mw)
    set(ENV{MW_MODULE_PATH} ${lib}/mw)
    check(0 ${good} ${MPIEXEC} -n 3 ${WORK}/consumer/consumer_static)
endif()
