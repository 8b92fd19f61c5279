"""``decaybench dashboard``: optuna-dashboard on the database, for this machine alone."""

import contextlib
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from decaybench import api, store
from decaybench.errors import UserError

HOST = "127.0.0.1"


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True  # Ctrl-C does not wait for a browser's open connections


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 # the name is the base class'
        """Say nothing: a page asks again every few seconds."""


def serve(*, storage: str | None, port: int) -> None:
    """Serve until interrupted; port 0 is any free one. Raises UserError before anything is served."""
    if not 0 <= port <= 65535:
        raise UserError(f"--port: must be in 0 (any free one) .. 65535, got {port}")
    try:
        from optuna_dashboard import wsgi
    except ModuleNotFoundError as error:
        if error.name != "optuna_dashboard":
            raise
        raise UserError("dashboard: needs optuna-dashboard: pip install 'decaybench[dashboard]'") from None
    with store.open_storage(api.storage_url(storage), create=False, optuna=True) as opened:
        url, where, known = opened.url, opened.where, store.sweep_names(opened)
    try:
        app = wsgi(url)
    except Exception as error:  # Optuna's tables are made after ours: a run killed at its very start has none
        if known:
            raise UserError(f"dashboard: optuna-dashboard cannot open {where}: {_first_line(error)}") from error
        raise UserError(f"no sweeps in {where}; run a sweep first") from error
    try:
        server = make_server(HOST, port, app, server_class=_Server, handler_class=_Quiet)
    except OSError as error:
        raise UserError(f"--port: {HOST}:{port} cannot be listened on: {error.strerror}") from error
    with server:
        print(f"{where}: http://{HOST}:{server.server_port}/ (Ctrl-C ends it)", flush=True)
        with contextlib.suppress(KeyboardInterrupt):  # the only way to end it
            server.serve_forever()


def _first_line(error: BaseException) -> str:
    """What is at the bottom of it: Optuna's own words for a database's complaint are generic."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).partition("\n")[0] or type(error).__name__
