"""A KerasCallback's state beside the model's, in the folder of a BackupAndRestore."""

import os
import pickle
from pathlib import Path
from typing import Any

import torch


class Backup:
    """The states at the beginning of the epoch that comes and of the one before, in ``folder``/decaybench.pt.

    Two, since the model's backup is written before this one or after it, and training may be interrupted in between.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._file = Path(folder) / "decaybench.pt"
        self._states: dict[int, dict[str, Any]] = {}

    def keep(self, epoch: int, state: dict[str, Any]) -> None:
        """Write what is needed to begin with ``epoch``; the file is the old one or the new one at any time."""
        self._states = {e: s for e, s in self._states.items() if e == epoch - 1} | {epoch: state}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        new = self._file.with_suffix(".new")
        torch.save(self._states, new)
        new.replace(self._file)

    def at(self, epoch: int) -> Any:
        """What was kept for ``epoch``, as it stands in the file; None if nothing was."""
        if not self._file.exists():
            return None
        try:
            states = torch.load(self._file, weights_only=True)
        except (OSError, EOFError, RuntimeError, ValueError, pickle.UnpicklingError) as error:
            raise ValueError(f"KerasCallback: {self._file} cannot be read: {str(error).splitlines()[0]}") from None
        if not isinstance(states, dict):
            raise ValueError(f"KerasCallback: {self._file} holds no states, but a {type(states).__name__}")
        self._states = states
        return states.get(epoch)
