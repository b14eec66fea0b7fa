#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests the figures that targets.py works out from runs, on runs that are made up."""

import unittest

import targets

PEAK = 2e9  # rounds per second of two processors


def cell(work, name, variant, **figures):
    return {"work": work, "name": name, "workers": 2, "variant": variant, "family": "tcp",
            "runs": [{"workers": 2, **figures}], "missing": None}


def grain(length_ns, share):
    """A farm that reaches this share of the peak with tasks of a round per nanosecond."""
    return cell("W10", "farm", length_ns, tasks_per_s=PEAK * share / length_ns,
                rounds_per_s=PEAK * share)


def results(*cells):
    peak = cell("W10", "without a farm", None, rounds_per_s=PEAK)
    return targets.Results({"cells": [peak, *cells]})


class Metg(unittest.TestCase):
    # At an efficiency of 50 % a task takes twice its length of a worker.
    def test_a_length_with_half_of_the_peak(self):
        found = targets.metg("farm")(results(grain(100, 0.2), grain(300, 0.5), grain(900, 0.8)))

        self.assertAlmostEqual(found, 0.6)

    # 0.5 lies halfway between 0.4, where a task takes 0.5 us, and 0.6, where it takes 0.75 us.
    def test_between_two_lengths(self):
        found = targets.metg("farm")(results(grain(200, 0.4), grain(450, 0.6)))

        self.assertAlmostEqual(found, 0.625)

    # Nothing is known of shorter tasks than the shortest.
    def test_all_lengths_are_efficient(self):
        self.assertAlmostEqual(targets.metg("farm")(results(grain(100, 0.8))), 0.125)

    # No length is efficient, or none was measured.
    def test_no_length_is_efficient(self):
        self.assertIsNone(targets.metg("farm")(results(grain(100, 0.1))))
        self.assertIsNone(targets.metg("farm")(results()))


class Depth(unittest.TestCase):
    # Tasks that need more memory than the target allows do not count.
    def test_too_much_memory(self):
        found = results(cell("W4", "rate", 10 ** 7, tasks_per_s=1, resident_max_gb=2),
                        cell("W4", "rate", 10 ** 8, tasks_per_s=1, resident_max_gb=17))

        self.assertEqual(targets.ran_deepest(found), 10 ** 7)


class Efficiency(unittest.TestCase):
    # A farm is compared with pure computation of tasks of the same length.
    def test_same_length(self):
        found = results(*(cell("W7", name, length_us, seconds=seconds, ideal_s=1)
                          for name, length_us, seconds in (
                              ("without a farm", 100, 1), ("farm", 100, 1.25),
                              ("without a farm", 20, 2), ("farm", 20, 4))))

        self.assertAlmostEqual(targets.efficiency("farm", 100)(found), 0.8)
        self.assertAlmostEqual(targets.efficiency("farm", 20)(found), 0.5)


class Encryption(unittest.TestCase):
    # A slow round of the machine makes both slow, so the ratio is that of each round.
    def test_round_by_round(self):
        plain, tls = (cell("W13", f"64 bytes, {name}", None) for name in ("plain", "TLS"))
        plain["runs"] = [{"tasks_per_s": rate} for rate in (100, 10, 40)]
        tls["runs"] = [{"tasks_per_s": rate} for rate in (80, 8, 20)]

        self.assertAlmostEqual(
            targets.encrypted_over("64 bytes", "plain")(results(plain, tls)), 0.8)

    # Without a run over TLS there is no ratio.
    def test_not_measured(self):
        plain = cell("W13", "64 bytes, plain", None, tasks_per_s=100)

        self.assertIsNone(targets.encrypted_over("64 bytes", "plain")(results(plain)))


if __name__ == "__main__":
    unittest.main()
