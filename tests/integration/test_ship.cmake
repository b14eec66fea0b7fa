# SPDX-License-Identifier: Apache-2.0
# Ships programs with mw-ship and mw_ship, takes away all that they were built with, and runs what
# was shipped from somewhere else.
#
#   cmake -DBUILD=.. -DWORK=.. -DBINDIR=.. -DHELLO=.. -DSANITIZE=.. -DCC=.. -DGENERATOR=..
#       -DMPIEXEC=.. -P FILE
include(${CMAKE_CURRENT_LIST_DIR}/checks.cmake)
set(ship ${WORK}/prefix/${BINDIR}/mw-ship)
set(built ${WORK}/build)
set(toy ${built}/toy)
unset(ENV{LD_LIBRARY_PATH})
unset(ENV{MW_MODULE_PATH})

# check_files(FOLDER NAME...): the folder holds these files, and no others.
function(check_files folder)
    file(GLOB_RECURSE files RELATIVE ${folder} ${folder}/* ${folder}/.*)
    set(wanted ${ARGN})
    foreach(names files wanted)
        if(${names})
            list(SORT ${names})
        endif()
    endforeach()
    if(NOT "${files}" STREQUAL "${wanted}")
        message(SEND_ERROR "${folder} has ${files}, not ${wanted}")
    endif()
endfunction()

file(REMOVE_RECURSE ${WORK})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix)
run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR}/ship -B ${built} -G ${GENERATOR}
    -DCMAKE_C_COMPILER=${CC} -DSANITIZE=${SANITIZE} -DHELLO=${HELLO}
    -DCMAKE_PREFIX_PATH=${WORK}/prefix)
run(${CMAKE_COMMAND} --build ${built})

# The function.
foreach(name hello hello_static toy)
    run(${CMAKE_COMMAND} --build ${built} --target ship_${name})
endforeach()

# The command, with each option by itself, in both forms and anywhere.
check(0 libouter.so ${ship} ${toy} ${WORK}/plain)
check_files(${WORK}/plain toy libnameless.so libouter.so libinner.so)
check(0 toy ${ship} --ignore=libou*.so ${toy} ${WORK}/ignore)
check_files(${WORK}/ignore toy libnameless.so)
check(0 libextra.so ${ship} ${toy} --remap libinner.so=${built}/libother.so ${WORK}/remap)
check_files(${WORK}/remap toy libnameless.so libouter.so libinner.so libextra.so)
check(0 hello ${ship} ${built}/hello ${WORK}/both --ignore libmw.so.*)
if(MPIEXEC)
    check(0 libmpi.so ${ship} --with-mpi ${built}/hello_static ${WORK}/with_mpi)
    check(0 ${WORK}/with_mpi/mw/../libmpi.so ldd ${WORK}/with_mpi/mw/mw_mpi.so)
else()
    check(2 "no module" ${ship} --with-mpi ${built}/hello_static ${WORK}/with_mpi)
endif()

# Again, into the same folder, and from one that was shipped: then there is nothing to change. Into
# the program's own folder it would not be a copy.
check(0 libouter.so ${ship} ${toy} ${WORK}/plain)
check(2 "is where the program lies already" ${ship} ${WORK}/plain/toy ${WORK}/plain)
file(MAKE_DIRECTORY ${WORK}/tools)
foreach(tool sh cat chmod cp cut dirname grep ldd mkdir mktemp mv od readelf readlink rm sed tail tr)
    find_program(path_of_${tool} ${tool} REQUIRED)
    file(CREATE_LINK ${path_of_${tool}} ${WORK}/tools/${tool} SYMBOLIC)
endforeach()
check(0 libouter.so env PATH=${WORK}/tools sh ${ship} ${WORK}/plain/toy ${WORK}/again)
check(2 "patchelf" env PATH=${WORK}/tools sh ${ship} ${toy} ${WORK}/unpatched)
check_files(${WORK}/unpatched)

# What cannot be shipped is said, and nothing is left behind.
file(WRITE ${WORK}/script "#!/bin/sh\n")
file(WRITE ${WORK}/empty "")
string(ASCII 127 69 76 70 9 9 1 1 1 1 1 1 1 1 1 1 1 1 99 99 header)
file(WRITE ${WORK}/foreign "${header}")
check(2 "usage: mw-ship PROGRAM FOLDER" ${ship})
check(2 "usage: mw-ship PROGRAM FOLDER" ${ship} ${toy})
check(2 "--ignore lacks its value" ${ship} ${toy} ${WORK}/none --ignore)
check(2 "--remap wants FROM=TO" ${ship} ${toy} ${WORK}/none --remap libinner.so)
check(2 "--fast is unknown" ${ship} ${toy} ${WORK}/none --fast)
check(2 "more is too much" ${ship} ${toy} ${WORK}/none more)
check(2 "${WORK}/missing: no such file" ${ship} ${WORK}/missing ${WORK}/none)
check(2 "${WORK}: cannot be read" ${ship} ${WORK} ${WORK}/none)
check(2 "${WORK}/script: is not an ELF file" ${ship} ${WORK}/script ${WORK}/none)
check(2 "${WORK}/empty: is not an ELF file" ${ship} ${WORK}/empty ${WORK}/none)
check(2 "${WORK}/foreign: is for another kind of machine" ${ship} ${WORK}/foreign ${WORK}/none)
check(2 "${WORK}/missing: no such file" ${ship} ${toy} ${WORK}/unmapped
    --remap libinner.so=${WORK}/missing)
check(2 "cannot be made" ${ship} ${toy} ${WORK}/script/none)
check(2 "cannot be written" ${ship} ${toy} /proc/self)
check(0 "usage: mw-ship PROGRAM FOLDER" ${ship} --help)
if(EXISTS ${WORK}/none)
    message(SEND_ERROR "${WORK}/none was made")
endif()

# What was left out is still found where it was before.
check(0 "toy 10011" ${WORK}/ignore/toy)

# Here ends the world in which the programs were built.
file(RENAME ${built}/shipped ${WORK}/elsewhere)
file(RENAME ${built}/libouter.so ${WORK}/libouter.so)
check(2 "libouter.so, which toy needs, is not found" ${ship} ${toy} ${WORK}/unfound)
check_files(${WORK}/unfound)
file(REMOVE_RECURSE ${built} ${WORK}/prefix)

check(0 "toy 10011" ${WORK}/plain/toy)
check(0 "toy 10011" ${WORK}/again/toy)
check(0 "toy 11110" ${WORK}/remap/toy)
check(0 "toy 11110" ${WORK}/elsewhere/toy/toy)
check(127 "libouter.so" ${WORK}/ignore/toy)
check(127 "libmw.so" ${WORK}/both/hello)
check_absent(libjansson ls ${WORK}/elsewhere/hello_static)
check_absent(mw_mpi ls -R ${WORK}/elsewhere/hello_static)

# What runs as a farm says in its resource file what it has loaded: just what was shipped.
foreach(name hello hello_static)
    set(folder ${WORK}/elsewhere/${name})
    set(resource_file ${WORK}/${name}.rsc)
    check(0 "Got result from slave: \"Hello World: Task 9\""
        ${folder}/${name} --mw-local 2 --mw-resource-file ${resource_file})
    file(READ ${resource_file} resources)
    string(JSON count LENGTH ${resources} shared-libraries)
    set(loaded ${name})
    foreach(i RANGE 1 ${count})
        math(EXPR i "${i} - 1")
        string(JSON path GET ${resources} shared-libraries ${i})
        if(path MATCHES libjansson AND name STREQUAL hello_static)
            continue()
        endif()
        cmake_path(RELATIVE_PATH path BASE_DIRECTORY ${folder})
        list(APPEND loaded ${path})
    endforeach()
    if(MPIEXEC AND name STREQUAL hello)
        list(APPEND loaded mw/mw_mpi.so)
    endif()
    check_files(${folder} ${loaded})
endforeach()
if(MPIEXEC)
    set(ENV{ASAN_OPTIONS} detect_leaks=0)
    check(0 "Hello World: Task 9" ${MPIEXEC} -n 3 ${WORK}/elsewhere/hello/hello)
    check(0 "Hello World: Task 9" ${MPIEXEC} -n 3 ${WORK}/with_mpi/hello_static)
endif()
