"""``decaybench dashboard``: optuna-dashboard for the database, served to this machine only."""

import contextlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from decaybench import api, store
from decaybench.errors import UserError
from decaybench.sweep import require_current

HOST = "127.0.0.1"


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True  # so that Ctrl-C does not wait for open connections of a browser


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 # the name is the base class'
        """Log nothing, since a page sends requests every few seconds."""


def serve(*, storage: str | None, port: int) -> None:
    """Serve until interrupted; port 0 picks any free port. Raises UserError before anything is served."""
    if not 0 <= port <= 65535:
        raise UserError(f"--port: must be from 0 (any free port) to 65535, got {port}")
    try:
        from optuna_dashboard import wsgi
    except ModuleNotFoundError as error:
        if error.name != "optuna_dashboard":
            raise
        how = "install its extra, python3 -m pip install -e '.[dashboard]' in a clone"
        raise UserError(f"dashboard: needs optuna-dashboard: {how}") from None
    with store.open_storage(api.storage_url(storage), create=False, optuna=True) as opened:
        url, where, known = opened.url, opened.where, store.sweep_names(opened)
        specs = [row["spec"] for name in known if (row := store.sweep_row(opened, name)) is not None]
    try:
        app = wsgi(url)
    except Exception as error:  # Optuna's tables are created after ours, so a run killed at the very start has none
        if known:
            raise UserError(f"dashboard: optuna-dashboard cannot open {where}: {_first_line(error)}") from error
        raise UserError(f"no sweeps in {where}; run a sweep first") from error
    try:
        server = make_server(HOST, port, app, server_class=_Server, handler_class=_Quiet)
    except OSError as error:
        raise UserError(f"--port: cannot listen on {HOST}:{port}: {error.strerror}") from error
    for line in _older(specs):
        print(f"note: {line}", file=sys.stderr)
    with server:
        print(f"{where}: http://{HOST}:{server.server_port}/ (press Ctrl-C to stop)", flush=True)
        with contextlib.suppress(KeyboardInterrupt):  # the only way to stop it
            server.serve_forever()


def _older(specs: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """One line per sweep of an older version, whose study is shown but cannot be reported any more."""
    for spec in specs:
        try:
            require_current(spec)
        except UserError as error:
            yield str(error)


def _first_line(error: BaseException) -> str:
    """The first line of the root cause, since Optuna's own message for a database error is generic."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).partition("\n")[0] or type(error).__name__
