"""Publish a sweep: copy its report, its sweep file and its database into a dated folder of this one.

    python -m studies.publish REPORT SWEEP.toml STORAGE studies/DATE-TOPIC

STORAGE is the URL that ``decaybench run`` was given; that database must hold this sweep alone. Nothing is published
that `decaybench verify` would not verify. If the folder has no README.md, one is begun (`studies.readme`): what is left
to write by hand is marked there. tests/test_studies.py holds what a README states to the files beside it.
"""

import json
import lzma
import re
import shutil
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from decaybench import UserError, api, store
from decaybench.findings import collect, join, summarise
from decaybench.report import read_manifest
from decaybench.sweep import load_sweep, spec_hash
from studies.readme import begun

COPIED = {
    "index.html": "report.html",
    "figures/decision.svg": "report.svg",
    "decision.json": "decision.json",
    "summary.csv": "summary.csv",
    "verdicts.csv": "verdicts.csv",
    "looks.csv": "looks.csv",
    "ledger.csv": "ledger.csv",
    "runs.csv": "runs.csv",
    "manifest.json": "manifest.json",
}
"""The report's files that are published, and their names beside the README."""
DATABASE = "decaybench.db.xz"
ENDED = "complete", "stopped"
"""The states of a sweep that can be published: it has ended by itself, or by its time limit."""
LARGEST = 5_000_000
"""The most bytes that a published database may have; the repository keeps every one of them for good."""


def publish(report: Path, sweep: Path, storage: str, folder: Path) -> None:
    """Write the study's ``folder``; UserError, before anything is written, for what must not be published."""
    (source, *others) = read_manifest(report)["sweeps"]
    name = source["name"]
    if others:
        raise UserError(f"{report}: must be the report of one sweep, but joins {len(others) + 1}")
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / "decaybench.db"
        _copy(storage, name, copy)
        with store.open_storage(f"sqlite:///{copy}", create=False) as opened:
            stored = store.load(opened, name)
        spec = load_sweep(sweep).spec()
        if source["spec_hash"] != spec_hash(spec) or stored.sweep["spec"] != json.loads(json.dumps(spec)):
            raise UserError(f"{sweep}: must be the file of the sweep {name} as it was run last, but differs from it")
        if (status := stored.sweep["status"]) not in ENDED:
            raise UserError(f"{storage}: the sweep {name} must be {' or '.join(ENDED)}, but is {status}")
        kept = lzma.compress(copy.read_bytes())
        if len(kept) > LARGEST:
            raise UserError(f"{storage}: {DATABASE} must have at most {LARGEST:,} bytes, but has {len(kept):,}")
        if differences := api.verify(report, storage=f"sqlite:///{copy}").differences:
            raise UserError(f"{report}: is not verified: {differences[0]}; decaybench verify lists every difference")
    folder.mkdir(parents=True, exist_ok=True)
    for here, there in COPIED.items():
        shutil.copyfile(report / here, folder / there)
    shutil.copyfile(sweep, folder / "sweep.toml")
    (folder / DATABASE).write_bytes(kept)
    _relist(folder / "report.html")
    if not (readme := folder / "README.md").exists():
        readme.write_text(begun(summarise(collect(join([stored]))), stored), encoding="utf-8")


def _copy(storage: str, name: str, to: Path) -> None:
    """Copy the database, with what only its write-ahead log holds, but without optuna-dashboard's notes and graphs.

    Those name paths of this machine, and `decaybench report` writes them again.
    """
    with store.open_storage(storage, create=False) as opened:
        if opened.file is None:
            raise UserError(f"{opened.where}: must be a SQLite file")
        with closing(sqlite3.connect(opened.file)) as original:
            original.execute("VACUUM INTO ?", (str(to),))
    with closing(sqlite3.connect(to)) as copy:
        held = {found for (found,) in copy.execute("SELECT name FROM sweeps UNION SELECT study_name FROM studies")}
        if others := ", ".join(sorted(held - {name})):
            raise UserError(f"{storage}: must hold the sweep {name} alone, but also holds {others}")
        with copy:
            copy.execute("DELETE FROM study_system_attributes WHERE key LIKE 'dashboard:%'")
        copy.execute("VACUUM")


def _relist(page: Path) -> None:
    """Let the page list the files that are published beside it."""
    names = [*(name for name in COPIED.values() if name != page.name), "sweep.toml", DATABASE]
    beside = ", ".join(f'<a href="{name}">{name}</a>' for name in names)
    text = page.read_text(encoding="utf-8")
    text, changed = re.subn(r"(Other files of this report: ).*?\.</p>", rf"\g<1>{beside}.</p>", text, count=1)
    if not changed:
        raise RuntimeError(f"{page}: its list of files is not where it was")
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    try:
        publish(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
    except UserError as error:
        sys.exit(f"error: {error}")
