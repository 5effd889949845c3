"""schemathesis over the OpenAPI document, against a real server: as it stands, and with ids that are there."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from web_client import WAIT, couple, finished, photograph

from kinblend.cli.demo import FATHER, MOTHER
from kinblend.settings import load_settings
from kinblend.web.app import create_app
from kinblend.web.limits import Limits

pytestmark = [
    pytest.mark.slow,  # hundreds of requests, some of which make children
    pytest.mark.skipif(os.environ.get("SLOW_TESTS") != "1", reason="SLOW_TESTS=1 runs it; it takes a minute or more"),
]
pytest.importorskip("schemathesis", reason="schemathesis is not installed")
uvicorn = pytest.importorskip("uvicorn", reason="the web extra is not installed")

# A picture without a face is all that the document asks for, and all the same no child can be made of it; so is a
# strategy's name that nobody has.
CONFIG = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 401, 403, 404, 409, 422, 429]
"""
UNLIMITED = Limits(requests_per_second=1e6, burst=1e6)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    config = uvicorn.Config(create_app(load_settings(), limits=UNLIMITED), port=0, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    until = time.monotonic() + WAIT
    while not server.started:
        assert thread.is_alive() and time.monotonic() < until
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


def fuzz(address: str, schema: Path, *words: str) -> None:
    (schema.parent / "schemathesis.toml").write_text(CONFIG)
    command = [Path(sys.executable).parent / "schemathesis", "run", schema, "--url", address, "--seed", "1"]
    command += ["--max-examples", "15", "--no-color", "--warnings", "off", "--request-timeout", f"{WAIT}", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=schema.parent)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
    assert "Tested: " in done.stdout


def test_as_it_stands(address: str, tmp_path: Path) -> None:
    schema = tmp_path / "openapi.json"
    schema.write_text(httpx2.get(f"{address}/api/v1/openapi.json").text)
    fuzz(address, schema)


def test_with_people_and_children_that_are_there(address: str, tmp_path: Path) -> None:
    document = httpx2.get(f"{address}/api/v1/openapi.json").text
    with httpx2.Client(base_url=address, timeout=WAIT) as client:
        photos = [
            client.post("/api/v1/photos", files={"photo": data}).json()["id"]
            for data in (photograph(FATHER), photograph(MOTHER), couple())
        ]
        order = {"father": photos[0], "mother": photos[1], "children": 2}
        family = finished(client, client.post("/api/v1/children", json=order).json())
    assert family["status"] == "done"
    known = with_ids(json.loads(document), photos, family["id"])
    schema = tmp_path / "openapi.json"
    schema.write_text(json.dumps(known))
    fuzz(address, schema, "--exclude-method", "DELETE")


def with_ids(document: dict, photos: list[str], family: str) -> dict:
    """The document, its ids narrowed to those of things that are there, and strategies to a few quick ones."""
    ids = {"photo": photos, "order": [family], "father": photos[:2], "mother": photos[:2]}
    for path in document["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", ()):
                if parameter["name"] in ids:
                    parameter["schema"] = {"type": "string", "enum": ids[parameter["name"]]}
    partner = document["components"]["schemas"]["PartnerRequest"]["properties"]
    partner |= {role: {"type": "string", "enum": ids["father"]} for role in ("child", "parent")}
    for name in ("ChildrenRequest", "PreviewRequest"):
        properties = document["components"]["schemas"][name]["properties"]
        properties |= {role: {"type": "string", "enum": ids[role]} for role in ("father", "mother")}
        properties["blender"] = {"type": "string", "enum": ["average", "mask", "slerp"]}
    return document
