"""The tasks: ``python3 -m nox`` lints, checks types and tests; ``python3 -m nox -s NAME`` runs one; ``nox -l`` lists
them.
"""

import os
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.5"
nox.options.default_venv_backend = "virtualenv"  # with pip: uv would not honour the constraints' torch build
nox.options.sessions = ["lint", "types", "tests"]
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = True

PYPROJECT = nox.project.load_toml("pyproject.toml")
# One environment for types, tests and all that runs the program: torch is large, so it is installed once.
HOME = Path(".nox", "decaybench").resolve()
BIN = HOME / ("Scripts" if os.name == "nt" else "bin")
shared = nox.session(venv_backend="none")


def install(session: nox.Session, *groups: str) -> None:
    """The project, editable, and the dependency groups named, at the versions of constraints.txt."""
    if not (BIN / "python").exists():
        session.run(sys.executable, "-m", "virtualenv", "--quiet", str(HOME))
    needed = nox.project.dependency_groups(PYPROJECT, *groups) if groups else ()
    run(session, "python", "-m", "pip", "install", "--quiet", "-c", "constraints.txt", "-e", ".[dashboard]", *needed)


def run(session: nox.Session, program: str, *arguments: str) -> None:
    """Run a program of the shared environment."""
    session.run(str(BIN / program), *arguments, env={"OMP_NUM_THREADS": "1"})


@nox.session
def lint(session: nox.Session) -> None:
    """ruff: style, imports, likely bugs, formatting."""
    session.install("--quiet", "-c", "constraints.txt", *nox.project.dependency_groups(PYPROJECT, "lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@shared
def types(session: nox.Session) -> None:
    """mypy --strict on src."""
    install(session, "types")
    run(session, "mypy")


@shared
def tests(session: nox.Session) -> None:
    """pytest; DECAYBENCH_DATA names the folder with mnist/ and cifar10/ for the tests on real images."""
    install(session, "tests")
    run(session, "pytest", "-n", "auto", *session.posargs)  # a process a core: half of the time is spent in commands


@shared
def soak(session: nox.Session) -> None:
    """The tests that repeat one thing many times, since it goes wrong only now and then."""
    install(session, "tests")
    run(session, "pytest", "-m", "soak", *session.posargs)


@nox.session
def frameworks(session: nox.Session) -> None:
    """Lightning, Accelerate and Hugging Face's Trainer must drive schedules to the learning rates of a plain loop."""
    session.install("--quiet", "-c", "constraints.txt", *nox.project.dependency_groups(PYPROJECT, "frameworks"))
    session.install("--quiet", "--no-deps", "-e", ".")  # the schedules need torch alone
    session.run("pytest", "tests/frameworks", *session.posargs, env={"OMP_NUM_THREADS": "1"})


@nox.session
def oracles(session: nox.Session) -> None:
    """Run the libraries that schedules' values were frozen from: they must still give tests/data/oracles.json."""
    script = nox.project.load_toml("tests/freeze_oracles.py")
    session.install("--quiet", "-c", "constraints.txt", *script["dependencies"])
    session.run("python", "tests/freeze_oracles.py", "--compare", "tests/data/oracles.json")


@nox.session
def rliable(session: nox.Session) -> None:
    """Run rliable, which the comparison's values were frozen from: it must still give tests/compare/rliable.json."""
    script = nox.project.load_toml("tests/freeze_rliable.py")
    session.install("--quiet", *script["dependencies"])
    session.run("python", "tests/freeze_rliable.py", "--compare", "tests/compare/rliable.json")


@shared
def quickstart(session: nox.Session) -> None:
    """Run sweeps/quickstart.toml on scikit-learn's digits; the report is studies/quickstart/report/index.html."""
    install(session)
    run(session, "decaybench", "run", "sweeps/quickstart.toml", *session.posargs)


@shared
def dashboard(session: nox.Session) -> None:
    """optuna-dashboard on the studies' database, on this machine only."""
    install(session)
    run(session, "decaybench", "dashboard", *session.posargs)


@shared
def report(session: nox.Session) -> None:
    """Write a sweep's report again: nox -s report -- NAME."""
    install(session)
    run(session, "decaybench", "report", *session.posargs)


@shared
def bench(session: nox.Session) -> None:
    """Measure training beside a plain loop, as ratios: nox -s bench -- --write; benchmarks/README.md says how."""
    install(session)
    run(session, "python", "-m", "benchmarks", *session.posargs)


@shared
def verdicts(session: nox.Session) -> None:
    """Hold the statements to their promises: simulated sweeps, sweeps drawn from trained trials, one schedule twice."""
    install(session)
    run(session, "python", "-m", "benchmarks.protocol")
    run(session, "python", "-m", "benchmarks.pool")
    run(session, "python", "-m", "benchmarks.same")


@shared
def docs(session: nox.Session) -> None:
    """Write docs/schedules/ again, from the docstrings and ranges of the schedules."""
    install(session)
    run(session, "python", "docs/make_schedules.py")


@nox.session
def build(session: nox.Session) -> None:
    """Build the wheel and the source archive into dist/."""
    session.install("--quiet", "build>=1.2")
    session.run("python", "-m", "build", *session.posargs)
