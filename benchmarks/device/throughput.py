"""Training samples per second beside a plain loop, and what recording, reactive rules and augmentation change."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F

from benchmarks.device.setting import CLASSES, Measurement, Setting, constant_runs, curves
from decaybench import models
from decaybench.data import TaskData, normalise
from decaybench.schedules import SCHEDULES
from decaybench.training import Run
from decaybench.training.arithmetic import exact_arithmetic
from decaybench.training.graph import LENGTH
from decaybench.training.recipe import Precision

NETS = ("lenet", "resnet20", "resnet9", "3c3d")
STACKS = (1, 4, 16, 64)
LONGEST = 20.0  # seconds that a stack may take, as far as the smaller one before it tells
EPOCHS = 3  # the first one warms up, the second one may record; the last is timed
AUGMENT = ("crop4", "flip")
REACTIVE = {
    "exp_loss": {"gain": 0.1},
    "loss_ratio": {"power": 0.5},
    "reduce_on_plateau": {"factor": 0.5, "patience": 0, "cooldown": 0, "threshold": 0.2},
    "hypergradient": {"beta": 1e-4},
}


def throughput(setting: Setting) -> Iterator[Measurement]:
    """decaybench at several K beside a plain loop, all in one process. Small stacks come first."""
    speeds: dict[tuple[str, str], float] = {}
    nets = ("small-cnn", "resnet8") if setting.quick else NETS
    for net in nets:
        for arithmetic in ("fp32", "bf16", "tf32") if setting.cuda else ("fp32", "bf16"):
            labels = {"net": net, "precision": arithmetic, "how": "plain loop"}
            yield labels, partial(_plain, setting, net, arithmetic, speeds)
    before: dict[tuple[str, str], float] = {}  # seconds per training sample in the stack before
    for k in (1, 2) if setting.quick else STACKS:
        for net in nets:
            for precision in ("fp32", "bf16"):
                labels = {"net": net, "precision": precision, "how": f"decaybench, K = {k}"}
                yield labels, partial(_ours, setting, net, precision, k, speeds, before)


def _ours(
    setting: Setting,
    net: str,
    precision: Precision,
    k: int,
    speeds: Mapping[tuple[str, str], float],
    before: dict[tuple[str, str], float],
) -> Mapping[str, object]:
    updates, batch = (2 if setting.quick else max(4, LENGTH // k)), setting.batch(net)
    samples = updates * batch * k
    expected = EPOCHS * samples * before.get((net, precision), 0.0)
    if expected > LONGEST:
        return {"left out": f"would take about {expected:.0f} s"}
    taken = _epoch(setting, net, precision, constant_runs(k), updates)
    before[net, precision] = taken / samples
    return _speed(setting, samples / taken, speeds.get((net, precision)))


def _speed(setting: Setting, speed: float, plain: float | None) -> Mapping[str, object]:
    found: dict[str, object] = {"samples/s": round(speed)}
    if plain is not None:
        found["over the plain loop"] = round(speed / plain, 2)
    if setting.cuda:
        found["peak memory, GiB"] = round(torch.cuda.max_memory_allocated() / 2**30, 1)
    return found


def _epoch(
    setting: Setting,
    net: str,
    precision: Precision,
    runs: list[Run],
    updates: int,
    captured: bool | None = None,
    benchmark: bool = False,
    augment: Sequence[str] = (),
) -> float:
    """Seconds of the last epoch of a short training; an epoch's numbers are on the host when it ends."""
    if setting.cuda:
        torch.cuda.reset_peak_memory_stats()
    before = torch.backends.cudnn.benchmark
    try:
        torch.backends.cudnn.benchmark = benchmark
        data = setting.data(net, updates)
        found = curves(setting, net, precision, runs, data, epochs=EPOCHS, captured=captured, augment=augment)
        return found[-1].seconds
    finally:
        torch.backends.cudnn.benchmark = before


def _plain(setting: Setting, net: str, arithmetic: str, speeds: dict[tuple[str, str], float]) -> Mapping[str, object]:
    if setting.cuda:
        torch.cuda.reset_peak_memory_stats()
    updates = 2 if setting.quick else 2 * LENGTH
    epoch = plain_epochs(setting, net, arithmetic, setting.data(net, updates))
    exact = nullcontext() if arithmetic == "tf32" else exact_arithmetic()
    with exact:
        setting.seconds(epoch)
        taken = min(setting.seconds(epoch) for _ in range(2))
    speeds[net, arithmetic] = updates * setting.batch(net) / taken
    return _speed(setting, speeds[net, arithmetic], None)


def plain_epochs(setting: Setting, net: str, arithmetic: str, data: TaskData) -> Callable[[], None]:
    """A function that trains one model for an epoch: torch's own module in channels last, with batches indexed from
    the device's memory, and autocast for bf16.
    """
    device, batch = setting.device, setting.batch(net)
    on_device = data.to(device)
    images = normalise(on_device.train.images, on_device.mean, on_device.std, torch.float32)
    images = images.to(memory_format=torch.channels_last)
    model = models.build(net, data.shape, CLASSES, 0).to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    autocast = partial(torch.autocast, device.type, torch.bfloat16, enabled=arithmetic == "bf16")

    def epoch() -> None:
        order = torch.randperm(len(images), device=device)
        for chosen in order.split(batch):
            optimizer.zero_grad()
            with autocast():
                loss = F.cross_entropy(model(images[chosen]), on_device.train.labels[chosen])
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimizer.step()

    return epoch


def recording(setting: Setting) -> Iterator[Measurement]:
    """The same stacks without CUDA graphs, and with cuDNN's own search for the fastest kernel."""
    ways: dict[str, tuple[bool, bool]] = {
        "CUDA graphs": (True, False),
        "no CUDA graphs": (False, False),
        "CUDA graphs, cudnn.benchmark": (True, True),
    }
    for net, k in (("small-cnn", 2),) if setting.quick else (("lenet", 16), ("resnet20", 16), ("resnet9", 4)):
        for precision in ("fp32", "bf16"):
            first: list[float] = []
            for name, (captured, benchmark) in ways.items():
                labels = {"net": net, "precision": precision, "K": str(k), "how": name}
                yield labels, partial(_recorded, setting, net, precision, k, captured, benchmark, first)


def _recorded(
    setting: Setting, net: str, precision: Precision, k: int, captured: bool, benchmark: bool, first: list[float]
) -> Mapping[str, object]:
    updates = 2 if setting.quick else LENGTH
    taken = _epoch(setting, net, precision, constant_runs(k), updates, captured, benchmark)
    first.append(taken)
    return {"ms per update": round(1e3 * taken / updates, 3), "speed over the first line": round(first[0] / taken, 2)}


def extras(setting: Setting) -> Iterator[Measurement]:
    """The time of an update with rules that react to the loss or the gradient, and with augmented images, over that
    with a fixed schedule.
    """
    for net, k in (("small-cnn", 2),) if setting.quick else (("lenet", 16), ("resnet20", 16)):
        fixed: list[float] = []
        for kind, values in {"cosine": {"floor": 0.0}, **REACTIVE}.items():
            yield {"net": net, "K": str(k), "with": kind}, partial(_with, setting, net, k, kind, values, (), fixed)
        labels = {"net": net, "K": str(k), "with": f"cosine, {' and '.join(AUGMENT)}"}
        yield labels, partial(_with, setting, net, k, "cosine", {"floor": 0.0}, AUGMENT, fixed)


def _with(
    setting: Setting,
    net: str,
    k: int,
    kind: str,
    values: Mapping[str, float],
    augment: Sequence[str],
    fixed: list[float],
) -> Mapping[str, object]:
    updates = 2 if setting.quick else 2 * LENGTH
    runs = [replace(run, schedule=SCHEDULES[kind](**values)) for run in constant_runs(k)]
    fixed.append(taken := _epoch(setting, net, "fp32", runs, updates, augment=augment))
    return {"ms per update": round(1e3 * taken / updates, 3), "over the first line": round(taken / fixed[0], 3)}
