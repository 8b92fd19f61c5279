from dataclasses import dataclass
from importlib.metadata import EntryPoint

import pytest
import torch

from decaybench.errors import UserError
from decaybench.schedules import SCHEDULES, Bank, Fixed, Param, Range, registry, trace
from decaybench.schedules.registry import Registry


@dataclass(frozen=True)
class SquareRoot(Fixed):
    """scale = (1 + t / timescale) ** -0.5. Source: a test."""

    timescale: Param = Range(0.01, 0.1, log=True, unit="run", native="update")
    staircase: bool = False

    def at(self, clock):
        n = clock.step / self.timescale
        return (1.0 + (torch.floor(n) if self.staircase else n)) ** -0.5


def test_one_class_is_all_that_a_kind_takes():
    assert SquareRoot.kind == "square_root"
    assert SquareRoot.parameters() == ("timescale", "staircase", "warmup", "warmup_start")
    assert SquareRoot.options() == {"staircase": (False, True)}
    assert SquareRoot.range_of("timescale", epochs=3).unit == SquareRoot.range_unit("timescale", {}) == "run"
    assert SquareRoot.native_unit("timescale", {}) == "update"
    assert trace(SquareRoot(2.0), 9, 3)[6].item() == pytest.approx(0.5)
    assert trace(SquareRoot(2.0, staircase=True), 9, 3)[7].item() == pytest.approx(0.5)
    bank = Bank([SquareRoot(2.0, warmup=2), SCHEDULES["linear"]()], torch.ones(2, dtype=torch.float64), 12, 3)
    assert bank.scale(bank.init(), 8).tolist() == pytest.approx([0.5, 1 / 3])
    with pytest.raises(ValueError, match=r"SquareRoot.timescale must be in \(-inf, inf\), got nan"):
        SquareRoot(float("nan"))


def found(monkeypatch, *entries):
    listed = [EntryPoint(name, value, registry.GROUP) for name, value in entries]
    monkeypatch.setattr(registry, "entry_points", lambda *, group: listed if group == registry.GROUP else [])
    return Registry(*(SCHEDULES[kind] for kind in ("constant", "cosine")))


def test_other_packages_add_kinds_that_are_loaded_when_asked_for(monkeypatch):
    kinds = found(monkeypatch, ("waves", "decaybench.schedules.fixed:Linear"))
    assert kinds["cosine"] is SCHEDULES["cosine"]
    assert "_all" not in vars(kinds)
    assert kinds["waves"] is SCHEDULES["linear"]
    assert list(kinds) == ["constant", "cosine", "waves"]
    assert len(kinds) == 3
    assert "square" not in kinds


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (("cosine", "decaybench.schedules.fixed:Linear"), "takes a name that is in use"),
        (("waves", "decaybench.schedules.ranges:Range"), "is not a Schedule class"),
        (("waves", "nowhere:Waves"), "cannot be imported: ModuleNotFoundError: No module named 'nowhere'"),
        (("waves", "decaybench.schedules.fixed:Waves"), "cannot be imported: AttributeError: "),
        (("waves", "this_leaves:Waves"), "cannot be imported: SystemExit: 3"),
        (("waves", "this_raises:Waves"), "cannot be imported: ZeroDivisionError: division by zero"),
    ],
)
def test_an_entry_point_that_cannot_be_used_breaks_nothing_but_itself(monkeypatch, tmp_path, entry, message):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "this_leaves.py").write_text("import sys; sys.exit(3)")
    (tmp_path / "this_raises.py").write_text("1 / 0")
    kinds = found(monkeypatch, entry, ("ramp", "decaybench.schedules.fixed:Linear"))
    assert list(kinds) == ["constant", "cosine", "ramp"]
    assert "square" not in kinds
    said = kinds.unusable[entry[0]]
    assert list(kinds.unusable) == [entry[0]]
    assert said.startswith(f"decaybench.schedules: entry point {entry[0]} = {entry[1]} {message}")
    if entry[0] == "waves":
        with pytest.raises(UserError, match=r"entry point waves"):
            kinds["waves"]
