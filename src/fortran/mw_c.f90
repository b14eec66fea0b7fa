! SPDX-License-Identifier: Apache-2.0
!
! The constants, structures and functions of mw/mw.h and mw/error.h, declared for Fortran. Programs
! use the module mw, which is built on this one. Functions and structures that need a wrapper there,
! because they have pointers to characters or structures to fill, have names that begin with mw_c_.
! The module mw hands on the others as they are.
!
! The test fortran (tests/unit/fortran.py) checks all declarations against the headers.
module mw_c
    use, intrinsic :: iso_c_binding, only: c_bool, c_char, c_double, c_funptr, c_int, c_int64_t, &
        c_ptr, c_signed_char, c_size_t
    implicit none

    ! mw_error
    enum, bind(c)
        enumerator :: MW_OK = 0, MW_EINVAL, MW_ENOMEM, MW_EUSAGE, MW_EFORMAT, MW_ETOOBIG, &
            MW_EALGORITHM, MW_ESTATE, MW_EUNAVAILABLE, MW_ENETWORK, MW_EPEER, MW_EPROTOCOL, &
            MW_EREFUSED, MW_ETIMEOUT, MW_EIO, MW_ENOSLAVES, MW_EINTERRUPTED, MW_EGONE
    end enum
    ! mw_outcome
    enum, bind(c)
        enumerator :: MW_DONE = 0, MW_FAILED, MW_UNRUNNABLE
    end enum
    ! mw_choice
    enum, bind(c)
        enumerator :: MW_DEFAULT = 0, MW_YES, MW_NO
    end enum
    ! mw_group
    enum, bind(c)
        enumerator :: MW_UNORDERED = 0, MW_INTERMINGLE, MW_ORDERED
    end enum

    ! Handles, which programs only pass on, by reference. Their contents belong to the library.
    type, bind(c) :: mw_master
        integer(c_signed_char), private :: hidden
    end type
    type, bind(c) :: mw_slave
        integer(c_signed_char), private :: hidden
    end type
    type, bind(c) :: mw_call
        integer(c_signed_char), private :: hidden
    end type

    type, bind(c) :: mw_result
        integer(c_int) :: outcome
        integer(c_int64_t) :: task
        type(c_ptr) :: algorithm, sid
        integer(c_int64_t) :: tag
        type(c_ptr) :: tag_data
        integer(c_size_t) :: tag_size
        real(c_double) :: seconds
        type(c_ptr) :: message
        logical(c_bool) :: is_bytes
        type(c_ptr) :: data
        integer(c_size_t) :: size
        type(c_ptr) :: master
        logical(c_bool) :: is_replayed
    end type

    type, bind(c) :: mw_master_counts
        integer(c_size_t) :: unrunnable, results, connected, disconnected
    end type

    type, bind(c) :: mw_slave_counts
        logical(c_bool) :: master_gone, shutdown
        integer(c_int64_t) :: results_total
        integer(c_size_t) :: tasks_waiting, results_waiting, result_group
    end type

    type, bind(c) :: mw_c_algorithm
        type(c_ptr) :: name
        type(c_funptr) :: run
    end type

    type, bind(c) :: mw_c_program
        type(c_ptr) :: algorithms
        type(c_funptr) :: master, slave
        type(c_ptr) :: user, version
    end type

    type, bind(c) :: mw_c_policy
        type(c_ptr) :: sid
        integer(c_int) :: do_it_anyway, retry, max_attempts, priority
        real(c_double) :: time_limit_s
        integer(c_int) :: speculate, journal
    end type

    type, bind(c) :: mw_c_task
        type(c_ptr) :: algorithm
        integer(c_int64_t) :: tag
        type(c_ptr) :: tag_data
        integer(c_size_t) :: tag_size
        type(c_ptr) :: policy
    end type

    abstract interface
        subroutine mw_task_procedure(call) bind(c)
            import :: mw_call
            type(mw_call), intent(inout) :: call
        end subroutine
        function mw_master_procedure(master, argc, argv) result(status) bind(c)
            import :: c_int, c_ptr, mw_master
            type(mw_master), intent(inout) :: master
            integer(c_int), value :: argc
            type(c_ptr), intent(in) :: argv(*)
            integer(c_int) :: status
        end function
        function mw_slave_procedure(slave, argc, argv) result(status) bind(c)
            import :: c_int, c_ptr, mw_slave
            type(mw_slave), intent(inout) :: slave
            integer(c_int), value :: argc
            type(c_ptr), intent(in) :: argv(*)
            integer(c_int) :: status
        end function
    end interface

    interface
        function mw_c_main(program, argc, argv) result(status) bind(c, name='mw_main')
            import :: c_int, c_ptr, mw_c_program
            type(mw_c_program), intent(in) :: program
            integer(c_int), value :: argc
            type(c_ptr), intent(in) :: argv(*)
            integer(c_int) :: status
        end function
        function mw_c_version() result(text) bind(c, name='mw_version')
            import :: c_ptr
            type(c_ptr) :: text
        end function
        function mw_c_error_name(error) result(text) bind(c, name='mw_error_name')
            import :: c_int, c_ptr
            integer(c_int), value :: error
            type(c_ptr) :: text
        end function
        function mw_c_error_text(error) result(text) bind(c, name='mw_error_text')
            import :: c_int, c_ptr
            integer(c_int), value :: error
            type(c_ptr) :: text
        end function

        function mw_c_call_bytes(call, data, size) result(error) bind(c, name='mw_call_bytes')
            import :: c_int, c_ptr, c_size_t, mw_call
            type(mw_call), intent(inout) :: call
            type(c_ptr), intent(out) :: data
            integer(c_size_t), intent(out) :: size
            integer(c_int) :: error
        end function
        function mw_c_call_return_bytes(call, data, size) result(error) &
            bind(c, name='mw_call_return_bytes')
            import :: c_int, c_ptr, c_size_t, mw_call
            type(mw_call), intent(inout) :: call
            type(c_ptr), value :: data
            integer(c_size_t), value :: size
            integer(c_int) :: error
        end function
        function mw_c_call_save(call, data, size) result(error) bind(c, name='mw_call_save')
            import :: c_int, c_ptr, c_size_t, mw_call
            type(mw_call), intent(inout) :: call
            type(c_ptr), value :: data
            integer(c_size_t), value :: size
            integer(c_int) :: error
        end function
        function mw_c_call_saved(call, data, size) result(has_saved) bind(c, name='mw_call_saved')
            import :: c_bool, c_ptr, c_size_t, mw_call
            type(mw_call), intent(in) :: call
            type(c_ptr), intent(out) :: data
            integer(c_size_t), intent(out) :: size
            logical(c_bool) :: has_saved
        end function
        ! In variadic.c, since Fortran cannot call mw_call_fail with its variable number of arguments.
        subroutine mw_c_call_fail(call, message) bind(c, name='mw_fortran_call_fail')
            import :: c_char, mw_call
            type(mw_call), intent(inout) :: call
            character(c_char), intent(in) :: message(*)
        end subroutine
        function mw_call_user(call) result(user) bind(c)
            import :: c_ptr, mw_call
            type(mw_call), intent(in) :: call
            type(c_ptr) :: user
        end function

        function mw_c_master_checkpoint(master, data, size) result(error) &
            bind(c, name='mw_master_checkpoint')
            import :: c_int, c_ptr, c_size_t, mw_master
            type(mw_master), intent(inout) :: master
            type(c_ptr), value :: data
            integer(c_size_t), value :: size
            integer(c_int) :: error
        end function
        function mw_c_master_restored(master, data, size) result(has_restored) &
            bind(c, name='mw_master_restored')
            import :: c_bool, c_ptr, c_size_t, mw_master
            type(mw_master), intent(inout) :: master
            type(c_ptr), intent(out) :: data
            integer(c_size_t), intent(out) :: size
            logical(c_bool) :: has_restored
        end function
        function mw_c_master_submit_bytes(master, task, data, size) result(error) &
            bind(c, name='mw_master_submit_bytes')
            import :: c_int, c_ptr, c_size_t, mw_c_task, mw_master
            type(mw_master), intent(inout) :: master
            type(mw_c_task), intent(in) :: task
            type(c_ptr), value :: data
            integer(c_size_t), value :: size
            integer(c_int) :: error
        end function
        function mw_master_last_task(master) result(task) bind(c)
            import :: c_int64_t, mw_master
            type(mw_master), intent(in) :: master
            integer(c_int64_t) :: task
        end function
        function mw_master_cancel(master, task) result(error) bind(c)
            import :: c_int, c_int64_t, mw_master
            type(mw_master), intent(inout) :: master
            integer(c_int64_t), value :: task
            integer(c_int) :: error
        end function
        subroutine mw_master_stop(master) bind(c)
            import :: mw_master
            type(mw_master), intent(inout) :: master
        end subroutine
        function mw_master_is_stopping(master) result(is_stopping) bind(c)
            import :: c_bool, mw_master
            type(mw_master), intent(in) :: master
            logical(c_bool) :: is_stopping
        end function
        function mw_c_master_next(master) result(result) bind(c, name='mw_master_next')
            import :: c_ptr, mw_master
            type(mw_master), intent(inout) :: master
            type(c_ptr) :: result
        end function
        function mw_c_master_next_result(master) result(result) &
            bind(c, name='mw_master_next_result')
            import :: c_ptr, mw_master
            type(mw_master), intent(inout) :: master
            type(c_ptr) :: result
        end function
        function mw_c_master_next_unrunnable(master) result(result) &
            bind(c, name='mw_master_next_unrunnable')
            import :: c_ptr, mw_master
            type(mw_master), intent(inout) :: master
            type(c_ptr) :: result
        end function
        function mw_c_master_next_connected(master) result(sid) &
            bind(c, name='mw_master_next_connected')
            import :: c_ptr, mw_master
            type(mw_master), intent(inout) :: master
            type(c_ptr) :: sid
        end function
        function mw_c_master_next_disconnected(master) result(sid) &
            bind(c, name='mw_master_next_disconnected')
            import :: c_ptr, mw_master
            type(mw_master), intent(inout) :: master
            type(c_ptr) :: sid
        end function
        function mw_master_loop(master, timeout_s, counts) result(error) bind(c)
            import :: c_double, c_int, mw_master, mw_master_counts
            type(mw_master), intent(inout) :: master
            real(c_double), value :: timeout_s
            type(mw_master_counts), intent(out) :: counts
            integer(c_int) :: error
        end function
        function mw_master_loop_iterate(master, timeout_s, counts) result(error) bind(c)
            import :: c_double, c_int, mw_master, mw_master_counts
            type(mw_master), intent(inout) :: master
            real(c_double), value :: timeout_s
            type(mw_master_counts), intent(out) :: counts
            integer(c_int) :: error
        end function
        function mw_master_num_runnable_tasks(master) result(count) bind(c)
            import :: c_size_t, mw_master
            type(mw_master), intent(in) :: master
            integer(c_size_t) :: count
        end function
        function mw_master_num_unrunnable_tasks(master) result(count) bind(c)
            import :: c_size_t, mw_master
            type(mw_master), intent(in) :: master
            integer(c_size_t) :: count
        end function
        function mw_master_num_slaves(master) result(count) bind(c)
            import :: c_size_t, mw_master
            type(mw_master), intent(in) :: master
            integer(c_size_t) :: count
        end function
        subroutine mw_master_allocate(master, slaves_count, group) bind(c)
            import :: c_int, c_size_t, mw_master
            type(mw_master), intent(inout) :: master
            integer(c_size_t), value :: slaves_count
            integer(c_int), value :: group
        end subroutine
        subroutine mw_master_deallocate(master, slaves_count, group) bind(c)
            import :: c_int, c_size_t, mw_master
            type(mw_master), intent(inout) :: master
            integer(c_size_t), value :: slaves_count
            integer(c_int), value :: group
        end subroutine
        function mw_c_master_set_target(master, algorithm, tasks_count) result(error) &
            bind(c, name='mw_master_set_target')
            import :: c_int, c_int64_t, c_ptr, mw_master
            type(mw_master), intent(inout) :: master
            type(c_ptr), value :: algorithm
            integer(c_int64_t), value :: tasks_count
            integer(c_int) :: error
        end function
        subroutine mw_c_master_journal_scope(master, name) bind(c, name='mw_master_journal_scope')
            import :: c_ptr, mw_master
            type(mw_master), intent(inout) :: master
            type(c_ptr), value :: name
        end subroutine
        function mw_c_master_upto(master, algorithm) result(count) bind(c, name='mw_master_upto')
            import :: c_int64_t, c_ptr, mw_master
            type(mw_master), intent(in) :: master
            type(c_ptr), value :: algorithm
            integer(c_int64_t) :: count
        end function
        function mw_master_user(master) result(user) bind(c)
            import :: c_ptr, mw_master
            type(mw_master), intent(in) :: master
            type(c_ptr) :: user
        end function
        function mw_master_status(master) result(error) bind(c)
            import :: c_int, mw_master
            type(mw_master), intent(in) :: master
            integer(c_int) :: error
        end function
        function mw_c_master_error(master) result(text) bind(c, name='mw_master_error')
            import :: c_ptr, mw_master
            type(mw_master), intent(in) :: master
            type(c_ptr) :: text
        end function

        function mw_slave_loop_simple(slave) result(status) bind(c)
            import :: c_int, mw_slave
            type(mw_slave), intent(inout) :: slave
            integer(c_int) :: status
        end function
        function mw_slave_loop(slave, timeout_s, counts) result(error) bind(c)
            import :: c_double, c_int, mw_slave, mw_slave_counts
            type(mw_slave), intent(inout) :: slave
            real(c_double), value :: timeout_s
            type(mw_slave_counts), intent(out) :: counts
            integer(c_int) :: error
        end function
        function mw_slave_loop_iterate(slave, timeout_s, counts) result(error) bind(c)
            import :: c_double, c_int, mw_slave, mw_slave_counts
            type(mw_slave), intent(inout) :: slave
            real(c_double), value :: timeout_s
            type(mw_slave_counts), intent(out) :: counts
            integer(c_int) :: error
        end function
        function mw_c_slave_id(slave) result(text) bind(c, name='mw_slave_id')
            import :: c_ptr, mw_slave
            type(mw_slave), intent(in) :: slave
            type(c_ptr) :: text
        end function
        function mw_slave_user(slave) result(user) bind(c)
            import :: c_ptr, mw_slave
            type(mw_slave), intent(in) :: slave
            type(c_ptr) :: user
        end function
        subroutine mw_slave_set_user(slave, user) bind(c)
            import :: c_ptr, mw_slave
            type(mw_slave), intent(inout) :: slave
            type(c_ptr), value :: user
        end subroutine
        function mw_c_slave_error(slave) result(text) bind(c, name='mw_slave_error')
            import :: c_ptr, mw_slave
            type(mw_slave), intent(in) :: slave
            type(c_ptr) :: text
        end function

        ! Functions of the C library.
        function mw_c_strlen(text) result(length) bind(c, name='strlen')
            import :: c_ptr, c_size_t
            type(c_ptr), value :: text
            integer(c_size_t) :: length
        end function
        subroutine mw_c_exit(status) bind(c, name='exit')
            import :: c_int
            integer(c_int), value :: status
        end subroutine
    end interface
end module
