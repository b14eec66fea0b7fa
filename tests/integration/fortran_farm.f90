! SPDX-License-Identifier: Apache-2.0
!
! A farm that uses what the Fortran module has, and prints what it saw, for test_fortran.c. With the
! argument "refused" it submits what is refused, else it prints its arguments first.
module algorithms
    use, intrinsic :: iso_c_binding, only: c_f_pointer, c_int, c_loc, c_ptr
    use, intrinsic :: iso_fortran_env, only: int8, int32, int64, real64
    use mw
    implicit none

contains

    ! Task algorithms: each kind of values comes back twice as large, a text in brackets.

    subroutine double_int8(call) bind(c)
        type(mw_call), intent(inout) :: call
        integer(int8) :: values(3)
        if (mw_call_args(call, values) == MW_OK) call mw_call_return(call, 2_int8 * values)
    end subroutine

    subroutine double_int32(call) bind(c)
        type(mw_call), intent(inout) :: call
        integer(int32) :: values(3)
        if (mw_call_args(call, values) == MW_OK) call mw_call_return(call, 2 * values)
    end subroutine

    subroutine double_int64(call) bind(c)
        type(mw_call), intent(inout) :: call
        integer(int64) :: values(3)
        if (mw_call_args(call, values) == MW_OK) call mw_call_return(call, 2 * values)
    end subroutine

    subroutine double_real64(call) bind(c)
        type(mw_call), intent(inout) :: call
        real(real64) :: values(3)
        integer(c_int) :: error
        if (mw_call_args(call, values) /= MW_OK) return
        call mw_call_return(call, 2 * values, error)
        if (error /= MW_OK) call mw_call_fail(call, mw_error_text(error))
    end subroutine

    subroutine bracket(call) bind(c)
        type(mw_call), intent(inout) :: call
        character(len=:), allocatable :: text
        if (mw_call_args(call, text) == MW_OK) call mw_call_return(call, '[' // text // ']')
    end subroutine

    ! Takes any number of bytes where they are, and returns every second.
    subroutine thin_out(call) bind(c)
        type(mw_call), intent(inout) :: call
        integer(int8), pointer :: bytes(:)
        if (mw_call_bytes(call, bytes) == MW_OK) call mw_call_return(call, bytes(::2))
    end subroutine

    ! A message is no format.
    subroutine fail(call) bind(c)
        type(mw_call), intent(inout) :: call
        call mw_call_fail(call, '100%s of it')
    end subroutine

    ! What the slave algorithm has set.
    subroutine get_user(call) bind(c)
        type(mw_call), intent(inout) :: call
        integer(int64), pointer :: user
        call c_f_pointer(mw_call_user(call), user)
        call mw_call_return(call, [user])
    end subroutine

    function slave(self, argc, argv) result(status) bind(c)
        type(mw_slave), intent(inout) :: self
        integer(c_int), value :: argc
        type(c_ptr), intent(in) :: argv(*)
        integer(c_int) :: status
        integer(int64), target :: user
        user = 1000 + len(mw_argument(argc, argv, 1))
        call mw_slave_set_user(self, c_loc(user))
        status = mw_slave_loop_simple(self)
    end function

    ! The master's side.

    subroutine submit_all(farm, sid)
        type(mw_master), intent(inout) :: farm
        character(len=*), intent(in) :: sid
        real(real64) :: table(2, 3)
        type(mw_policy) :: policy

        table = reshape([1, 2, 3, 4, 5, 6], shape(table)) / 2.0_real64
        call mw_master_submit(farm, 'double_int8', [1_int8, -2_int8, 3_int8], tag=1_int64)
        call mw_master_submit(farm, 'double_int32', [1, -2, 3], tag=2_int64)
        call mw_master_submit(farm, 'double_int64', [1_int64, -2_int64, 3_int64], tag=3_int64)
        call mw_master_submit(farm, 'double_real64', table(2, :), tag=4_int64)
        call mw_master_submit(farm, 'bracket', 'so ', tag=5_int64)
        call mw_master_submit(farm, 'bracket', '', tag=6_int64)
        call mw_master_submit(farm, 'bracket', tag=7_int64)
        call mw_master_submit(farm, 'thin_out', [1_int8, 2_int8, 3_int8], tag=8_int64)
        call mw_master_submit(farm, 'fail', tag=9_int64)
        call mw_master_submit(farm, 'double_int64', [1, 2, 3], tag=10_int64)
        policy%sid = sid
        call mw_master_submit(farm, 'get_user', tag=11_int64, policy=policy)
        policy%sid = 'SLAVE-99'
        call mw_master_submit(farm, 'bracket', 'nowhere', tag=12_int64, policy=policy)
        call mw_master_submit(farm, 'double_int64', [1_int64, 2_int64, 3_int64])
        if (mw_master_cancel(farm, mw_master_last_task(farm)) /= MW_OK) print '(a)', 'not cancelled'
    end subroutine

    subroutine show(result)
        type(mw_result), intent(in) :: result
        integer(int8) :: bytes(3), two(2)
        integer(int32) :: ints(3)
        integer(int64) :: longs(3), one(1)
        real(real64) :: reals(3)
        integer(c_int) :: error
        character(len=:), allocatable :: text

        write (*, '(i0, 1x, 2a)', advance='no') result%tag, mw_result_algorithm(result), ' '
        error = MW_OK
        select case (result%tag)
        case (1)
            error = mw_result_get(result, bytes)
            print '(*(i0, :, 1x))', bytes
        case (2)
            error = mw_result_get(result, ints)
            print '(*(i0, :, 1x))', ints
        case (3)
            error = mw_result_get(result, longs)
            print '(*(i0, :, 1x))', longs
        case (4)
            error = mw_result_get(result, reals)
            print '(*(f0.1, :, 1x))', reals
        case (8)
            error = mw_result_get(result, two)
            print '(*(i0, :, 1x))', two
        case (11)
            error = mw_result_get(result, one)
            print '(i0, 1x, a)', one, mw_result_sid(result)
        case default
            if (result%outcome == MW_DONE) error = mw_result_get(result, text)
            if (result%outcome == MW_DONE) print '(2a, i0)', text, ', length ', len(text)
            if (result%outcome /= MW_DONE) call show_unfinished(result)
        end select
        if (error /= MW_OK) print '(a)', mw_error_name(error)
        if (mw_result_get(result, one(:0)) /= MW_EFORMAT) print '(a)', 'but it has no bytes'
    end subroutine

    subroutine show_unfinished(result)
        type(mw_result), intent(in) :: result
        integer(int8), pointer :: bytes(:)
        character(len=:), allocatable :: text
        call mw_result_bytes(result, bytes)
        print '(2a, i0, 2a)', trim(merge('failed    ', 'unrunnable', result%outcome == MW_FAILED)), &
            ', ', size(bytes), ' bytes: ', mw_result_message(result)
        if (mw_result_get(result, text) /= MW_EFORMAT) print '(a)', 'but it can be read'
    end subroutine

    ! Which slave came, for ordered tasks.
    function await_slave(farm, sid) result(is_there)
        type(mw_master), intent(inout) :: farm
        character(len=:), allocatable, intent(out) :: sid
        logical :: is_there
        type(mw_master_counts) :: counts
        call mw_master_allocate(farm, 1_int64, MW_INTERMINGLE)
        is_there = .false.
        do while (.not. is_there)
            if (mw_master_loop(farm, -1.0_real64, counts) /= MW_OK) return
            is_there = mw_master_next_connected(farm, sid)
        end do
    end function

    function refuse(farm) result(status)
        type(mw_master), intent(inout) :: farm
        integer(c_int) :: status, error
        call mw_master_submit(farm, 'absent', [1], error=error)
        print '(3a)', mw_error_name(error), ': ', mw_master_error(farm)
        call mw_master_set_target(farm, 5_int64, 'absent', error)
        print '(3a)', mw_error_name(error), ': ', mw_master_error(farm)
        status = 0
    end function

    function master(farm, argc, argv) result(status) bind(c)
        type(mw_master), intent(inout) :: farm
        integer(c_int), value :: argc
        type(c_ptr), intent(in) :: argv(*)
        integer(c_int) :: status
        type(mw_result), pointer :: result
        character(len=:), allocatable :: sid
        integer :: i

        if (mw_argument(argc, argv, 1) == 'refused') then
            status = refuse(farm)
            return
        end if
        do i = 1, argc
            print '(3a)', '[', mw_argument(argc, argv, i), ']'
        end do
        status = 1
        if (.not. await_slave(farm, sid)) return
        call mw_master_set_target(farm, 20_int64)
        print '(a, i0)', 'wanted ', mw_master_upto(farm)
        call submit_all(farm, sid)
        print '(a, i0, 1x, i0)', 'out ', mw_master_num_runnable_tasks(farm), &
            mw_master_num_unrunnable_tasks(farm)
        ! Whether mw_master_next gives it before the first result depends on the slave's speed.
        if (mw_master_next_unrunnable(farm, result)) call show(result)
        do while (mw_master_next(farm, result))
            call show(result)
        end do
        if (associated(result)) print '(a)', 'there is a result'
        if (mw_master_status(farm) == MW_OK) status = 7
    end function
end module

program fortran_farm
    use algorithms
    use mw
    implicit none

    call mw_exit(mw_main([mw_algorithm('double_int8', double_int8), &
        mw_algorithm('double_int32', double_int32), mw_algorithm('double_int64', double_int64), &
        mw_algorithm('double_real64', double_real64), mw_algorithm('bracket', bracket), &
        mw_algorithm('thin_out', thin_out), mw_algorithm('fail', fail), &
        mw_algorithm('get_user', get_user)], master, slave))
end program
