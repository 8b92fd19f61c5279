"""Saves a KerasCallback's state beside the model's, in the folder of a BackupAndRestore."""

import io
import os
from pathlib import Path
from typing import Any

import torch


class Backup:
    """Keeps the states at the start of the next epoch and of the one before, in ``folder``/decaybench.pt.

    It keeps two because training may be interrupted between the model's backup and this one, whichever comes first.
    Raises ValueError if ``folder`` cannot be written, or if BackupAndRestore would resolve it to another place.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        if not isinstance(folder, str | os.PathLike) or not os.fspath(folder) or "://" in os.fspath(folder):
            raise ValueError(f"KerasCallback: backup_dir must be the path of a local folder, got {folder!r}")
        if os.path.expanduser(folder) != os.fspath(folder):
            raise ValueError(
                f"KerasCallback: backup_dir must be a path without ~, which BackupAndRestore does not expand, got "
                f"{os.fspath(folder)!r}: give both os.path.expanduser({os.fspath(folder)!r})"
            )
        path = Path(folder)
        there = next(part for part in (path, *path.absolute().parents) if os.path.lexists(part))
        if not (there.is_dir() and os.access(there, os.W_OK)):
            raise ValueError(f"KerasCallback: backup_dir must be a folder that can be written: {there} is not one")
        self.file = path / "decaybench.pt"
        self._states: dict[int, dict[str, Any]] = {}

    def keep(self, epoch: int, state: dict[str, Any]) -> None:
        """Save the state at the start of ``epoch``. The file is replaced atomically."""
        self._states = {e: s for e, s in self._states.items() if e == epoch - 1} | {epoch: state}
        self.file.parent.mkdir(parents=True, exist_ok=True)
        new = self.file.with_suffix(".new")
        torch.save(self._states, new)
        new.replace(self.file)

    def at(self, epoch: int) -> Any:
        """Return the state saved for ``epoch``, or None if there is none. Raises ValueError for a damaged file."""
        if not self.file.exists():
            return None
        try:
            content = io.BytesIO(self.file.read_bytes())
        except OSError as error:
            raise ValueError(f"KerasCallback: {self.file} cannot be read: {error.strerror or error}") from None
        try:
            states = torch.load(content, weights_only=True)
        except Exception:  # a damaged pickle may raise anything, and torch's advice in the message would mislead
            states = None
        if not isinstance(states, dict):
            raise ValueError(
                f"KerasCallback: {self.file} is damaged, or not written by KerasCallback: delete the folder "
                f"{self.file.parent} to begin the run again"
            )
        self._states = states
        return states.get(epoch)
