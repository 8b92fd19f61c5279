"""A KerasCallback's state beside the model's, in the folder of a BackupAndRestore."""

import io
import os
from pathlib import Path
from typing import Any

import torch


class Backup:
    """The states at the beginning of the epoch that comes and of the one before, in ``folder``/decaybench.pt.

    Two, since the model's backup is written before this one or after it, and training may be interrupted in between.
    Raises ValueError for a ``folder`` that cannot be written, or that BackupAndRestore would look for elsewhere.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        if not isinstance(folder, str | os.PathLike) or not os.fspath(folder) or "://" in os.fspath(folder):
            raise ValueError(f"KerasCallback: backup_dir must be the path of a local folder, got {folder!r}")
        if os.path.expanduser(folder) != os.fspath(folder):
            raise ValueError(
                f"KerasCallback: backup_dir must be a path without ~, which BackupAndRestore takes for a name, got "
                f"{os.fspath(folder)!r}: give both os.path.expanduser({os.fspath(folder)!r})"
            )
        path = Path(folder)
        there = next(part for part in (path, *path.absolute().parents) if os.path.lexists(part))
        if not (there.is_dir() and os.access(there, os.W_OK)):
            raise ValueError(f"KerasCallback: backup_dir must be a folder that can be written: {there} is not one")
        self.file = path / "decaybench.pt"
        self._states: dict[int, dict[str, Any]] = {}

    def keep(self, epoch: int, state: dict[str, Any]) -> None:
        """Write what is needed to begin with ``epoch``; the file is the old one or the new one at any time."""
        self._states = {e: s for e, s in self._states.items() if e == epoch - 1} | {epoch: state}
        self.file.parent.mkdir(parents=True, exist_ok=True)
        new = self.file.with_suffix(".new")
        torch.save(self._states, new)
        new.replace(self.file)

    def at(self, epoch: int) -> Any:
        """What was kept for ``epoch``, as it stands in the file; None if nothing was."""
        if not self.file.exists():
            return None
        try:
            content = io.BytesIO(self.file.read_bytes())
        except OSError as error:
            raise ValueError(f"KerasCallback: {self.file} cannot be read: {error.strerror or error}") from None
        try:
            states = torch.load(content, weights_only=True)
        except Exception:  # what a damaged pickle raises may be anything, and torch's advice is not for this file
            states = None
        if not isinstance(states, dict):
            raise ValueError(
                f"KerasCallback: {self.file} is damaged, or not written by KerasCallback: delete the folder "
                f"{self.file.parent} to begin the run again"
            )
        self._states = states
        return states.get(epoch)
