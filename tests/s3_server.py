"""A server of S3 in this process, moto's: where that is missing, tests that need it are skipped."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from unittest import mock

import pytest


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The "host:port" of a server that this process finds while it is there."""
    for name in ("s3fs", "moto", "flask", "flask_cors"):
        pytest.importorskip(name, reason=f"{name} is missing: pip install s3fs 'moto[s3]' flask flask-cors")
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    address = "{}:{}".format(*server.get_host_and_port())
    known = {"AWS_ENDPOINT_URL": f"http://{address}", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    with mock.patch.dict("os.environ", known | {"AWS_DEFAULT_REGION": "us-east-1"}):
        yield address
    server.stop()
