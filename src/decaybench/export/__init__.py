"""A sweep's best configuration as code to paste, with one module per target."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from decaybench.export import keras, pytorch, toml
from decaybench.export.setting import Setting, picked_setting

TARGETS: Final[Mapping[str, Callable[[Setting], str]]] = MappingProxyType(
    {"torch": pytorch.write, "keras": keras.write, "toml": toml.write}
)

__all__ = ["TARGETS", "Setting", "picked_setting"]
