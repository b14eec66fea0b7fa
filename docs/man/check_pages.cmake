# SPDX-License-Identifier: Apache-2.0
# Formats each of PAGES with GROFF, with all warnings on; any output on standard error is an error.
# Checks that the pages in FOLDER show how their programs are compiled, and that mw(7) names them all.
foreach(page ${PAGES})
    execute_process(COMMAND ${GROFF} -man -Tutf8 -P-c -P-b -P-u -ww ${page}
        OUTPUT_VARIABLE text ERROR_VARIABLE warnings RESULT_VARIABLE status)
    if(NOT status EQUAL 0 OR NOT warnings STREQUAL "" OR NOT text MATCHES "SEE ALSO")
        message(SEND_ERROR "${page}:\n${warnings}")
    endif()
endforeach()

function(check_says page text)
    execute_process(COMMAND ${GROFF} -man -Tutf8 -P-c -P-b -P-u ${FOLDER}/${page}
        OUTPUT_VARIABLE output)
    string(REGEX REPLACE "[ \n]+" " " output "${output}")
    string(REPLACE "‐" "-" output "${output}")
    string(FIND "${output}" "${text}" place)
    if(place EQUAL -1)
        message(SEND_ERROR "${page} does not say: ${text}")
    endif()
endfunction()
check_says(mw.3 " cc program.c $(pkg-config --cflags --libs mw)")
check_says(mw_mpi.3 " mpicc program.c $(pkg-config --cflags --libs mw)")
check_says(mw_event.3 " cc program.c $(pkg-config --cflags --libs mw libevent_core)")
foreach(page ${PAGES})
    get_filename_component(name ${page} NAME_WE)
    get_filename_component(section ${page} EXT)
    if(section STREQUAL ".3")
        check_says(mw.7 "${name}(3)")
    endif()
endforeach()
