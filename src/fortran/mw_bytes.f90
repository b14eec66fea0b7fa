! SPDX-License-Identifier: Apache-2.0
!
! Conversions of bytes and strings between C and Fortran, for the other modules. Programs do not use it.
module mw_bytes
    use, intrinsic :: iso_c_binding, only: c_associated, c_f_pointer, c_int, c_loc, c_null_ptr, &
        c_ptr, c_size_t
    use, intrinsic :: iso_fortran_env, only: int8
    use mw_c, only: mw_c_strlen
    implicit none
    private

    public :: address, bytes_count, copy_text, report, text_of, view_bytes

    ! The longest name of a task algorithm or of a slave.
    integer, parameter, public :: MW_NAME_LENGTH = 64

contains

    subroutine report(from, to)
        integer(c_int), intent(in) :: from
        integer(c_int), intent(out), optional :: to
        if (present(to)) to = from
    end subroutine

    pure function bytes_count(values_count, bits) result(count)
        integer(c_size_t), intent(in) :: values_count
        integer, intent(in) :: bits
        integer(c_size_t) :: count
        count = values_count * (bits / 8)
    end function

    ! The address of the bytes; NULL for an array without elements, for which c_loc is not defined.
    function address(bytes)
        integer(int8), intent(in), target, contiguous :: bytes(:)
        type(c_ptr) :: address
        address = c_null_ptr
        if (size(bytes) > 0) address = c_loc(bytes)
    end function

    subroutine view_bytes(data, size, bytes)
        type(c_ptr), intent(in) :: data
        integer(c_size_t), intent(in) :: size
        integer(int8), pointer, intent(out) :: bytes(:)
        integer(int8), target, save :: nothing(0)
        if (size > 0) then
            call c_f_pointer(data, bytes, [size])
        else
            bytes => nothing
        end if
    end subroutine

    subroutine copy_text(bytes, text)
        integer(int8), intent(in) :: bytes(:)
        character(len=:), allocatable, intent(out) :: text
        allocate (character(len=size(bytes)) :: text)
        if (len(text) > 0) text = transfer(bytes, text)
    end subroutine

    ! A copy of a string of C; empty for NULL.
    function text_of(pointer) result(text)
        type(c_ptr), intent(in) :: pointer
        character(len=:), allocatable :: text
        integer(int8), pointer :: bytes(:)
        text = ''
        if (.not. c_associated(pointer)) return
        call view_bytes(pointer, mw_c_strlen(pointer), bytes)
        call copy_text(bytes, text)
    end function
end module
