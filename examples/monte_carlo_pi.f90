! SPDX-License-Identifier: Apache-2.0
!
! Pi by throwing darts at a square, in Fortran:
! monte_carlo_pi_fortran [--max-trial-sets N] [--trials N] [--seed S]
!
! Each task is a set of trials: the state of a random number generator at which the set begins, and
! the number of darts to throw. The master computes the state for each set by jumping ahead, so that
! all sets together use the numbers of one long run. So the output is the same in every mode, however
! the darts are divided into sets. The generator combines two multiplicative ones, see P.
! L'Ecuyer, "Efficient and portable combined random number generators", Communications of the ACM
! 31(6), 1988, doi:10.1145/62959.62969; its period is 2.3e18.
module darts
    use, intrinsic :: iso_c_binding, only: c_int, c_ptr
    use, intrinsic :: iso_fortran_env, only: error_unit, int64, output_unit, real64
    use mw
    implicit none
    private

    public :: throw_darts, master

    ! The two generators: state = multiplier * state mod modulus. Products are below 2**47.
    integer(int64), parameter :: MULTIPLIERS(2) = [40014_int64, 40692_int64]
    integer(int64), parameter :: MODULI(2) = [2147483563_int64, 2147483399_int64]

    type :: settings
        integer(int64) :: max_trial_sets = 100, trials = 1000000, seed = 1
    end type

contains

    ! The next random number, in 1..MODULI(1) - 1.
    subroutine draw(state, number)
        integer(int64), intent(inout) :: state(2)
        integer(int64), intent(out) :: number
        state = mod(MULTIPLIERS * state, MODULI)
        number = state(1) - state(2)
        if (number < 1) number = number + MODULI(1) - 1
    end subroutine

    ! The state after a number of draws: the multiplier's power, by squaring. Products are below 2**62.
    function jump(state, draws) result(later)
        integer(int64), intent(in) :: state(2), draws
        integer(int64) :: later(2), factors(2), left
        later = state
        factors = MULTIPLIERS
        left = draws
        do while (left > 0)
            if (mod(left, 2_int64) == 1) later = mod(later * factors, MODULI)
            factors = mod(factors * factors, MODULI)
            left = left / 2
        end do
    end function

    ! Runs in a slave. Hits are computed in integers, since another machine may round floating point
    ! numbers differently; the sum of two squares is below 2**63.
    subroutine throw_darts(call) bind(c)
        type(mw_call), intent(inout) :: call
        integer(int64) :: arguments(3), state(2), trial, x, y, hits

        if (mw_call_args(call, arguments) /= MW_OK) return
        state = arguments(1:2)
        hits = 0
        do trial = 1, arguments(3)
            call draw(state, x)
            call draw(state, y)
            if (x * x + y * y < MODULI(1) * MODULI(1)) hits = hits + 1
        end do
        call mw_call_return(call, [hits])
    end subroutine

    subroutine submit_sets(farm, wanted)
        type(mw_master), intent(inout) :: farm
        type(settings), intent(in) :: wanted
        integer(int64) :: state(2), set

        state = 1 + mod(wanted%seed, MODULI - 1)
        do set = 1, wanted%max_trial_sets
            call mw_master_submit(farm, 'throw_darts', [state, wanted%trials], tag=set)
            state = jump(state, 2 * wanted%trials)
        end do
    end subroutine

    ! Adds up the hits, in any order. Returns the number of sets that came.
    function add_hits(farm, hits) result(sets_count)
        type(mw_master), intent(inout) :: farm
        integer(int64), intent(out) :: hits
        integer(int64) :: sets_count, more(1)
        type(mw_result), pointer :: result
        character(len=:), allocatable :: message

        hits = 0
        sets_count = 0
        do while (mw_master_next(farm, result))
            if (mw_result_get(result, more) == MW_OK) then
                hits = hits + more(1)
                sets_count = sets_count + 1
            else
                message = mw_result_message(result)
                if (result%outcome == MW_DONE) message = 'the result is not one number'
                write (error_unit, '(a, i0, 2a)') 'monte_carlo_pi_fortran: set ', result%tag, ': ', &
                    message
            end if
        end do
    end function

    ! The hits are binomially distributed, which gives the standard error.
    subroutine print_estimate(hits, trials)
        integer(int64), intent(in) :: hits, trials
        real(real64) :: share, error

        share = real(hits, real64) / real(trials, real64)
        error = sqrt(share * (1 - share) / real(trials, real64))
        write (output_unit, '(i0, a, i0, a)') hits, ' of ', trials, ' darts hit.'
        write (output_unit, '(a, f11.9, a, f11.9, a)') 'Pi is about ', 4 * share, &
            ', standard error ', 4 * error, '.'
    end subroutine

    ! Reads a number that is only digits and in least..most. Prints a message about any other.
    function read_number(name, text, least, most, number) result(is_good)
        character(len=*), intent(in) :: name, text
        integer(int64), intent(in) :: least, most
        integer(int64), intent(inout) :: number
        logical :: is_good
        integer(int64) :: value

        value = -1
        is_good = len(text) >= 1 .and. len(text) <= 18 .and. verify(text, '0123456789') == 0
        if (is_good) read (text, '(i18)') value
        is_good = is_good .and. value >= least .and. value <= most
        if (is_good) then
            number = value
        else
            write (error_unit, '(5a, i0, a, i0)') 'monte_carlo_pi_fortran: ', name, ' "', text, &
                '" is not a number in ', least, '..', most
        end if
    end function

    ! mw_main has taken mw's own options out; the arguments that are left are the program's.
    function read_options(argc, argv, wanted) result(is_good)
        integer(c_int), intent(in) :: argc
        type(c_ptr), intent(in) :: argv(*)
        type(settings), intent(inout) :: wanted
        logical :: is_good
        character(len=:), allocatable :: name, value
        integer :: i

        is_good = .true.
        do i = 1, argc - 1, 2
            name = mw_argument(argc, argv, i)
            value = mw_argument(argc, argv, i + 1)
            select case (name)
            case ('--max-trial-sets')
                is_good = read_number(name, value, 1_int64, 1000000_int64, wanted%max_trial_sets)
            case ('--trials')
                is_good = read_number(name, value, 1_int64, 1000000000000_int64, wanted%trials)
            case ('--seed')
                is_good = read_number(name, value, 0_int64, 999999999999999999_int64, wanted%seed)
            case default
                write (error_unit, '(3a)') 'monte_carlo_pi_fortran: unknown argument "', name, '"'
                is_good = .false.
            end select
            if (.not. is_good) return
        end do
    end function

    function master(farm, argc, argv) result(status) bind(c)
        type(mw_master), intent(inout) :: farm
        integer(c_int), value :: argc
        type(c_ptr), intent(in) :: argv(*)
        integer(c_int) :: status
        type(settings) :: wanted
        integer(int64) :: hits

        status = 2
        if (.not. read_options(argc, argv, wanted)) return
        status = 1
        call submit_sets(farm, wanted)
        if (add_hits(farm, hits) < wanted%max_trial_sets) return
        call print_estimate(hits, wanted%max_trial_sets * wanted%trials)
        status = 0
    end function
end module

program monte_carlo_pi_fortran
    use darts
    use mw
    implicit none

    call mw_exit(mw_main([mw_algorithm('throw_darts', throw_darts)], master))
end program
