"""Find the files of each part in a dataset's folder, under the names that pandas users and the hub give them."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from decaybench.errors import UserError

# The words that the Hugging Face hub accepts for each part.
WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
PART_OF = {word: part for part, words in WORDS.items() for word in words}
# A whole part or one of the hub's shards. Older versions of the hub's library end a shard's name with a hash.
FILE = re.compile(rf"({'|'.join(PART_OF)})(?:-([0-9]{{5}})-of-(?!00000)([0-9]{{5}})(?:-[0-9a-f]+)?)?\.parquet")
# Names that were probably meant for a part: train2.parquet or Validation.parquet, but not values.parquet.
ALMOST = re.compile(rf"({'|'.join(PART_OF)})(?![a-z]).*\.parquet", re.IGNORECASE | re.DOTALL)
LISTED = 20


class _File(NamedTuple):
    """Shard ``number`` of ``total``; a file that holds a whole part is shard 0 of 0."""

    word: str
    total: int
    number: int
    path: Path

    @property
    def part(self) -> str:
        return PART_OF[self.word]


def find_parts(folder: Path) -> Mapping[str, Sequence[Path]]:
    """Find the files of the parts ``train``, ``test`` and, if there is one, ``validation``; shards are in order.

    The files may be in ``folder`` itself or in its subfolder ``data``. If neither has any, they are looked for in the
    other subfolders, since a copy of a hub repository has one per configuration; exactly one may then have them. Files
    with other names are ignored. Raises UserError if a part is missing or incomplete, if more than one choice of files
    is possible, or if a file's name is almost that of a part.
    """
    places = {place: _files(place) for place in (folder, folder / "data") if os.path.isdir(place)}
    if not any(places.values()):
        places |= {place: _files(place) for place in _entries(folder) if os.path.isdir(place) and place.name[0] != "."}
    filled = [place for place, files in places.items() if files] or [folder]
    if len(filled) > 1:
        where = ", ".join(str(place / files[0].path.name) for place, files in places.items() if files)
        raise UserError(f"{folder}: the parquet files of all parts must be in one folder, got {where}")
    place, files = filled[0], places[filled[0]]
    for part in ("train", "test"):
        if all(file.part != part for file in files):
            there = listed(path.name for path in _entries(place))
            raise UserError(
                f"{place}/{part}.parquet: must exist, or the hub's shards ({part}-00000-of-00001.parquet, ...), "
                f"got neither (the folder contains: {there})"
            )
    known = {file.path for file in files}
    if almost := [path.name for path in _entries(place) if ALMOST.fullmatch(path.name) and path not in known]:
        raise UserError(
            f"{place}: a parquet file whose name begins like a part's must have the name of a part (train.parquet) "
            f"or of a shard (train-00000-of-00001.parquet), got {listed(almost)}; rename it or move it away"
        )
    return {part: _in_order(part, own) for part in WORDS if (own := [file for file in files if file.part == part])}


def _in_order(part: str, files: Sequence[_File]) -> Sequence[Path]:
    """Return the part's only file or all shards of one set. Anything else is ambiguous: raises UserError."""
    files = sorted(files)
    word, total = files[0][:2]
    if [file[:3] for file in files] == [(word, total, number) for number in range(total or 1)]:
        return [file.path for file in files]
    got = listed(file.path.name for file in files)
    there = {file.number for file in files}
    missing = [f"{word}-{number:05}-of-{total:05}.parquet" for number in range(total) if number not in there]
    lacks = f", without {listed(missing, 3)}" if missing and len({file[:2] for file in files}) == 1 else ""
    raise UserError(
        f"{files[0].path.parent}: the {part} part must be one file or all shards of one set, got {got}{lacks}"
    )


def _files(place: Path) -> list[_File]:
    found = ((path, FILE.fullmatch(path.name)) for path in _entries(place))
    return [_File(match[1], int(match[3] or 0), int(match[2] or 0), path) for path, match in found if match]


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise UserError(f"{folder}: must be a readable folder, got: {error.strerror}") from error


def listed(names: Iterable[str], most: int = LISTED) -> str:
    """Join ``names`` with commas, cut short after ``most`` of them; "none" if there are none."""
    rest = iter(names)
    shown = ", ".join(islice(rest, most)) or "none"
    more = sum(1 for _ in rest)
    return f"{shown} and {more} more" if more else shown
