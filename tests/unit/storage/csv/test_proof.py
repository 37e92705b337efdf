from __future__ import annotations

from scoremill.storage.csv import Tally, Verdict, prove

PROVEN, REFUTED, UNKNOWN, IRREGULAR = Verdict.PROVEN, Verdict.REFUTED, Verdict.UNKNOWN, Verdict.IRREGULAR


def test_even_counts_prove_every_cut() -> None:
    assert prove([Tally(quotes=2), Tally(quotes=0), Tally(quotes=4)]) == [PROVEN] * 3


def test_an_odd_count_refutes_the_next_and_what_lies_in_the_same_field() -> None:
    assert prove([Tally(quotes=1), Tally(), Tally(quotes=1), Tally()]) == [PROVEN, REFUTED, REFUTED, UNKNOWN]


def test_a_range_read_again_under_the_right_hypothesis_is_proven() -> None:
    inside = Tally(inside_quotes=True)
    assert prove([Tally(quotes=1), inside, Tally(True, quotes=1), Tally()]) == [PROVEN] * 4


def test_nothing_is_proven_behind_what_was_not_read() -> None:
    assert prove([Tally(), None, Tally()]) == [PROVEN, UNKNOWN, UNKNOWN]


def test_an_irregular_quote_of_a_proven_range_condemns_all_cuts_behind_it() -> None:
    assert prove([Tally(), Tally(irregular=True), None]) == [PROVEN, IRREGULAR, IRREGULAR]


def test_an_irregular_quote_under_a_wrong_hypothesis_means_nothing() -> None:
    assert prove([Tally(quotes=1), Tally(quotes=1, irregular=True), Tally()]) == [PROVEN, REFUTED, UNKNOWN]


def test_a_file_without_partitions_needs_no_proof() -> None:
    assert prove([]) == []
