! SPDX-License-Identifier: Apache-2.0
!
! The part of the module mw for task algorithms and slave algorithms.
module mw_slave_side
    use, intrinsic :: iso_c_binding, only: c_int, c_null_char, c_ptr, c_size_t
    use, intrinsic :: iso_fortran_env, only: int8, int32, int64, real64
    use mw_bytes
    use mw_c
    implicit none
    private

    public :: mw_call_args, mw_call_bytes, mw_call_return, mw_call_save, mw_call_saved, mw_call_fail, &
        mw_slave_id, mw_slave_error

    ! In a task algorithm: `if (mw_call_args(call, values) /= MW_OK) return`. If the sizes differ, the
    ! task has failed with a message that says so. A character string gets the length of the data.
    interface mw_call_args
        module procedure call_args_int8, call_args_int32, call_args_int64, call_args_real64, &
            call_args_text
    end interface

    ! In a task algorithm: call mw_call_return(call, values [, error]).
    interface mw_call_return
        module procedure call_return_int8, call_return_int32, call_return_int64, &
            call_return_real64, call_return_text
    end interface

    ! In a task algorithm: call mw_call_save(call, values [, error]). If `error` is MW_EGONE, nobody
    ! waits for the result any more.
    interface mw_call_save
        module procedure call_save_int8, call_save_int32, call_save_int64, call_save_real64, &
            call_save_text
    end interface

    ! In a task algorithm: `if (mw_call_saved(call, values)) ...` reads what an earlier attempt has
    ! saved. If the sizes differ it is false, and `values` stay the same.
    interface mw_call_saved
        module procedure call_saved_int8, call_saved_int32, call_saved_int64, call_saved_real64, &
            call_saved_text
    end interface

contains

    ! The raw bytes of the task, where they were received, without a copy.
    function mw_call_bytes(call, bytes) result(error)
        type(mw_call), intent(inout) :: call
        integer(int8), pointer, intent(out) :: bytes(:)
        integer(c_int) :: error
        type(c_ptr) :: data
        integer(c_size_t) :: size
        nullify (bytes)
        error = mw_c_call_bytes(call, data, size)
        if (error == MW_OK) call view_bytes(data, size, bytes)
    end function

    ! The same, if their number is the expected one.
    function call_bytes_sized(call, bytes, expected_size) result(error)
        type(mw_call), intent(inout) :: call
        integer(int8), pointer, intent(out) :: bytes(:)
        integer(c_size_t), intent(in) :: expected_size
        integer(c_int) :: error
        character(len=80) :: message
        error = mw_call_bytes(call, bytes)
        if (error /= MW_OK) return
        if (size(bytes, kind=c_size_t) == expected_size) return
        error = MW_EFORMAT
        write (message, '(a, i0, a, i0)') 'expected ', expected_size, ' bytes, got ', &
            size(bytes, kind=c_size_t)
        call mw_call_fail(call, trim(message))
    end function

    function call_args_int8(call, values) result(error)
        type(mw_call), intent(inout) :: call
        integer(int8), intent(inout) :: values(:)
        integer(c_int) :: error
        integer(int8), pointer :: bytes(:)
        error = call_bytes_sized(call, bytes, bytes_count(size(values, kind=c_size_t), 8))
        if (error == MW_OK) values = bytes
    end function

    function call_args_int32(call, values) result(error)
        type(mw_call), intent(inout) :: call
        integer(int32), intent(inout) :: values(:)
        integer(c_int) :: error
        integer(int8), pointer :: bytes(:)
        error = call_bytes_sized(call, bytes, bytes_count(size(values, kind=c_size_t), 32))
        if (error == MW_OK) values = transfer(bytes, values, size(values))
    end function

    function call_args_int64(call, values) result(error)
        type(mw_call), intent(inout) :: call
        integer(int64), intent(inout) :: values(:)
        integer(c_int) :: error
        integer(int8), pointer :: bytes(:)
        error = call_bytes_sized(call, bytes, bytes_count(size(values, kind=c_size_t), 64))
        if (error == MW_OK) values = transfer(bytes, values, size(values))
    end function

    function call_args_real64(call, values) result(error)
        type(mw_call), intent(inout) :: call
        real(real64), intent(inout) :: values(:)
        integer(c_int) :: error
        integer(int8), pointer :: bytes(:)
        error = call_bytes_sized(call, bytes, bytes_count(size(values, kind=c_size_t), 64))
        if (error == MW_OK) values = transfer(bytes, values, size(values))
    end function

    function call_args_text(call, text) result(error)
        type(mw_call), intent(inout) :: call
        character(len=:), allocatable, intent(out) :: text
        integer(c_int) :: error
        integer(int8), pointer :: bytes(:)
        error = mw_call_bytes(call, bytes)
        if (error == MW_OK) call copy_text(bytes, text)
    end function

    subroutine call_return_int8(call, values, error)
        type(mw_call), intent(inout) :: call
        integer(int8), intent(in), target, contiguous :: values(:)
        integer(c_int), intent(out), optional :: error
        call report(mw_c_call_return_bytes(call, address(values), size(values, kind=c_size_t)), &
            error)
    end subroutine

    subroutine call_return_int32(call, values, error)
        type(mw_call), intent(inout) :: call
        integer(int32), intent(in) :: values(:)
        integer(c_int), intent(out), optional :: error
        call call_return_int8(call, transfer(values, [0_int8]), error)
    end subroutine

    subroutine call_return_int64(call, values, error)
        type(mw_call), intent(inout) :: call
        integer(int64), intent(in) :: values(:)
        integer(c_int), intent(out), optional :: error
        call call_return_int8(call, transfer(values, [0_int8]), error)
    end subroutine

    subroutine call_return_real64(call, values, error)
        type(mw_call), intent(inout) :: call
        real(real64), intent(in) :: values(:)
        integer(c_int), intent(out), optional :: error
        call call_return_int8(call, transfer(values, [0_int8]), error)
    end subroutine

    subroutine call_return_text(call, text, error)
        type(mw_call), intent(inout) :: call
        character(len=*), intent(in) :: text
        integer(c_int), intent(out), optional :: error
        call call_return_int8(call, transfer(text, [0_int8]), error)
    end subroutine

    subroutine call_save_int8(call, values, error)
        type(mw_call), intent(inout) :: call
        integer(int8), intent(in), target, contiguous :: values(:)
        integer(c_int), intent(out), optional :: error
        call report(mw_c_call_save(call, address(values), size(values, kind=c_size_t)), error)
    end subroutine

    subroutine call_save_int32(call, values, error)
        type(mw_call), intent(inout) :: call
        integer(int32), intent(in) :: values(:)
        integer(c_int), intent(out), optional :: error
        call call_save_int8(call, transfer(values, [0_int8]), error)
    end subroutine

    subroutine call_save_int64(call, values, error)
        type(mw_call), intent(inout) :: call
        integer(int64), intent(in) :: values(:)
        integer(c_int), intent(out), optional :: error
        call call_save_int8(call, transfer(values, [0_int8]), error)
    end subroutine

    subroutine call_save_real64(call, values, error)
        type(mw_call), intent(inout) :: call
        real(real64), intent(in) :: values(:)
        integer(c_int), intent(out), optional :: error
        call call_save_int8(call, transfer(values, [0_int8]), error)
    end subroutine

    subroutine call_save_text(call, text, error)
        type(mw_call), intent(inout) :: call
        character(len=*), intent(in) :: text
        integer(c_int), intent(out), optional :: error
        call call_save_int8(call, transfer(text, [0_int8]), error)
    end subroutine

    ! The saved bytes, where they were received; false if there are none.
    function saved_bytes(call, bytes) result(has_saved)
        type(mw_call), intent(in) :: call
        integer(int8), pointer, intent(out) :: bytes(:)
        logical :: has_saved
        type(c_ptr) :: data
        integer(c_size_t) :: size
        nullify (bytes)
        has_saved = mw_c_call_saved(call, data, size)
        if (has_saved) call view_bytes(data, size, bytes)
    end function

    ! The same, if their number is the expected one.
    function saved_sized(call, bytes, expected_size) result(has_saved)
        type(mw_call), intent(in) :: call
        integer(int8), pointer, intent(out) :: bytes(:)
        integer(c_size_t), intent(in) :: expected_size
        logical :: has_saved
        has_saved = saved_bytes(call, bytes)
        if (has_saved) has_saved = size(bytes, kind=c_size_t) == expected_size
    end function

    function call_saved_int8(call, values) result(has_saved)
        type(mw_call), intent(in) :: call
        integer(int8), intent(inout) :: values(:)
        logical :: has_saved
        integer(int8), pointer :: bytes(:)
        has_saved = saved_sized(call, bytes, bytes_count(size(values, kind=c_size_t), 8))
        if (has_saved) values = bytes
    end function

    function call_saved_int32(call, values) result(has_saved)
        type(mw_call), intent(in) :: call
        integer(int32), intent(inout) :: values(:)
        logical :: has_saved
        integer(int8), pointer :: bytes(:)
        has_saved = saved_sized(call, bytes, bytes_count(size(values, kind=c_size_t), 32))
        if (has_saved) values = transfer(bytes, values, size(values))
    end function

    function call_saved_int64(call, values) result(has_saved)
        type(mw_call), intent(in) :: call
        integer(int64), intent(inout) :: values(:)
        logical :: has_saved
        integer(int8), pointer :: bytes(:)
        has_saved = saved_sized(call, bytes, bytes_count(size(values, kind=c_size_t), 64))
        if (has_saved) values = transfer(bytes, values, size(values))
    end function

    function call_saved_real64(call, values) result(has_saved)
        type(mw_call), intent(in) :: call
        real(real64), intent(inout) :: values(:)
        logical :: has_saved
        integer(int8), pointer :: bytes(:)
        has_saved = saved_sized(call, bytes, bytes_count(size(values, kind=c_size_t), 64))
        if (has_saved) values = transfer(bytes, values, size(values))
    end function

    function call_saved_text(call, text) result(has_saved)
        type(mw_call), intent(in) :: call
        character(len=:), allocatable, intent(out) :: text
        logical :: has_saved
        integer(int8), pointer :: bytes(:)
        has_saved = saved_bytes(call, bytes)
        if (has_saved) call copy_text(bytes, text)
    end function

    ! The message is not a format: a percent sign in it stands for itself.
    subroutine mw_call_fail(call, message)
        type(mw_call), intent(inout) :: call
        character(len=*), intent(in) :: message
        call mw_c_call_fail(call, message // c_null_char)
    end subroutine

    function mw_slave_id(slave) result(text)
        type(mw_slave), intent(in) :: slave
        character(len=:), allocatable :: text
        text = text_of(mw_c_slave_id(slave))
    end function

    function mw_slave_error(slave) result(text)
        type(mw_slave), intent(in) :: slave
        character(len=:), allocatable :: text
        text = text_of(mw_c_slave_error(slave))
    end function
end module
