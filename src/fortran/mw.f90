! SPDX-License-Identifier: Apache-2.0
!
! The Fortran 2008 interface of mw. Four calls make a farm:
!
!     mw_main            in the program: runs this process as master or slave, as the options say
!     mw_master_submit   in the master algorithm: a task algorithm's name and its arguments
!     mw_master_next     in the master algorithm: waits for the next finished task
!     mw_call_return     in a task algorithm: its result
!
! examples/monte_carlo_pi.f90 is a whole program. The procedures have the names of mw/mw.h, which
! defines their contracts, their errors, and how long pointers are valid. This file lists the
! differences.
!
! Tasks and results are raw bytes. They are written from and read into arrays of rank 1 of
! integer(int8), integer(int32), integer(int64) or real(real64), or a character string. They have no
! type and no byte order, so master and slaves must agree on both and run on machines that are alike.
! An array that is read into must have exactly the size of the data; another size is MW_EFORMAT. So
! allocate an allocatable array to that size first. Write a scalar as [x], and read it into an array
! of one. Arrays of other types, and of rank 2 and more, go through transfer() or reshape(). The tag
! of a task is an integer(int64): for a default integer i, write int(i, int64).
!
! A program that uses MPI makes farms of its ranks with the module mw_mpi, see mw_mpi.f90.
!
! The modules lack the msgpack values of C and their functions, mw/event.h, mw/sim.h and mw/stats.h,
! everything in mw/embed.h and mw/mpi.h that mw_mpi.f90 does not name, tags of bytes, mw_call_slave,
! mw_master_free_slave, mw_master_free_group, mw_master_target, mw_master_pending,
! mw_master_submit_bytes_take and mw_call_return_bytes_take. To use them, write a C function and a
! bind(c) interface for it: mw_master and mw_slave are those of C.
!
! A procedure whose error the caller must check is a function that returns MW_OK or the error. If the
! library remembers the error, the procedure is a subroutine with an optional argument `error`.
!
! The algorithms have bind(c) and one of the interfaces mw_task_procedure, mw_master_procedure and
! mw_slave_procedure, see mw_c.f90. Put them into a module, not inside of the program: for an
! internal procedure compilers need an executable stack.
!
! A procedure of mw.h with only handles and numbers gets an interface in mw_c.f90 and a `public` here.
! One with strings, arrays or structures gets an interface mw_c_NAME there, and a wrapper in
! mw_master_side.f90, mw_slave_side.f90 or here.
module mw
    use, intrinsic :: iso_c_binding, only: c_int, c_ptr
    use mw_bytes
    use mw_c
    use mw_master_side
    use mw_program_parts
    use mw_slave_side
    implicit none
    private

    public :: mw_algorithm, mw_call, mw_master, mw_master_counts, mw_policy, mw_result, mw_slave, &
        mw_slave_counts, mw_task_procedure, mw_master_procedure, mw_slave_procedure
    public :: mw_main, mw_exit, mw_argument, mw_version, mw_error_name, mw_error_text
    public :: mw_call_args, mw_call_bytes, mw_call_return, mw_call_save, mw_call_saved, &
        mw_call_fail, mw_call_user
    public :: mw_master_submit, mw_master_last_task, mw_master_cancel, mw_master_stop, &
        mw_master_is_stopping, mw_master_next, &
        mw_master_loop, mw_master_loop_iterate, mw_master_next_result, mw_master_next_unrunnable, &
        mw_master_next_connected, mw_master_next_disconnected, mw_master_num_runnable_tasks, &
        mw_master_num_unrunnable_tasks, mw_master_num_slaves, mw_master_allocate, &
        mw_master_deallocate, mw_master_set_target, mw_master_upto, mw_master_journal_scope, &
        mw_master_user, &
        mw_master_status, mw_master_error, mw_master_checkpoint, mw_master_restored
    public :: mw_result_get, mw_result_bytes, mw_result_algorithm, mw_result_sid, mw_result_message
    public :: mw_slave_loop_simple, mw_slave_loop, mw_slave_loop_iterate, mw_slave_id, &
        mw_slave_user, mw_slave_set_user, mw_slave_error
    public :: MW_OK, MW_EINVAL, MW_ENOMEM, MW_EUSAGE, MW_EFORMAT, MW_ETOOBIG, MW_EALGORITHM, &
        MW_ESTATE, MW_EUNAVAILABLE, MW_ENETWORK, MW_EPEER, MW_EPROTOCOL, MW_EREFUSED, &
        MW_ETIMEOUT, MW_EIO, MW_ENOSLAVES, MW_EINTERRUPTED, MW_EGONE
    public :: MW_DONE, MW_FAILED, MW_UNRUNNABLE, MW_DEFAULT, MW_YES, MW_NO, MW_UNORDERED, &
        MW_INTERMINGLE, MW_ORDERED
    public :: MW_NAME_LENGTH

contains

    ! Runs the program with the arguments of the command line. End the program with its result, by
    ! mw_exit. All that the program does before mw_main it also does in every slave. `user` is for
    ! mw_master_user, mw_slave_user and mw_call_user.
    function mw_main(algorithms, master, slave, user) result(status)
        type(mw_algorithm), intent(in) :: algorithms(:)
        procedure(mw_master_procedure) :: master
        procedure(mw_slave_procedure), optional :: slave
        type(c_ptr), intent(in), optional :: user
        integer :: status
        type(program_parts), target :: parts

        call gather_parts(parts, algorithms, master, slave, user)
        status = mw_c_main(parts%program, size(parts%argv) - 1, parts%argv)
    end function

    ! Ends the program with an exit status, and closes files, as `stop` does, but prints nothing.
    subroutine mw_exit(status)
        integer, intent(in) :: status
        call mw_c_exit(status)
    end subroutine

    ! Argument i of a master or slave algorithm: 0 is the name of the program, 1 the first argument,
    ! argc - 1 the last. Empty if there is no such argument.
    function mw_argument(argc, argv, i) result(text)
        integer(c_int), intent(in) :: argc
        type(c_ptr), intent(in) :: argv(*)
        integer, intent(in) :: i
        character(len=:), allocatable :: text
        text = ''
        if (i >= 0 .and. i < argc) text = text_of(argv(i + 1))
    end function

    function mw_version() result(text)
        character(len=:), allocatable :: text
        text = text_of(mw_c_version())
    end function

    function mw_error_name(error) result(text)
        integer(c_int), intent(in) :: error
        character(len=:), allocatable :: text
        text = text_of(mw_c_error_name(error))
    end function

    function mw_error_text(error) result(text)
        integer(c_int), intent(in) :: error
        character(len=:), allocatable :: text
        text = text_of(mw_c_error_text(error))
    end function
end module
