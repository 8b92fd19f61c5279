import numpy as np
import pytest

from decaybench.compare import edge

RATES = np.geomspace(0.001, 1, 25)
PLACE = np.linspace(0, 1, 25)


def of_rates(results, winner, **options):
    return edge(RATES, results, winner, 0.001, 1, True, **options)


def test_a_winner_at_an_end_that_still_improves_is_flagged():
    assert of_rates(PLACE, 1) == "high" and of_rates(-PLACE, 0.001) == "low"
    assert of_rates(-PLACE, 1, lower_is_better=True) == "high"
    assert of_rates(PLACE, 0.001, lower_is_better=True) == "low"


def test_a_winner_inside_is_not():
    assert of_rates(PLACE, 0.5) is None
    # 5% of a logarithmic range from 0.001 to 1 begin at 0.708; of a linear one, at 0.95
    assert of_rates(PLACE, 0.72) == "high" and of_rates(PLACE, 0.69) is None
    assert edge(RATES, PLACE, 0.72, 0.001, 1, False) is None
    assert edge(PLACE, PLACE, 0.96, 0, 1, False) == "high"


def test_results_that_fall_towards_the_end_are_not_flagged():
    lucky = np.where(PLACE == 1, 2.0, -PLACE)  # only the winner itself stands out
    assert of_rates(lucky, 1) is None
    assert of_rates(np.zeros(25), 1) is None


def test_only_that_third_counts():
    valley = np.abs(PLACE - 0.6)
    assert of_rates(valley, 1) == "high"
    diverged = np.where(PLACE > 0.9, -1.0, PLACE)
    assert of_rates(diverged, 1) is None


def test_two_slots_tell_no_trend():
    few = [0.001, 0.01, 0.5, 1]
    assert edge(few, [1, 2, 3, 4], 1, 0.001, 1, True) is None
    assert edge([*few, 0.3], [1, 2, 3, 4, 2], 1, 0.001, 1, True) == "high"


def test_bad_ranges_are_refused():
    for low, high, log in [(1, 1, False), (2, 1, False), (0, 1, True)]:
        with pytest.raises(ValueError, match="range"):
            edge([1.0], [1.0], 1.0, low, high, log)
    with pytest.raises(ValueError, match="same trials"):
        edge([1.0], [1.0, 2.0], 1.0, 0, 1, False)
