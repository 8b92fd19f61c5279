"""Which runs are trained together, and in which order."""

from dataclasses import dataclass

from decaybench.runner.stacks import group, members


@dataclass
class Row:
    id: str
    stack: int | None = None


def test_alike_runs_share_stacks_of_k_and_kinds_keep_their_order():
    runs = [(Row(f"{kind}{i}"), kind) for i in range(3) for kind in ("late", "early")]
    assert group(runs, 5, 2) == {"late0": 5, "late1": 5, "late2": 6, "early0": 7, "early1": 7, "early2": 8}
    assert group([], 0, 2) == {}


def test_a_stack_holds_one_batch_and_batches_stay_in_order():
    runs = [(Row(f"{form}{batch}"), (1.0, batch, form)) for batch in range(3) for form in ("plain", "nesterov")]
    stacks = group(runs, 0, 8)
    assert len(set(stacks.values())) == 6
    assert [stacks[f"plain{b}"] for b in range(3)] == [0, 2, 4]


def test_members_come_by_stack():
    rows = [Row("a", 3), Row("b", 1), Row("c", 3)]
    assert [[row.id for row in stack] for stack in members(rows)] == [["b"], ["a", "c"]]
