# SPDX-License-Identifier: Apache-2.0
# Every public header compiles by itself, as C11 and as C++17, without a warning.
# COMPILER, FLAGS (a list: where what they include is), INCLUDE (the folder that has mw/), WITHOUT (a
# list: headers whose library is not there)
file(GLOB headers RELATIVE ${INCLUDE} ${INCLUDE}/mw/*.h)
list(REMOVE_ITEM headers ${WITHOUT})
if(NOT headers)
    message(FATAL_ERROR "no headers in ${INCLUDE}/mw")
endif()
set(failures 0)
foreach(header ${headers})
    file(WRITE header_alone.c "#include <${header}>\nextern int not_empty;\n")
    foreach(language "c;-std=c11" "c++;-std=c++17")
        execute_process(COMMAND ${COMPILER} -x ${language} -Wall -Wextra -Wpedantic -Werror
            -fsyntax-only -I${INCLUDE} ${FLAGS} header_alone.c
            RESULT_VARIABLE status ERROR_VARIABLE errors)
        if(NOT status EQUAL 0)
            message("${header} as ${language}:\n${errors}")
            math(EXPR failures "${failures} + 1")
        endif()
    endforeach()
endforeach()
if(failures)
    message(FATAL_ERROR "${failures} failed")
endif()
