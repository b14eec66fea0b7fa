! SPDX-License-Identifier: Apache-2.0
!
! A user's program, built against the installed package: the sum of squares.
module squares
    use, intrinsic :: iso_c_binding, only: c_int, c_ptr
    use, intrinsic :: iso_fortran_env, only: int64
    use mw
    implicit none

contains

    subroutine square(call) bind(c)
        type(mw_call), intent(inout) :: call
        integer(int64) :: number(1)
        if (mw_call_args(call, number) == MW_OK) call mw_call_return(call, number**2)
    end subroutine

    function master(farm, argc, argv) result(status) bind(c)
        type(mw_master), intent(inout) :: farm
        integer(c_int), value :: argc
        type(c_ptr), intent(in) :: argv(*)
        integer(c_int) :: status
        type(mw_result), pointer :: result
        integer(int64) :: i, number(1), total

        status = 1
        if (mw_argument(argc, argv, 1) /= '') return
        do i = 1, 10
            call mw_master_submit(farm, 'square', [i])
        end do
        total = 0
        do while (mw_master_next(farm, result))
            if (mw_result_get(result, number) == MW_OK) total = total + number(1)
        end do
        print '(a, i0)', 'sum ', total
        status = 0
    end function
end module

program consumer
    use mw
    use squares
    implicit none

    call mw_exit(mw_main([mw_algorithm('square', square)], master))
end program
