"""Finding and reading a sweep file: a path, or the name of a sweep that is shipped with the package."""

import tomllib
from importlib.resources import files
from pathlib import Path

from decaybench.errors import UserError
from decaybench.paths import expanded
from decaybench.sweep.model import Sweep


def load_sweep(path: str | Path) -> Sweep:
    """The sweep in a file, or the shipped one of that name; an existing file takes precedence.

    Raises UserError, one line: ``FILE: KEY: rule, got VALUE``.
    """
    file = _find(path)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{file}: must be UTF-8, got byte {content[error.start]:#04x} at {error.start}") from None
    if not text.strip():
        raise UserError(f"{file}: is empty; a sweep has name, [task], [budget] and [strategies.LABEL] tables")
    try:
        mapping = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file}: is not TOML: {error}") from None
    return Sweep.from_mapping(mapping, str(file))


def shipped() -> dict[str, Path]:
    """The files of the sweeps that come with the package, by name, in alphabetical order."""
    package = Path(str(files("decaybench")))
    # A wheel carries them inside the package; an editable install finds them in the repository around it.
    for folder in (package / "sweeps", package.parents[1] / "sweeps"):
        if folder.is_dir():
            return {file.stem: file for file in sorted(folder.glob("*.toml"))}
    return {}


def _find(path: str | Path) -> Path:
    if "://" in str(path):  # perhaps a database's, with a password
        raise UserError("SWEEP is a URL; it must be a sweep file or a shipped sweep's name")
    file, known = expanded(path, "SWEEP"), shipped()
    try:
        here, folder = file.exists(), file.is_dir()
    except OSError:  # a name too long for any file
        here = folder = False
    if here and not folder:
        return file
    # A folder does not count: reports are written to folders with the sweep's name.
    if str(path) in known:
        return known[str(path)]
    names = ", ".join(known) or "none"
    if folder:
        raise UserError(f"{file}: is a directory, not a sweep file; shipped sweeps: {names}")
    raise UserError(f"{file}: is neither a file nor a shipped sweep; shipped sweeps: {names}")
