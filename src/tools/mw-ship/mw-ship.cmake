# SPDX-License-Identifier: Apache-2.0
# mw_ship(TARGET FOLDER [WITH_MPI] [IGNORE PATTERN...] [REMAP FROM=TO...])
#
# Adds the target ship_TARGET, which puts the program TARGET and the shared libraries that it needs
# into FOLDER (if relative, of the build folder), as the command mw-ship does: see mw-ship(1).
# Whoever includes this file has set mw_ship_command.
if(NOT TARGET mw::ship)
    add_executable(mw::ship IMPORTED GLOBAL)
    set_target_properties(mw::ship PROPERTIES IMPORTED_LOCATION ${mw_ship_command})
endif()

function(mw_ship target folder)
    cmake_parse_arguments(PARSE_ARGV 2 ship WITH_MPI "" "IGNORE;REMAP")
    if(ship_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "mw_ship: unknown: ${ship_UNPARSED_ARGUMENTS}")
    endif()
    cmake_path(ABSOLUTE_PATH folder BASE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
    list(TRANSFORM ship_IGNORE PREPEND --ignore=)
    list(TRANSFORM ship_REMAP PREPEND --remap=)
    set(options ${ship_IGNORE} ${ship_REMAP})
    if(ship_WITH_MPI)
        list(APPEND options --with-mpi)
    endif()
    add_custom_target(ship_${target}
        COMMAND mw::ship $<TARGET_FILE:${target}> ${folder} ${options} VERBATIM)
    add_dependencies(ship_${target} ${target})
endfunction()
