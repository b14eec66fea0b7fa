! SPDX-License-Identifier: Apache-2.0
!
! A farm inside a Fortran solver that uses MPI: poisson_mpi [--points N] [--sweeps N]
!
! The solver finds the potential of a charge in a square box by Jacobi's iteration. The rows of the grid
! are divided among the ranks, and neighbours exchange their edges after each sweep. Then it follows
! field lines from many points of the box to the charge, which takes much longer for some of them than
! for others. So the same ranks become a farm, with rank 0 as master, for as long as that lasts. The
! charge moves to where the longest line begins, and so on for four rounds.
!
! The output is the same with any number of ranks. On a single rank, the tasks run in it.
module field_lines
    use, intrinsic :: iso_c_binding, only: c_int, c_ptr
    use, intrinsic :: iso_fortran_env, only: error_unit, int64, real64
    use mw
    implicit none
    private

    public :: follow, follow_all, start_of

    integer, parameter :: LINES_COUNT = 60
    real(real64), parameter :: STEP = 0.05_real64

    ! The whole potential, on every rank, and what the master makes of it.
    real(real64), allocatable, public :: potential(:, :)
    real(real64), public :: lengths(LINES_COUNT)

contains

    ! The task algorithm: follows the line from a point until it no longer goes up, and returns its
    ! length.
    subroutine follow(call) bind(c)
        type(mw_call), intent(inout) :: call
        real(real64) :: point(2), slope(2), length, top
        if (mw_call_args(call, point) /= MW_OK) return
        length = 0
        top = -1
        do while (height(point) > top)
            top = height(point)
            slope = [height(point + [STEP, 0._real64]) - height(point - [STEP, 0._real64]), &
                height(point + [0._real64, STEP]) - height(point - [0._real64, STEP])]
            point = point + STEP * slope / max(norm2(slope), tiny(top))
            length = length + STEP
        end do
        call mw_call_return(call, [length])
    end subroutine

    ! The potential at a point, between the four points of the grid around it.
    pure function height(point)
        real(real64), intent(in) :: point(2)
        real(real64) :: height, part(2)
        integer :: at(2)
        at = min(max(int(point), lbound(potential)), ubound(potential) - 1)
        part = point - at
        height = (1 - part(2)) * ((1 - part(1)) * potential(at(1), at(2)) &
            + part(1) * potential(at(1) + 1, at(2))) &
            + part(2) * ((1 - part(1)) * potential(at(1), at(2) + 1) &
            + part(1) * potential(at(1) + 1, at(2) + 1))
    end function

    ! Where a line begins: the points are spread over the box.
    pure function start_of(line) result(point)
        integer, intent(in) :: line
        real(real64) :: point(2)
        point = [modulo(0.618_real64 * line, 1._real64), (line - 0.5_real64) / LINES_COUNT] &
            * ubound(potential, 1)
    end function

    ! The master algorithm. Results come in any order; the tag is the number of the line.
    function follow_all(farm, argc, argv) result(status) bind(c)
        type(mw_master), intent(inout) :: farm
        integer(c_int), value :: argc
        type(c_ptr), intent(in) :: argv(*)
        integer(c_int) :: status
        type(mw_result), pointer :: result
        real(real64) :: length(1)
        integer(int64) :: i
        integer :: left_count

        do i = 1, LINES_COUNT
            call mw_master_submit(farm, 'follow', start_of(int(i)), tag=i)
        end do
        left_count = LINES_COUNT
        do while (mw_master_next(farm, result))
            if (mw_result_get(result, length) /= MW_OK) cycle
            lengths(result%tag) = length(1)
            left_count = left_count - 1
        end do
        status = merge(0, 1, left_count == 0)
        if (left_count > 0) write (error_unit, '(a, i0, a)') mw_argument(argc, argv, 0) // ': ', &
            left_count, ' lines are missing'
    end function
end module

program poisson_mpi
    use, intrinsic :: iso_fortran_env, only: error_unit, real64
    use field_lines
    use mpi
    use mw
    use mw_mpi
    implicit none

    integer, parameter :: ROUNDS_COUNT = 4
    integer :: rank, ranks_count, points_count, sweeps_count, first, last, level, code, i
    integer :: charge(2)
    ! Our own rows of the grid, with one more at each side. The edge of the box has the potential 0.
    real(real64), allocatable :: rows(:, :)

    call MPI_Init_thread(MPI_THREAD_FUNNELED, level, code)
    call MPI_Comm_rank(MPI_COMM_WORLD, rank, code)
    call MPI_Comm_size(MPI_COMM_WORLD, ranks_count, code)
    points_count = 100
    sweeps_count = 1000
    if (.not. read_options()) then
        call MPI_Finalize(code)
        call mw_exit(2)
    end if
    first = points_count * rank / ranks_count + 1
    last = points_count * (rank + 1) / ranks_count
    allocate (rows(0:points_count + 1, first - 1:last + 1))
    allocate (potential(0:points_count + 1, 0:points_count + 1))
    charge = points_count / 3
    do i = 1, ROUNDS_COUNT
        call solve()
        call gather()
        call run_farm()
        if (rank == 0) print '(a, i0, a, 2(i0, 1x), a, f0.2, a, es14.8)', 'round ', i, &
            ': charge at ', charge, 'longest line ', maxval(lengths), ', potential ', maxval(potential)
        charge = min(max(nint(start_of(maxloc(lengths, 1))), 1), points_count)
        call MPI_Bcast(charge, 2, MPI_INTEGER, 0, MPI_COMM_WORLD, code)
    end do
    call MPI_Finalize(code)

contains

    ! Sweeps over the grid, all ranks together.
    subroutine solve()
        real(real64) :: old(0:points_count + 1, first - 1:last + 1)
        integer :: sweep, x, y

        rows = 0
        do sweep = 1, sweeps_count
            call exchange_edges()
            old = rows
            do y = first, last
                do x = 1, points_count
                    rows(x, y) = (old(x - 1, y) + old(x + 1, y) + old(x, y - 1) + old(x, y + 1)) / 4
                end do
            end do
            if (charge(2) >= first .and. charge(2) <= last) &
                rows(charge(1), charge(2)) = rows(charge(1), charge(2)) + 0.25_real64
        end do
    end subroutine

    subroutine exchange_edges()
        integer :: above, below, length
        length = points_count + 2
        above = merge(rank - 1, MPI_PROC_NULL, rank > 0)
        below = merge(rank + 1, MPI_PROC_NULL, rank + 1 < ranks_count)
        call MPI_Sendrecv(rows(:, first), length, MPI_DOUBLE_PRECISION, above, 0, &
            rows(:, last + 1), length, MPI_DOUBLE_PRECISION, below, 0, MPI_COMM_WORLD, &
            MPI_STATUS_IGNORE, code)
        call MPI_Sendrecv(rows(:, last), length, MPI_DOUBLE_PRECISION, below, 0, &
            rows(:, first - 1), length, MPI_DOUBLE_PRECISION, above, 0, MPI_COMM_WORLD, &
            MPI_STATUS_IGNORE, code)
    end subroutine

    ! Gives every rank the whole potential.
    subroutine gather()
        integer :: counts(0:ranks_count - 1), offsets(0:ranks_count - 1), other
        do other = 0, ranks_count - 1
            offsets(other) = points_count * other / ranks_count * (points_count + 2)
            counts(other) = points_count * (other + 1) / ranks_count * (points_count + 2) &
                - offsets(other)
        end do
        potential = 0
        call MPI_Allgatherv(rows(:, first:last), counts(rank), MPI_DOUBLE_PRECISION, &
            potential(:, 1:points_count), counts, offsets, MPI_DOUBLE_PRECISION, MPI_COMM_WORLD, code)
    end subroutine

    ! Runs the farm. All ranks call this together.
    subroutine run_farm()
        type(mw_options), pointer :: options
        integer :: error, status

        status = 1
        error = mw_options_create(options)
        if (error == MW_OK) error = mw_options_set(options, 'quiet', '1')
        if (error == MW_OK) error = mw_mpi_run(MPI_COMM_WORLD, 0, [mw_algorithm('follow', follow)], &
            follow_all, options, status)
        if (error == MW_OK .and. status == 0) then
            call mw_options_destroy(options)
            return
        end if
        if (.not. associated(options)) then
            write (error_unit, '(a)') 'poisson_mpi: ' // mw_error_text(error)
        else if (error /= MW_OK) then
            write (error_unit, '(a)') 'poisson_mpi: the farm failed: ' // mw_options_error(options)
        end if
        call MPI_Abort(MPI_COMM_WORLD, 1, code)
    end subroutine

    ! False if an argument is wrong, which rank 0 says.
    function read_options() result(is_right)
        logical :: is_right
        character(len=32) :: name, text
        integer :: j, number, problem

        is_right = .true.
        do j = 1, command_argument_count(), 2
            call get_command_argument(j, name)
            call get_command_argument(j + 1, text)
            read (text, *, iostat=problem) number
            if (problem /= 0) number = 0
            if (name == '--points' .and. number >= max(3, ranks_count) .and. number <= 2000) then
                points_count = number
            else if (name == '--sweeps' .and. number >= 1 .and. number <= 1000000) then
                sweeps_count = number
            else
                is_right = .false.
                if (rank == 0) write (error_unit, '(a)') 'poisson_mpi: wrong: ' // trim(name) // ' ' &
                    // trim(text)
                return
            end if
        end do
    end function
end program
