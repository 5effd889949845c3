"""`kinblend serve`: the web app."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer

from kinblend.cli import flags
from kinblend.cli.output import emit, log
from kinblend.errors import KinblendError
from kinblend.settings import load_settings

if TYPE_CHECKING:
    from fastapi import FastAPI

NEEDED = ("fastapi", "uvicorn", "jinja2", "python_multipart", "prometheus_client")
CLOSING = 5  # seconds that open streams get
SWITCH = 0.001  # seconds after which the thread that computes lets the one that answers go first; usually 0.005


def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on; any but the loopback needs --token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8765,
    token: Annotated[
        str | None, typer.Option(help="What every client must know. Better in KINBLEND_TOKEN than here.")
    ] = None,
    blender: Annotated[str | None, typer.Option(help="Strategy to begin with.")] = None,
    judge: Annotated[
        bool, typer.Option("--judge/--no-judge", help="Note which age and sex an independent network sees.")
    ] = False,
    proxy: Annotated[
        str | None, typer.Option(help="Address of a reverse proxy whose X-Forwarded-For is believed; default: none.")
    ] = None,
    backbone: flags.Backbone = None,
    encoder: flags.Encoder = None,
    device: flags.Device = None,
    precision: flags.Precision = None,
    memory_budget: flags.Budget = None,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Serve the web app. Prints its address; Ctrl-C ends it."""
    check_installed()
    settings = load_settings(
        backbone=backbone,
        device=device,
        precision=precision,
        memory_budget=memory_budget,
        encoder=encoder,
        blender=blender,
        token=token,
    )
    from kinblend.web.access import Access
    from kinblend.web.app import create_app

    serve_app(create_app(settings, Access(host, settings.token), judge=judge), host, port, proxy, as_json)


def serve_app(app: FastAPI, host: str, port: int, proxy: str | None, as_json: bool) -> None:
    """Serve an app whose state has `services` with `limits`, print its address, and end with Ctrl-C."""
    with _listen(host, port) as listening:
        address = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}/"

        def ready() -> None:
            emit({"address": address}, as_json=as_json, rows=[[address]], head=["open this in a browser"])
            log("Ctrl-C ends it")

        with suppress(KeyboardInterrupt):
            _run(app, listening, ready, proxy)


def _run(app: FastAPI, listening: socket.socket, ready: Callable[[], None], proxy: str | None) -> None:
    """Serve until a signal ends it. ready: called once it answers, and once it knows how to end."""
    import uvicorn

    from kinblend.web.http_protocol import timed

    limits = app.state.services.limits

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready()

    config = uvicorn.Config(
        app,
        http=timed(limits.header_seconds),
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=CLOSING,
        server_header=False,
        proxy_headers=proxy is not None,  # uvicorn would believe everybody on the loopback
        forwarded_allow_ips=proxy,
        limit_concurrency=limits.connections,
    )
    sys.setswitchinterval(SWITCH)
    Server(config).run([listening])


def _listen(host: str, port: int) -> socket.socket:
    kind = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=kind)
    except OSError as error:
        raise KinblendError(f"{host}, port {port}: {error.strerror or error}; choose another --port") from error


def check_installed() -> None:
    """Raise `KinblendError` where a package of the web extra is missing."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise KinblendError(f"the web app needs {', '.join(missing)}: run `pip install kinblend[web]`")
