"""Copy a sweep's report into a dated folder of this one, with its sweep file.

    python studies/publish.py studies/NAME/report SWEEP.toml studies/DATE-TOPIC

The folder's README is written by hand: question, command, commit, device, wall time, finding, caveats. What it says of
the verdict is held to the CSV files by tests/test_studies.py.
"""

import re
import shutil
import sys
from pathlib import Path

COPIED = {
    "index.html": "report.html",
    "figures/differences.svg": "report.svg",
    "summary.csv": "summary.csv",
    "verdicts.csv": "verdicts.csv",
    "runs.csv": "runs.csv",
    "manifest.json": "manifest.json",
}


def publish(report: Path, sweep: Path, folder: Path) -> None:
    """Copy the report's files and the sweep file; the page lists the files that are published beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    for source, target in COPIED.items():
        shutil.copyfile(report / source, folder / target)
    page = folder / "report.html"
    beside = ", ".join(f'<a href="{name}">{name}</a>' for name in [*COPIED.values(), "sweep.toml"] if name != page.name)
    text, changed = re.subn(
        r"(Other files of this report: ).*?\.</p>", rf"\g<1>{beside}.</p>", page.read_text(), count=1
    )
    if not changed:
        raise SystemExit(f"{report / 'index.html'}: its list of files is not where it was")
    page.write_text(text)
    shutil.copyfile(sweep, folder / "sweep.toml")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    publish(*map(Path, sys.argv[1:]))
