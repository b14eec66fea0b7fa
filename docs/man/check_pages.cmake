# SPDX-License-Identifier: Apache-2.0
# Sets each of PAGES with GROFF, all warnings on; anything that it has to say is an error.
foreach(page ${PAGES})
    execute_process(COMMAND ${GROFF} -man -Tutf8 -P-c -P-b -P-u -ww ${page}
        OUTPUT_VARIABLE text ERROR_VARIABLE warnings RESULT_VARIABLE status)
    if(NOT status EQUAL 0 OR NOT warnings STREQUAL "" OR NOT text MATCHES "SEE ALSO")
        message(SEND_ERROR "${page}:\n${warnings}")
    endif()
endforeach()
