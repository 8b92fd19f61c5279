import math

import pytest
import torch

from decaybench.schedules import SCHEDULES, Bank, MultiStep, Observation, Range, Reactive, trace
from schedules.samples import draw

T, B = 40, 4
NAMES = sorted(SCHEDULES)
# The products of gradients that rules are shown here: the update's loss, moved by this much.
SHIFTS = {"grad_norm_sq": 0.1, "grad_dot_direction": -1.0, "grad_dot_previous": -1.5}


def mixed(k, offset=0):
    return [draw(NAMES[i % len(NAMES)], i // len(NAMES) + offset, T, B) for i in range(k)]


def drive(schedules, base, update_losses, epoch_losses, held_out):
    """(T, K) scales: as a training loop would ask for them."""
    bank = Bank(schedules, base, T, B)
    state, rows = bank.init(), []
    for t in range(T):
        if t and t % B == 0:
            state = bank.observe_epoch(state, epoch_losses[t // B - 1], held_out[t // B - 1])
        measured = {name: shift + update_losses[t] for name, shift in SHIFTS.items()}
        state = bank.observe_update(state, Observation(update_losses[t], measured))
        rows.append(bank.scale(state, t))
    return torch.stack(rows)


@pytest.fixture
def forty():
    generator = torch.Generator().manual_seed(3)
    base = torch.rand(40, dtype=torch.float64, generator=generator) + 0.01
    shown = (3 * torch.rand(n, 40, dtype=torch.float64, generator=generator) for n in (T, T // B, T // B))
    return mixed(40), base, *shown


def test_mixed_kinds_equal_singles(forty):
    schedules, base, *shown = forty
    together = drive(*forty)
    assert together.shape == (T, 40)
    assert together.dtype == torch.float64
    for i, schedule in enumerate(schedules):
        losses = None
        if isinstance(schedule, Reactive):
            losses = shown[0 if schedule.when == "update" else 2 if schedule.held_out else 1][:, i]
        measured = {name: SHIFTS[name] + shown[0][:, i] for name in getattr(schedule, "observes", ())}
        alone = trace(schedule, T, B, losses, base_lr=base[i].item(), products=measured)
        torch.testing.assert_close(together[:, i], alone, rtol=1e-12, atol=0)
        assert together[:, i].equal(alone), schedule


def test_bits_depend_on_nothing_but_the_run_itself(forty):
    together = drive(*forty)
    schedules, base, *shown = forty
    generator = torch.Generator().manual_seed(0)
    for k in (1, 2, 3, 7, 13, 17, 29, 40):
        chosen = torch.randperm(40, generator=generator)[:k]
        part = drive([schedules[i] for i in chosen], base[chosen], *(values[:, chosen] for values in shown))
        assert part.equal(together[:, chosen]), k
    more = drive(
        mixed(50, offset=9) + schedules,
        torch.cat([torch.ones(50, dtype=torch.float64), base]),
        *(torch.cat([torch.ones(len(values), 50), values], dim=1) for values in shown),
    )
    assert more[:, 50:].equal(together)


@pytest.mark.parametrize("kind", ["exponential", "polynomial", "step_decay", "cosine", "exp_loss"])
def test_bits_are_the_same_in_a_vectors_body_and_in_its_tail(kind):
    """torch.pow's are not: groups wide enough for both, and every split of them."""
    options = {name: legal[0] for name, legal in SCHEDULES[kind].options().items()}
    schedules = [draw(kind, seed, T, B, **options) for seed in range(53)]
    base = torch.ones(53, dtype=torch.float64)
    losses = torch.rand(T, 53, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    together = drive(schedules, base, losses, losses, losses)
    for low, high in ((0, 1), (5, 6), (52, 53), (0, 16), (3, 20), (1, 32), (20, 53)):
        part = losses[:, low:high]
        assert drive(schedules[low:high], base[low:high], part, part, part).equal(together[:, low:high])


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e300])
def test_a_loss_that_is_not_finite_stays_with_its_run(forty, bad):
    schedules, base, *shown = forty
    together = drive(*forty)
    for values in shown:
        values[2:, ::3] = bad
    sick = drive(schedules, base, *shown)
    healthy = [i for i in range(40) if i % 3]
    assert sick[:, healthy].equal(together[:, healthy])
    assert torch.isfinite(sick).all()


def test_options_and_lists_of_several_lengths_share_a_bank():
    schedules = [
        MultiStep([2], 0.1),
        MultiStep([1, 3, 5], 0.5),
        MultiStep([1, 4], [0.5, 0.2]),
        SCHEDULES["exponential"](0.5, 4),
        SCHEDULES["exponential"](0.5, 4, staircase=True),
    ]
    base = torch.ones(5, dtype=torch.float64)
    losses = torch.ones(T, 5)
    together = drive(schedules, base, losses, losses, losses)
    for i, schedule in enumerate(schedules):
        assert together[:, i].equal(trace(schedule, T, B))


def test_a_step_may_be_a_tensor():
    bank = Bank(mixed(12), torch.ones(12, dtype=torch.float64), T, B)
    for t in (0, 7, 39, 99):
        assert bank.scale(bank.init(), torch.tensor(t)).equal(bank.scale(bank.init(), t))


def test_update_and_epoch_rules_hear_their_own():
    schedules = [SCHEDULES["exp_loss"](signal=signal) for signal in ("batch", "ema", "epoch", "held_out")]
    bank = Bank(schedules, torch.ones(4, dtype=torch.float64), T, B)
    one = torch.ones(4)
    state = bank.observe_update(bank.init(), Observation(math.log(2) * one))
    assert bank.scale(state, 0).tolist() == pytest.approx([2, 2, 1, 1])
    state = bank.observe_epoch(state, math.log(3) * one, math.log(5) * one)
    assert bank.scale(state, 0).tolist() == pytest.approx([2, 2, 3, 5])
    with pytest.raises(ValueError, match="signal is 'held_out', but no held-out loss was given"):
        bank.observe_epoch(state, one, None)


def test_capped_updates_are_counted():
    bank = Bank([SCHEDULES["exp_loss"]()] * 2, torch.ones(2, dtype=torch.float64), T, B)
    state = bank.init()
    for loss in ([1.0, 88.8], [math.nan, 1.0], [-math.inf, math.inf]):
        state = bank.observe_update(state, Observation(torch.tensor(loss)))
    assert state[0].capped[:2].tolist() == [2, 2]
    assert bank.scale(state, 0).tolist() == [1000, 1000]


def test_what_a_bank_refuses():
    one, two = torch.ones(1, dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    schedule = SCHEDULES["cosine"](0.1)
    for make, message in [
        (lambda: Bank([], one, T, B), "at least one schedule"),
        (lambda: Bank([schedule], two, T, B), r"base_lr must be \(1,\), got \(2,\)"),
        (lambda: Bank([schedule], one, 0, B), "total_steps must be a whole number of at least 1, got 0"),
        (
            lambda: Bank([schedule], one, T, 2.5),
            "steps_per_epoch must be a whole number of at least 1, got 2.5",
        ),
        (lambda: Bank([SCHEDULES["cosine"](two / 2)], one, T, B), "Cosine has tensor fields"),
        (lambda: Bank([SCHEDULES["cosine"](Range(0, 1))], one, T, B), "Cosine.floor has no value"),
    ]:
        with pytest.raises(ValueError, match=message):
            make()
