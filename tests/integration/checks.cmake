# SPDX-License-Identifier: Apache-2.0
# For tests that are CMake scripts.

# run(PROGRAM ARGUMENTS...): it must succeed. What it prints is only shown if it does not.
function(run)
    execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output
        ERROR_VARIABLE output)
    if(NOT status EQUAL 0)
        message(FATAL_ERROR "status ${status} of: ${ARGN}\n${output}")
    endif()
endfunction()

# check(STATUS TEXT PROGRAM ARGUMENTS...): it must exit with the status, and its output and error
# output together must hold the text.
function(check expected_status text)
    execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output
        ERROR_VARIABLE error_output TIMEOUT 60)
    string(FIND "${output}${error_output}" "${text}" place)
    if(NOT status STREQUAL expected_status OR place EQUAL -1)
        message(SEND_ERROR "wanted status ${expected_status} and \"${text}\" of: ${ARGN}\n"
            "status ${status}\n${output}${error_output}")
    endif()
endfunction()

# check_absent(TEXT PROGRAM ARGUMENTS...): it must succeed without saying the text.
function(check_absent text)
    execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output)
    string(FIND "${output}" "${text}" place)
    if(NOT status EQUAL 0 OR NOT place EQUAL -1)
        message(SEND_ERROR "wanted status 0 and no \"${text}\" of: ${ARGN}\n"
            "status ${status}\n${output}")
    endif()
endfunction()

# check_file(PATH): it must be there.
function(check_file path)
    if(NOT EXISTS "${path}")
        message(SEND_ERROR "${path} is missing")
    endif()
endfunction()

# For mpirun, on a small machine and as root.
set(ENV{OMPI_ALLOW_RUN_AS_ROOT} 1)
set(ENV{OMPI_ALLOW_RUN_AS_ROOT_CONFIRM} 1)
set(ENV{OMPI_MCA_rmaps_base_oversubscribe} 1)
