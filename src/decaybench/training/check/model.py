"""Check whether a user's model can be trained in a stack, by inspecting and running it before anything is written."""

import warnings
from collections.abc import Callable, Collection, Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase
from torch.nn.parameter import is_lazy

from decaybench import seeds
from decaybench.errors import UserError
from decaybench.training.arithmetic import exact_arithmetic
from decaybench.training.check.alone import Refusal, listed, refusing
from decaybench.training.check.probe import BATCH, CPU, RUNS, Probe
from decaybench.training.recipe import Precision


def check_builder(build: Callable[[int], nn.Module]) -> list[nn.Module]:
    """Build the models of the first seeds. Raises UserError if one seed gives different initial weights each time."""
    models = [build(seed) for seed in range(RUNS)]
    again = build(0)
    name, theirs = type(again).__name__, dict(again.named_parameters())
    if again is models[0]:
        raise UserError(f"task.model: {name} must be built anew for each run, got the same module each time")
    for where, own in models[0].named_parameters():
        if is_lazy(own) or own.device.type != "cpu" or own.layout != torch.strided:  # left to check_model
            continue
        if where not in theirs or theirs[where].shape != own.shape:
            raise UserError(
                f"task.model: {name} must have the same parameters each time it is built for a seed, got another "
                f"shape for {where}"
            )
        if not torch.allclose(own, theirs[where], rtol=0, atol=0, equal_nan=True):
            raise UserError(
                f"task.model: {name} must have the same initial weights each time it is built for a seed, got "
                f"different ones for {where}: draw them from the global generator of torch, NumPy or Python"
            )
    return models


def check_model(
    template: nn.Module,
    shape: tuple[int, int, int],
    classes: int,
    *,
    siblings: Sequence[nn.Module] = (),
    precision: Precision = "fp32",
    device: torch.device = CPU,
    batches: Collection[int] = (BATCH,),
    chunks: Collection[int] = (BATCH,),
    full: bool = False,
) -> bool:
    """Raise UserError, in one line that says why, if a model trained in a stack would differ from one trained alone.

    Returns whether the model keeps statistics of its batches.

    ``siblings`` are the same model built for other seeds, one per run. The module is run in float64, or in float32 if
    that fails, and then in ``precision``. It is given a few random images of shape (C, H, W), and once ``batches``
    of these sizes in training and ``chunks`` in evaluation. With ``full``, an update adds up the gradients of
    such batches. The module and the global random generators are left unchanged.
    """
    try:
        with exact_arithmetic(), seeds.seeded(0, device), warnings.catch_warnings(), refusing("cannot be tried"):
            warnings.simplefilter("ignore")  # training will show the module's warnings
            for module in (template, *siblings):
                _require_parameters(module, template)
            probe = Probe(template, siblings, shape, classes, device)
            if not probe.wide:  # layers that run K-wide are known to be independent
                _require_no_statistics(template, probe.architecture.why_whole)
                probe.independent(training=True, batch=max(batches))
                probe.independent(training=False, batch=max(chunks))
            else:
                if probe.mixes:
                    _require_batches(template, min(batches), full)
                probe.batches(True, batches)
                probe.batches(False, chunks)
            _require_own_memory(template)
            probe.stacked()
            probe.trained(precision)
            return probe.architecture.tracks
    except Refusal as refused:
        raise UserError(f"task.model: {type(template).__name__} {refused}") from refused.__cause__


def _require_parameters(module: nn.Module, template: nn.Module) -> None:
    """Refuse what can be recognised without running the module."""
    named = dict(module.named_parameters())
    if not named:
        raise Refusal("has no parameters, so there is nothing to train")
    for name, tensor in [*named.items(), *module.named_buffers()]:
        if is_lazy(tensor):
            raise Refusal(f"must know its shapes when it is built, but {name} belongs to a lazy layer that has not run")
        if tensor.device.type != "cpu":
            raise Refusal(f"must be built on the CPU, got {name} on {tensor.device}")
    for name, p in named.items():
        if not p.dtype.is_floating_point:
            raise Refusal(f"must have real floating-point parameters, got {name} of {p.dtype}")
        if p.layout != torch.strided:
            raise Refusal(f"must have dense parameters, got {name} of {p.layout}")
        if not p.isfinite().all():
            raise Refusal(f"must have finite initial weights, got NaN or infinity in {name}")
        if p._backward_hooks or p._post_accumulate_grad_hooks:
            raise Refusal(f"has a hook on the parameter {name}, which a stack would never call")
    if frozen := [name for name, p in named.items() if not p.requires_grad]:
        raise Refusal(f"must have requires_grad=True for every parameter, got False for {listed(frozen)}")
    for part in module.modules():
        if isinstance(part, torch.jit.ScriptModule):
            raise Refusal("is compiled by torch.jit, which keeps its own parameters: use the module before compilation")
    ours, theirs = ([(name, p.shape) for name, p in one.named_parameters()] for one in (template, module))
    if ours != theirs:
        raise Refusal("must have the same parameters for every seed, got different ones for another seed")


def _require_no_statistics(module: nn.Module, why: str) -> None:
    """Refuse statistics over a batch in a module that must be called itself, because of ``why``."""
    for part in module.modules():
        if isinstance(part, _NormBase) and (isinstance(part, _BatchNorm) or part.track_running_stats):
            raise Refusal(
                f"has {part}, which computes statistics over a batch or keeps them between batches; this is possible "
                f"only in a model of known layers, but this one {why}"
            )


def _require_batches(module: nn.Module, batch: int, full: bool) -> None:
    """Refuse sizes of a batch for which its statistics are not those that the model is written for."""
    which = next((str(part) for part in module.modules() if isinstance(part, _BatchNorm)), "batch normalisation")
    if full:
        raise Refusal(f'has {which}, but batch_size = "full" is computed in parts, each with statistics of its own')
    if batch == 1:
        raise Refusal(f"has {which}, whose statistics need a batch_size of at least 2, got 1")


def _require_own_memory(module: nn.Module) -> None:
    """Refuse parameters that share memory: a view of one would not follow the parameters of several runs."""
    owner: dict[int, str] = {}
    for name, p in module.named_parameters():
        if (other := owner.setdefault(p.untyped_storage().data_ptr(), name)) != name:
            raise Refusal(
                f"has two parameters in the same memory, {other} and {name}: to tie them, use one in both places"
            )
    for path, part in module.named_modules():
        for name, tensor in {**part._buffers, **vars(part)}.items():
            if isinstance(tensor, Tensor) and not isinstance(tensor, nn.Parameter):
                where = owner.get(tensor.untyped_storage().data_ptr())
                if where is not None and tensor.numel():
                    raise Refusal(f"holds {f'{path}.{name}'.lstrip('.')} in the memory of the parameter {where}")
