! SPDX-License-Identifier: Apache-2.0
!
! Farms on the ranks of an MPI communicator, in a Fortran program that uses MPI for its own purposes:
!
!     error = mw_mpi_run(comm, 0, [mw_algorithm('square', square)], master, options, status)
!
! is a collective call, like MPI_Barrier. Rank 0 of `comm` runs the master algorithm, every other rank
! becomes one of its slaves, and when the master algorithm has returned, all ranks return. mw/mpi.h and
! mw/embed.h define the contracts; examples/poisson_mpi.f90 is a whole program.
!
! A communicator is the integer of `use mpi` and of mpif.h. With `use mpi_f08` it is comm%MPI_VAL.
!
! Options are made before, and hold the sentence of an error:
!
!     type(mw_options), pointer :: options
!     error = mw_options_create(options)
!     error = mw_options_set(options, 'quiet', '1')
!
! The library mw_fortran_mpi has this module. It needs the MPI that mw was built with.
module mw_mpi
    use, intrinsic :: iso_c_binding, only: c_char, c_f_pointer, c_int, c_null_char, c_ptr, &
        c_signed_char
    use mw_bytes
    use mw_c
    use mw_program_parts
    implicit none
    private

    public :: mw_options, mw_options_create, mw_options_destroy, mw_options_environment, &
        mw_options_error, mw_options_set
    public :: mw_mpi_decline, mw_mpi_run

    ! A handle, which programs only pass on.
    type, bind(c) :: mw_options
        integer(c_signed_char), private :: hidden
    end type

    interface
        function mw_c_options_create(options) result(error) bind(c, name='mw_options_create')
            import :: c_int, c_ptr
            type(c_ptr), intent(out) :: options
            integer(c_int) :: error
        end function
        subroutine mw_options_destroy(options) bind(c)
            import :: mw_options
            type(mw_options), intent(inout) :: options
        end subroutine
        function mw_c_options_set(options, name, value) result(error) bind(c, name='mw_options_set')
            import :: c_char, c_int, mw_options
            type(mw_options), intent(inout) :: options
            character(c_char), intent(in) :: name(*)
            character(c_char), intent(in) :: value(*)
            integer(c_int) :: error
        end function
        function mw_options_environment(options) result(error) bind(c)
            import :: c_int, mw_options
            type(mw_options), intent(inout) :: options
            integer(c_int) :: error
        end function
        function mw_c_options_error(options) result(text) bind(c, name='mw_options_error')
            import :: c_ptr, mw_options
            type(mw_options), intent(in) :: options
            type(c_ptr) :: text
        end function

        ! In mpi_run.c, which turns the communicator of Fortran into that of C.
        function mw_c_mpi_run(comm, master_rank, program, options, argc, argv, status) &
            result(error) bind(c, name='mw_fortran_mpi_run')
            import :: c_int, c_ptr, mw_c_program, mw_options
            integer(c_int), value :: comm, master_rank
            type(mw_c_program), intent(in) :: program
            type(mw_options), intent(inout) :: options
            integer(c_int), value :: argc
            type(c_ptr), intent(in) :: argv(*)
            integer(c_int), intent(out) :: status
            integer(c_int) :: error
        end function
        function mw_c_mpi_decline(comm) result(error) bind(c, name='mw_fortran_mpi_decline')
            import :: c_int
            integer(c_int), value :: comm
            integer(c_int) :: error
        end function
    end interface

contains

    ! After an error the pointer is not associated.
    function mw_options_create(options) result(error)
        type(mw_options), pointer, intent(out) :: options
        integer(c_int) :: error
        type(c_ptr) :: created
        nullify (options)
        error = mw_c_options_create(created)
        if (error == MW_OK) call c_f_pointer(created, options)
    end function

    ! Trailing blanks of the name and the value are ignored.
    function mw_options_set(options, name, value) result(error)
        type(mw_options), intent(inout) :: options
        character(len=*), intent(in) :: name, value
        integer(c_int) :: error
        error = mw_c_options_set(options, trim(name) // c_null_char, trim(value) // c_null_char)
    end function

    function mw_options_error(options) result(text)
        type(mw_options), intent(in) :: options
        character(len=:), allocatable :: text
        text = text_of(mw_c_options_error(options))
    end function

    ! The algorithms get the arguments of the command line. `status` is 0 if the error is not MW_OK.
    function mw_mpi_run(comm, master_rank, algorithms, master, options, status, slave, user) &
        result(error)
        integer, intent(in) :: comm, master_rank
        type(mw_algorithm), intent(in) :: algorithms(:)
        procedure(mw_master_procedure) :: master
        type(mw_options), intent(inout) :: options
        integer, intent(out) :: status
        procedure(mw_slave_procedure), optional :: slave
        type(c_ptr), intent(in), optional :: user
        integer(c_int) :: error
        type(program_parts), target :: parts

        call gather_parts(parts, algorithms, master, slave, user)
        status = 0
        error = mw_c_mpi_run(comm, master_rank, parts%program, options, size(parts%argv) - 1, &
            parts%argv, status)
    end function

    function mw_mpi_decline(comm) result(error)
        integer, intent(in) :: comm
        integer(c_int) :: error
        error = mw_c_mpi_decline(comm)
    end function
end module
