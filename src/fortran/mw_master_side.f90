! SPDX-License-Identifier: Apache-2.0
!
! The part of the module mw for master algorithms. Programs use it through the module mw.
!
! The procedures convert arguments and call C: mw/mw.h defines what they do. All submit_TYPE turn
! their values into bytes and call submit_int8, the only one that calls C. All result_get_TYPE check
! the size before they write to `values`. tests/integration/fortran_farm.f90 tests them.
!
! For another type of values, add submit_TYPE and result_get_TYPE here, and its procedures in
! mw_slave_side. For another procedure of mw.h, see mw.f90.
module mw_master_side
    use, intrinsic :: iso_c_binding, only: c_associated, c_f_pointer, c_int, c_loc, c_null_char, &
        c_null_ptr, c_ptr, c_size_t
    use, intrinsic :: iso_fortran_env, only: int8, int32, int64, real64
    use mw_bytes
    use mw_c
    implicit none
    private

    public :: mw_policy, mw_master_submit, mw_master_next, mw_master_next_result, &
        mw_master_next_unrunnable, mw_master_next_connected, mw_master_next_disconnected, &
        mw_master_set_target, mw_master_upto, mw_master_journal_scope, &
        mw_master_error, mw_master_checkpoint, mw_master_restored
    public :: mw_result_get, mw_result_bytes, mw_result_algorithm, mw_result_sid, mw_result_message

    ! The same fields as mw_policy of mw/mw.h. A blank sid means any slave.
    type :: mw_policy
        character(len=MW_NAME_LENGTH) :: sid = ''
        integer(c_int) :: do_it_anyway = MW_DEFAULT, retry = MW_DEFAULT
        integer :: max_attempts = 0, priority = 0
        real(real64) :: time_limit_s = 0
        integer(c_int) :: speculate = MW_DEFAULT, journal = MW_DEFAULT
    end type

    ! In the master algorithm: call mw_master_submit(master, algorithm, values [, tag] [, policy]
    ! [, error]). Without values the task has no bytes. The tag is an integer(int64), 0 if left out.
    interface mw_master_submit
        module procedure submit_int8, submit_int32, submit_int64, submit_real64, submit_text, &
            submit_nothing
    end interface

    ! In the master algorithm: `if (mw_result_get(result, values) == MW_OK)`. MW_EFORMAT: `values`
    ! and the result differ in size, or the outcome is not MW_DONE. A character string gets the
    ! length of the result.
    interface mw_result_get
        module procedure result_get_int8, result_get_int32, result_get_int64, result_get_real64, &
            result_get_text
    end interface

    ! In the master algorithm: `if (mw_master_checkpoint(master, values) /= MW_OK)`.
    interface mw_master_checkpoint
        module procedure checkpoint_int8, checkpoint_int64, checkpoint_real64
    end interface

    ! In the master algorithm, before the first submission: `if (mw_master_restored(master, values))`.
    ! If the sizes differ, `values` stay the same, and the tasks of the checkpoint are there all the
    ! same.
    interface mw_master_restored
        module procedure restored_int8, restored_int64, restored_real64
    end interface

contains

    function checkpoint_int8(master, values) result(error)
        type(mw_master), intent(inout) :: master
        integer(int8), intent(in), target, contiguous :: values(:)
        integer(c_int) :: error
        error = mw_c_master_checkpoint(master, address(values), size(values, kind=c_size_t))
    end function

    function checkpoint_int64(master, values) result(error)
        type(mw_master), intent(inout) :: master
        integer(int64), intent(in) :: values(:)
        integer(c_int) :: error
        error = checkpoint_int8(master, transfer(values, [0_int8]))
    end function

    function checkpoint_real64(master, values) result(error)
        type(mw_master), intent(inout) :: master
        real(real64), intent(in) :: values(:)
        integer(c_int) :: error
        error = checkpoint_int8(master, transfer(values, [0_int8]))
    end function

    ! The bytes of the checkpoint, if their number is the expected one.
    function restored_sized(master, bytes, expected_size) result(has_restored)
        type(mw_master), intent(inout) :: master
        integer(int8), pointer, intent(out) :: bytes(:)
        integer(c_size_t), intent(in) :: expected_size
        logical :: has_restored
        type(c_ptr) :: data
        integer(c_size_t) :: bytes_size
        nullify (bytes)
        has_restored = mw_c_master_restored(master, data, bytes_size)
        if (.not. has_restored) return
        call view_bytes(data, bytes_size, bytes)
        has_restored = bytes_size == expected_size
    end function

    function restored_int8(master, values) result(has_restored)
        type(mw_master), intent(inout) :: master
        integer(int8), intent(inout) :: values(:)
        logical :: has_restored
        integer(int8), pointer :: bytes(:)
        has_restored = restored_sized(master, bytes, bytes_count(size(values, kind=c_size_t), 8))
        if (has_restored) values = bytes
    end function

    function restored_int64(master, values) result(has_restored)
        type(mw_master), intent(inout) :: master
        integer(int64), intent(inout) :: values(:)
        logical :: has_restored
        integer(int8), pointer :: bytes(:)
        has_restored = restored_sized(master, bytes, bytes_count(size(values, kind=c_size_t), 64))
        if (has_restored) values = transfer(bytes, values, size(values))
    end function

    function restored_real64(master, values) result(has_restored)
        type(mw_master), intent(inout) :: master
        real(real64), intent(inout) :: values(:)
        logical :: has_restored
        integer(int8), pointer :: bytes(:)
        has_restored = restored_sized(master, bytes, bytes_count(size(values, kind=c_size_t), 64))
        if (has_restored) values = transfer(bytes, values, size(values))
    end function

    subroutine submit_int8(master, algorithm, values, tag, policy, error)
        type(mw_master), intent(inout) :: master
        character(len=*), intent(in) :: algorithm
        integer(int8), intent(in), target, contiguous :: values(:)
        integer(int64), intent(in), optional :: tag
        type(mw_policy), intent(in), optional :: policy
        integer(c_int), intent(out), optional :: error
        character(len=len(algorithm) + 1), target :: name
        character(len=MW_NAME_LENGTH + 1), target :: sid
        type(mw_c_policy), target :: rules
        type(mw_c_task) :: task

        name = trim(algorithm) // c_null_char
        task = mw_c_task(c_loc(name), 0, c_null_ptr, 0, c_null_ptr)
        if (present(tag)) task%tag = tag
        if (present(policy)) then
            sid = trim(policy%sid) // c_null_char
            rules = mw_c_policy(c_null_ptr, policy%do_it_anyway, policy%retry, &
                policy%max_attempts, policy%priority, policy%time_limit_s, &
                policy%speculate, policy%journal)
            if (policy%sid /= '') rules%sid = c_loc(sid)
            task%policy = c_loc(rules)
        end if
        call report(mw_c_master_submit_bytes(master, task, address(values), &
            size(values, kind=c_size_t)), error)
    end subroutine

    subroutine submit_int32(master, algorithm, values, tag, policy, error)
        type(mw_master), intent(inout) :: master
        character(len=*), intent(in) :: algorithm
        integer(int32), intent(in) :: values(:)
        integer(int64), intent(in), optional :: tag
        type(mw_policy), intent(in), optional :: policy
        integer(c_int), intent(out), optional :: error
        call submit_int8(master, algorithm, transfer(values, [0_int8]), tag, policy, error)
    end subroutine

    subroutine submit_int64(master, algorithm, values, tag, policy, error)
        type(mw_master), intent(inout) :: master
        character(len=*), intent(in) :: algorithm
        integer(int64), intent(in) :: values(:)
        integer(int64), intent(in), optional :: tag
        type(mw_policy), intent(in), optional :: policy
        integer(c_int), intent(out), optional :: error
        call submit_int8(master, algorithm, transfer(values, [0_int8]), tag, policy, error)
    end subroutine

    subroutine submit_real64(master, algorithm, values, tag, policy, error)
        type(mw_master), intent(inout) :: master
        character(len=*), intent(in) :: algorithm
        real(real64), intent(in) :: values(:)
        integer(int64), intent(in), optional :: tag
        type(mw_policy), intent(in), optional :: policy
        integer(c_int), intent(out), optional :: error
        call submit_int8(master, algorithm, transfer(values, [0_int8]), tag, policy, error)
    end subroutine

    subroutine submit_text(master, algorithm, text, tag, policy, error)
        type(mw_master), intent(inout) :: master
        character(len=*), intent(in) :: algorithm, text
        integer(int64), intent(in), optional :: tag
        type(mw_policy), intent(in), optional :: policy
        integer(c_int), intent(out), optional :: error
        call submit_int8(master, algorithm, transfer(text, [0_int8]), tag, policy, error)
    end subroutine

    subroutine submit_nothing(master, algorithm, tag, policy, error)
        type(mw_master), intent(inout) :: master
        character(len=*), intent(in) :: algorithm
        integer(int64), intent(in), optional :: tag
        type(mw_policy), intent(in), optional :: policy
        integer(c_int), intent(out), optional :: error
        integer(int8) :: nothing(0)
        call submit_int8(master, algorithm, nothing, tag, policy, error)
    end subroutine

    ! The usual loop is `do while (mw_master_next(master, result))`. If C returns NULL, the function
    ! returns .false., and the pointer is not associated. The same holds for the next two functions.
    function mw_master_next(master, result) result(is_there)
        type(mw_master), intent(inout) :: master
        type(mw_result), pointer, intent(out) :: result
        logical :: is_there
        is_there = has_result(mw_c_master_next(master), result)
    end function

    function mw_master_next_result(master, result) result(is_there)
        type(mw_master), intent(inout) :: master
        type(mw_result), pointer, intent(out) :: result
        logical :: is_there
        is_there = has_result(mw_c_master_next_result(master), result)
    end function

    function mw_master_next_unrunnable(master, result) result(is_there)
        type(mw_master), intent(inout) :: master
        type(mw_result), pointer, intent(out) :: result
        logical :: is_there
        is_there = has_result(mw_c_master_next_unrunnable(master), result)
    end function

    ! The raw bytes of a result, or the arguments of an unrunnable task, without a copy. An array of
    ! size 0 if there are none.
    subroutine mw_result_bytes(result, bytes)
        type(mw_result), intent(in) :: result
        integer(int8), pointer, intent(out) :: bytes(:)
        if (result%is_bytes) then
            call view_bytes(result%data, result%size, bytes)
        else
            call view_bytes(c_null_ptr, 0_c_size_t, bytes)
        end if
    end subroutine

    ! The bytes of a result, if their number is expected_size; -1 accepts any number.
    function result_bytes_sized(result, bytes, expected_size) result(error)
        type(mw_result), intent(in) :: result
        integer(int8), pointer, intent(out) :: bytes(:)
        integer(c_size_t), intent(in) :: expected_size
        integer(c_int) :: error
        call mw_result_bytes(result, bytes)
        error = MW_EFORMAT
        if (result%outcome /= MW_DONE .or. .not. result%is_bytes) return
        if (expected_size >= 0 .and. result%size /= expected_size) return
        error = MW_OK
    end function

    function result_get_int8(result, values) result(error)
        type(mw_result), intent(in) :: result
        integer(int8), intent(inout) :: values(:)
        integer(c_int) :: error
        integer(int8), pointer :: bytes(:)
        error = result_bytes_sized(result, bytes, bytes_count(size(values, kind=c_size_t), 8))
        if (error == MW_OK) values = bytes
    end function

    function result_get_int32(result, values) result(error)
        type(mw_result), intent(in) :: result
        integer(int32), intent(inout) :: values(:)
        integer(c_int) :: error
        integer(int8), pointer :: bytes(:)
        error = result_bytes_sized(result, bytes, bytes_count(size(values, kind=c_size_t), 32))
        if (error == MW_OK) values = transfer(bytes, values, size(values))
    end function

    function result_get_int64(result, values) result(error)
        type(mw_result), intent(in) :: result
        integer(int64), intent(inout) :: values(:)
        integer(c_int) :: error
        integer(int8), pointer :: bytes(:)
        error = result_bytes_sized(result, bytes, bytes_count(size(values, kind=c_size_t), 64))
        if (error == MW_OK) values = transfer(bytes, values, size(values))
    end function

    function result_get_real64(result, values) result(error)
        type(mw_result), intent(in) :: result
        real(real64), intent(inout) :: values(:)
        integer(c_int) :: error
        integer(int8), pointer :: bytes(:)
        error = result_bytes_sized(result, bytes, bytes_count(size(values, kind=c_size_t), 64))
        if (error == MW_OK) values = transfer(bytes, values, size(values))
    end function

    function result_get_text(result, text) result(error)
        type(mw_result), intent(in) :: result
        character(len=:), allocatable, intent(out) :: text
        integer(c_int) :: error
        integer(int8), pointer :: bytes(:)
        error = result_bytes_sized(result, bytes, -1_c_size_t)
        if (error == MW_OK) call copy_text(bytes, text)
    end function

    function mw_result_algorithm(result) result(text)
        type(mw_result), intent(in) :: result
        character(len=:), allocatable :: text
        text = text_of(result%algorithm)
    end function

    ! Empty if no slave had the task.
    function mw_result_sid(result) result(text)
        type(mw_result), intent(in) :: result
        character(len=:), allocatable :: text
        text = text_of(result%sid)
    end function

    ! Empty if the outcome is MW_DONE.
    function mw_result_message(result) result(text)
        type(mw_result), intent(in) :: result
        character(len=:), allocatable :: text
        text = text_of(result%message)
    end function

    function mw_master_next_connected(master, sid) result(is_there)
        type(mw_master), intent(inout) :: master
        character(len=:), allocatable, intent(out) :: sid
        logical :: is_there
        sid = text_of(mw_c_master_next_connected(master))
        is_there = sid /= ''
    end function

    function mw_master_next_disconnected(master, sid) result(is_there)
        type(mw_master), intent(inout) :: master
        character(len=:), allocatable, intent(out) :: sid
        logical :: is_there
        sid = text_of(mw_c_master_next_disconnected(master))
        is_there = sid /= ''
    end function

    ! Without an algorithm, the target of all algorithms together.
    subroutine mw_master_set_target(master, tasks_count, algorithm, error)
        type(mw_master), intent(inout) :: master
        integer(int64), intent(in) :: tasks_count
        character(len=*), intent(in), optional :: algorithm
        integer(c_int), intent(out), optional :: error
        character(len=:), allocatable, target :: name
        if (present(algorithm)) then
            name = trim(algorithm) // c_null_char
            call report(mw_c_master_set_target(master, c_loc(name), tasks_count), error)
        else
            call report(mw_c_master_set_target(master, c_null_ptr, tasks_count), error)
        end if
    end subroutine

    subroutine mw_master_journal_scope(master, name)
        type(mw_master), intent(inout) :: master
        character(len=*), intent(in) :: name
        character(len=:), allocatable, target :: text
        text = trim(name) // c_null_char
        call mw_c_master_journal_scope(master, c_loc(text))
    end subroutine

    function mw_master_upto(master, algorithm) result(count)
        type(mw_master), intent(in) :: master
        character(len=*), intent(in), optional :: algorithm
        integer(int64) :: count
        character(len=:), allocatable, target :: name
        if (present(algorithm)) then
            name = trim(algorithm) // c_null_char
            count = mw_c_master_upto(master, c_loc(name))
        else
            count = mw_c_master_upto(master, c_null_ptr)
        end if
    end function

    function mw_master_error(master) result(text)
        type(mw_master), intent(in) :: master
        character(len=:), allocatable :: text
        text = text_of(mw_c_master_error(master))
    end function

    function has_result(pointer, result)
        type(c_ptr), intent(in) :: pointer
        type(mw_result), pointer, intent(out) :: result
        logical :: has_result
        nullify (result)
        has_result = c_associated(pointer)
        if (has_result) call c_f_pointer(pointer, result)
    end function
end module
