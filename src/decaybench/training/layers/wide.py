"""A model's K-wide form: the layers that compute it for K runs at once."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.modules.module import _has_any_global_hook

from decaybench.training.layers.base import Layer, Layout, Places
from decaybench.training.layers.kinds import LAYERS

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def wide(template: nn.Module) -> Sequence[Layer] | None:
    """The layers of a model, one after the other, from images as maps to logits as rows.

    None if the model must be called itself: it is not a plain Sequential, a layer of it is of no known kind or comes
    where that kind cannot be, or calling it does more than its class says.
    """
    # Compare the exact type, since a subclass may have a forward of its own.
    if type(template) is not nn.Sequential or any(_altered(module) for module in (template, *template)):
        return None
    owned = (template.parameters(), float_buffers(template))
    places = {id(tensor): place for tensors in owned for place, tensor in enumerate(tensors)}
    layers: list[Layer] = []
    layout = Layout.MAPS
    for module in template:
        layer = _layer(module, places, layout)
        if layer is None:
            return None
        layers.append(layer)
        layout = layer.gives or layout
    return layers if layout is Layout.ROWS else None


def float_buffers(model: nn.Module) -> list[Tensor]:
    """The buffers of a model that layers may keep statistics in."""
    return [buffer for buffer in model.buffers() if buffer.is_floating_point()]


def _layer(module: nn.Module, places: Places, layout: Layout) -> Layer | None:
    """The layer for a module whose input has this layout, or None if there is none."""
    kind = LAYERS.get(type(module))
    layer = kind.of(module, places) if kind else None
    return layer if layer is not None and layer.takes in (None, layout) else None


def _altered(module: nn.Module) -> bool:
    """Whether calling the module does more than its class's forward, through hooks or replaced methods."""
    everywhere = _has_any_global_hook()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    methods = any(callable(getattr(type(module), name, None)) for name in vars(module))
    return methods or any(vars(module)[name] for name in HOOKS) or bool(everywhere)
