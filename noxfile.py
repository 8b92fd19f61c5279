"""The tasks: ``python3 -m nox`` lints, checks types and tests; ``python3 -m nox -s NAME`` runs one; ``nox -l`` lists
them.
"""

import os
from pathlib import Path

import nox

nox.needs_version = ">=2025.5"
nox.options.default_venv_backend = "virtualenv"  # with pip: uv would not honour the constraints' torch build
nox.options.sessions = ["lint", "types", "tests"]
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = True

PYPROJECT = nox.project.load_toml("pyproject.toml")
SHARED = Path(".nox", "decaybench")  # types, tests and quickstart share one environment: torch is installed once


def install(session: nox.Session, *groups: str) -> None:
    """The project, editable, and the dependency groups named, at the versions of constraints.txt."""
    needed = nox.project.dependency_groups(PYPROJECT, *groups) if groups else ()
    session.install("--quiet", "-c", "constraints.txt", "-e", ".[dashboard]", *needed)


@nox.session
def lint(session: nox.Session) -> None:
    """ruff: style, imports, likely bugs, formatting."""
    session.install("--quiet", "-c", "constraints.txt", *nox.project.dependency_groups(PYPROJECT, "lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session(venv_location=str(SHARED))
def types(session: nox.Session) -> None:
    """mypy --strict on src."""
    install(session, "types")
    session.run("mypy")


@nox.session(venv_location=str(SHARED))
def tests(session: nox.Session) -> None:
    """pytest; DECAYBENCH_DATA names the folder with mnist/ and cifar10/ for the tests on real images."""
    install(session, "tests")
    env = {"OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    session.run("pytest", *session.posargs, env=env)


@nox.session(venv_location=str(SHARED))
def quickstart(session: nox.Session) -> None:
    """Run sweeps/quickstart.toml on scikit-learn's digits; the report is studies/quickstart/report/index.html."""
    install(session)
    session.run("decaybench", "run", "sweeps/quickstart.toml", *session.posargs)


@nox.session(venv_location=str(SHARED))
def dashboard(session: nox.Session) -> None:
    """optuna-dashboard on the studies' database, on this machine only."""
    install(session)
    storage = os.environ.get("DECAYBENCH_STORAGE", "sqlite:///studies/decaybench.db")
    session.run("optuna-dashboard", storage, "--host", "127.0.0.1", *session.posargs)


@nox.session(venv_location=str(SHARED))
def report(session: nox.Session) -> None:
    """Write a sweep's report again: nox -s report -- NAME."""
    install(session)
    session.run("decaybench", "report", *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """Build the wheel and the source archive into dist/."""
    session.install("--quiet", "build>=1.2")
    session.run("python", "-m", "build", *session.posargs)
