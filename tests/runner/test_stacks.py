"""Which runs are trained together, and in which order."""

from collections import Counter
from dataclasses import dataclass

from decaybench.runner.stacks import Member, group, members


@dataclass
class Row:
    id: str
    stack: int | None = None


def of(kind, name, family=None):
    return Member(Row(name), kind, name if family is None else family)


def test_alike_runs_share_stacks_of_k_and_kinds_keep_their_order():
    runs = [of(kind, f"{kind}{i}") for i in range(3) for kind in ("late", "early")]
    assert group(runs, 5, 2) == {"late0": 5, "late1": 5, "late2": 6, "early0": 7, "early1": 7, "early2": 8}
    assert group([], 0, 2) == {}


def test_a_stack_holds_one_batch_and_batches_stay_in_order():
    runs = [of((1.0, batch, form), f"{form}{batch}") for batch in range(3) for form in ("plain", "nesterov")]
    stacks = group(runs, 0, 8)
    assert len(set(stacks.values())) == 6
    assert [stacks[f"plain{b}"] for b in range(3)] == [0, 2, 4]


def test_families_stay_whole_and_larger_ones_than_k_stand_alone():
    runs = [of("a", f"{strategy}{slot}", family=slot) for strategy in "xyz" for slot in range(3)]
    assert group(runs, 0, 2) == {f"{strategy}{slot}": slot for strategy in "xyz" for slot in range(3)}
    assert group(runs, 0, 6) == {f"{strategy}{slot}": slot // 2 for strategy in "xyz" for slot in range(3)}


def test_workers_get_equally_many_stacks():
    runs = [of("a", f"r{i}") for i in range(150)]
    for workers, expected in ((1, 5), (2, 6), (4, 8)):
        sizes = Counter(group(runs, 0, 32, workers).values())
        assert len(sizes) == expected
        assert max(sizes.values()) <= 32
        assert workers == 1 or max(sizes.values()) - min(sizes.values()) <= 6


def test_members_come_by_stack():
    rows = [Row("a", 3), Row("b", 1), Row("c", 3)]
    assert [[row.id for row in stack] for stack in members(rows)] == [["b"], ["a", "c"]]
