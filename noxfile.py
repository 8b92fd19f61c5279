"""The development tasks.

``python3 -m nox`` runs lint, types and tests; ``python3 -m nox -s NAME`` runs one task; ``python3 -m nox -l`` lists
all.
"""

import os
import subprocess
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.5"
nox.options.default_venv_backend = "virtualenv"  # with pip: uv would ignore the torch build in constraints.txt
nox.options.sessions = ["lint", "types", "tests"]
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = True

PYPROJECT = nox.project.load_toml("pyproject.toml")
# One environment for all tasks that import the program, since torch is large.
HOME = Path(".nox", "decaybench").resolve()
BIN = HOME / ("Scripts" if os.name == "nt" else "bin")
# Even if the caller's environment forbids it, Python must keep what it compiles: pip compiled nothing, and every
# process of the tests would compile torch anew, which takes as long as many tests.
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": ""}
IMPORTS = "import decaybench.api, decaybench.runner.driver, decaybench.report.figures, sklearn.datasets"
shared = nox.session(venv_backend="none")


def install(session: nox.Session, *groups: str) -> None:
    """Install the project (editable) and these dependency groups, at the versions in constraints.txt."""
    if not (BIN / "python").exists():
        session.run(sys.executable, "-m", "virtualenv", "--quiet", str(HOME))
    needed = nox.project.dependency_groups(PYPROJECT, *groups) if groups else ()
    # Without --no-compile pip compiles torch's thousands of modules; Python compiles the few that are imported.
    options = ["--quiet", "--no-compile", "-c", "constraints.txt"]
    run(session, "python", "-m", "pip", "install", *options, "-e", ".[dashboard]", *needed)


def run(session: nox.Session, program: str, *arguments: str) -> None:
    """Run a program from the shared environment."""
    session.run(str(BIN / program), *arguments, env=ENVIRONMENT)


@nox.session
def lint(session: nox.Session) -> None:
    """Run ruff: style, imports, likely bugs and formatting."""
    session.install("--quiet", "-c", "constraints.txt", *nox.project.dependency_groups(PYPROJECT, "lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@shared
def types(session: nox.Session) -> None:
    """Run mypy --strict on src."""
    install(session, "types")
    # mypy keeps one core busy. Meanwhile another one compiles what every process of the tests imports.
    with subprocess.Popen([BIN / "python", "-c", IMPORTS], env=os.environ | ENVIRONMENT):
        run(session, "mypy")


@shared
def tests(session: nox.Session) -> None:
    """Run pytest; for the tests on real images, DECAYBENCH_DATA must name a folder with mnist/ and cifar10/."""
    install(session, "tests")
    # One process per core. Each gets whole files rather than every other test, so that what they share is made once.
    run(session, "pytest", "-n", "auto", "--dist", "worksteal", *session.posargs)


@shared
def soak(session: nox.Session) -> None:
    """Run the tests that repeat something many times or with more seeds, because it would fail only now and then."""
    install(session, "tests")
    run(session, "pytest", "-m", "soak", *session.posargs)


@nox.session
def frameworks(session: nox.Session) -> None:
    """Check that Lightning, Accelerate and Hugging Face's Trainer give the same learning rates as a plain loop."""
    session.install("--quiet", "-c", "constraints.txt", *nox.project.dependency_groups(PYPROJECT, "frameworks"))
    session.install("--quiet", "--no-deps", "-e", ".")  # the schedules need only torch
    session.run("pytest", "tests/frameworks", *session.posargs, env={"OMP_NUM_THREADS": "1"})


@nox.session
def oracles(session: nox.Session) -> None:
    """Check that the libraries behind the schedules' frozen values still give tests/data/oracles.json."""
    script = nox.project.load_toml("tests/freeze_oracles.py")
    session.install("--quiet", "-c", "constraints.txt", *script["dependencies"])
    session.run("python", "tests/freeze_oracles.py", "--compare", "tests/data/oracles.json")


@nox.session
def rliable(session: nox.Session) -> None:
    """Check that rliable still gives the frozen values in tests/compare/rliable.json."""
    script = nox.project.load_toml("tests/freeze_rliable.py")
    session.install("--quiet", *script["dependencies"])
    session.run("python", "tests/freeze_rliable.py", "--compare", "tests/compare/rliable.json")


@shared
def quickstart(session: nox.Session) -> None:
    """Run sweeps/quickstart.toml on scikit-learn's digits, and write studies/quickstart/report/index.html."""
    install(session)
    run(session, "decaybench", "run", "sweeps/quickstart.toml", *session.posargs)


@shared
def dashboard(session: nox.Session) -> None:
    """Serve optuna-dashboard for the studies' database, on this machine only."""
    install(session)
    run(session, "decaybench", "dashboard", *session.posargs)


@shared
def report(session: nox.Session) -> None:
    """Rebuild a sweep's report: nox -s report -- NAME."""
    install(session)
    run(session, "decaybench", "report", *session.posargs)


@shared
def bench(session: nox.Session) -> None:
    """Compare the speed of training with a plain loop's: nox -s bench -- --write (see benchmarks/README.md)."""
    install(session)
    run(session, "python", "-m", "benchmarks", *session.posargs)


@shared
def verdicts(session: nox.Session) -> None:
    """Check the guarantees: on simulated sweeps, on sweeps drawn from trained trials, on one schedule trained twice."""
    install(session)
    run(session, "python", "-m", "benchmarks.protocol")
    run(session, "python", "-m", "benchmarks.pool")
    run(session, "python", "-m", "benchmarks.same")


@shared
def docs(session: nox.Session) -> None:
    """Rebuild docs/schedules/ from the docstrings and ranges of the schedules."""
    install(session)
    run(session, "python", "docs/make_schedules.py")


@nox.session
def build(session: nox.Session) -> None:
    """Build the wheel and the source distribution in dist/."""
    session.install("--quiet", "build>=1.2")
    session.run("python", "-m", "build", *session.posargs)
