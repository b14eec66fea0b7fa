! SPDX-License-Identifier: Apache-2.0
!
! A program's parts and the arguments of the command line in the form of C, for mw_main and mw_mpi_run.
! Programs use mw_algorithm through the module mw.
module mw_program_parts
    use, intrinsic :: iso_c_binding, only: c_char, c_funloc, c_loc, c_null_char, c_null_funptr, &
        c_null_ptr, c_ptr
    use mw_bytes
    use mw_c
    implicit none
    private

    public :: mw_algorithm, program_parts, gather_parts

    ! A task algorithm and its name: mw_algorithm('square', square). Trailing blanks are ignored.
    type :: mw_algorithm
        character(len=MW_NAME_LENGTH) :: name
        procedure(mw_task_procedure), pointer, nopass :: run
    end type

    ! `program` and `argv` point to the other components, so a variable of this type is a target and
    ! is not copied.
    type :: program_parts
        type(mw_c_program) :: program
        type(c_ptr), allocatable :: argv(:)
        type(mw_c_algorithm), allocatable :: table(:)
        character(len=MW_NAME_LENGTH + 1, kind=c_char), allocatable :: names(:)
        character(kind=c_char), allocatable :: arguments(:)
    end type

contains

    subroutine gather_parts(parts, algorithms, master, slave, user)
        type(program_parts), intent(out), target :: parts
        type(mw_algorithm), intent(in) :: algorithms(:)
        procedure(mw_master_procedure) :: master
        procedure(mw_slave_procedure), optional :: slave
        type(c_ptr), intent(in), optional :: user
        procedure(mw_task_procedure), pointer :: task
        integer :: i

        allocate (parts%names(size(algorithms)), parts%table(size(algorithms) + 1))
        do i = 1, size(algorithms)
            parts%names(i) = trim(algorithms(i)%name) // c_null_char
            task => algorithms(i)%run
            parts%table(i) = mw_c_algorithm(c_loc(parts%names(i)), c_funloc(task))
        end do
        parts%table(size(parts%table)) = mw_c_algorithm(c_null_ptr, c_null_funptr)
        parts%program = mw_c_program(c_loc(parts%table), c_funloc(master), c_null_funptr, c_null_ptr, &
            c_null_ptr)
        if (present(slave)) parts%program%slave = c_funloc(slave)
        if (present(user)) parts%program%user = user
        call gather_arguments(parts)
    end subroutine

    ! All arguments stand one behind the other, each with its end of a string.
    subroutine gather_arguments(parts)
        type(program_parts), intent(inout), target :: parts
        integer :: i, length, total

        total = 0
        do i = 0, command_argument_count()
            call get_command_argument(i, length=length)
            total = total + length + 1
        end do
        allocate (parts%arguments(total), parts%argv(command_argument_count() + 2))
        total = 0
        do i = 0, command_argument_count()
            call get_command_argument(i, length=length)
            parts%argv(i + 1) = c_loc(parts%arguments(total + 1))
            call copy_argument(i, parts%arguments(total + 1:total + length + 1))
            total = total + length + 1
        end do
        parts%argv(size(parts%argv)) = c_null_ptr
    end subroutine

    subroutine copy_argument(number, text)
        integer, intent(in) :: number
        character(kind=c_char), intent(out) :: text(:)
        character(len=size(text)) :: argument
        integer :: i

        call get_command_argument(number, argument)
        do i = 1, size(text) - 1
            text(i) = argument(i:i)
        end do
        text(size(text)) = c_null_char
    end subroutine
end module
