"""Pruning in the sweep file: what it may say, and the pure functions of it."""

import re

import pytest

from decaybench.errors import UserError
from decaybench.sweep import extends, is_spared, most_pruned, prune_group, rung, spec_hash

TWO = "[strategies.constant]\n[strategies.cosine]\n"


def asked(table: str = "{}", more: str = "") -> str:
    return f"[search]\nprune = {table}\n{more}{TWO}"


def test_it_is_off_unless_asked_for_and_then_part_of_the_question(small):
    plain, pruned = small(TWO), small(asked())
    assert "prune" not in plain.spec()["search"]
    assert pruned.spec()["search"]["prune"] == {"at": 0.5, "spare": 0.2}
    assert small(asked("{at = 0.5, spare = 0.2}")).spec() == pruned.spec()
    assert spec_hash(plain.spec()) != spec_hash(pruned.spec())
    known = small(asked("{at = 0.25}"))
    assert type(known).from_mapping(known.spec(), "database").spec() == known.spec()
    for old, new, line in [
        (plain, pruned, "search.prune: absent in the database, {at = 0.5, spare = 0.2} in the file"),
        (pruned, plain, "search.prune: {at = 0.5, spare = 0.2} in the database, absent in the file"),
        (pruned, known, "search.prune.at: 0.5 in the database, 0.25 in the file"),
    ]:
        with pytest.raises(UserError, match=re.escape(line)):
            extends(old.spec(), new.spec())


@pytest.mark.parametrize(
    ("table", "more", "line"),
    [
        ("true", "", "prune: must be a table, got true"),
        ("{at = 0}", "", "prune.at: must be > 0, got 0"),
        ("{at = 1.0}", "", "prune.at: must be < 1, got 1.0"),
        ("{at = nan}", "", "prune.at: must be finite, got nan"),
        ('{at = "half"}', "", 'prune.at: must be a number, got "half"'),
        ("{spare = -0.1}", "", "prune.spare: must be >= 0, got -0.1"),
        ("{spare = 1.1}", "", "prune.spare: must be <= 1, got 1.1"),
        ("{share = 0.2}", "", "prune.share: unknown key; known: at, spare"),
        (
            "{}",
            'sampler = "random"\nallocation = "adaptive"\n',
            'prune: needs allocation = "balanced": only trials of one strategy are compared, got {at = 0.5, spare = 0.2}',
        ),
    ],
)
def test_what_is_refused(small, table, more, line):
    with pytest.raises(UserError) as refused:
        small(asked(table, more))
    assert str(refused.value) == f"small.toml: search.{line}"


@pytest.mark.parametrize(
    ("at", "length", "epoch"),
    [(0.5, 1.0, 5), (0.5, 0.2, 1), (0.5, 0.1, None), (0.01, 1.0, 1), (0.99, 1.0, None), (0.74, 1.0, 7)],
)
def test_the_rung(small, at, length, epoch):
    lengths = ("trials = 3", f"trials = 3\nlengths = [{length}]")
    assert rung(small(asked(f"{{at = {at}}}"), lengths), length) == epoch
    assert rung(small(TWO, lengths), length) is None


def groups(sweep, slots: int) -> list[int]:
    """Which of the distinct groups each slot is in."""
    found = [prune_group(sweep, "cosine", 0, 1.0, slot) for slot in range(slots)]
    return [list(dict.fromkeys(found)).index(group) for group in found]


def test_groups_are_blocks_of_one_strategy_repeat_and_length_and_batches_of_tpe(small):
    sweep = small(asked())
    assert groups(sweep, 130) == [0] * 64 + [1] * 64 + [2] * 2
    others = [("constant", 0, 1.0), ("cosine", 1, 1.0), ("cosine", 0, 0.5)]
    assert prune_group(sweep, "cosine", 0, 1.0, 0) not in [prune_group(sweep, *other, 0) for other in others]
    tpe = 'sampler = "tpe"\n'
    assert groups(small(asked(more=tpe + "batch = 3\n")), 7) == [0, 0, 0, 1, 1, 1, 2]
    assert groups(small(asked(more=tpe + "batch = 100\n")), 170) == [0] * 64 + [1] * 36 + [2] * 64 + [3] * 6


def test_who_is_spared_is_drawn_for_each_slot(small):
    places = [
        (label, repeat, 1.0, slot) for label in ("constant", "cosine") for repeat in (0, 1) for slot in range(500)
    ]

    def spared(sweep):
        return {place for place in places if is_spared(sweep, *place)}

    drawn = {spare: spared(small(asked(f"{{spare = {spare}}}"))) for spare in (0, 0.2, 0.5, 1)}
    assert [len(drawn[spare]) for spare in (0, 1)] == [0, 2000]
    assert 340 < len(drawn[0.2]) < 460  # 400 and 3.3 standard deviations
    assert drawn[0.2] < drawn[0.5]
    here = [
        {slot for label, repeat, _, slot in drawn[0.5] if (label, repeat) == key}
        for key in [("constant", 0), ("constant", 1), ("cosine", 0)]
    ]
    assert here[0] != here[1] != here[2] != here[0]
    other = small(asked("{spare = 0.5}", "seed = 7\n"))
    assert spared(other) != drawn[0.5]
    assert spared(small(TWO)) == set()


def test_what_is_saved_at_most(small):
    trials = ("trials = 3", "trials = 7")
    assert most_pruned(small(TWO, trials)) == 0
    # 3 of 7 slots are worse than the median, and half of their epochs is left
    assert most_pruned(small(asked("{spare = 0.0}"), trials)) == pytest.approx(3 * 5 / 70)
    assert most_pruned(small(asked("{at = 0.2, spare = 0.5}"), trials)) == pytest.approx(0.5 * 3 * 8 / 70)
