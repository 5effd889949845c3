"""Whoever leaves frees the thread at once, wherever the work is, and nobody can order too much of it."""

import asyncio
import gc
import io
import time
from collections.abc import Callable, Iterator
from unittest import mock

import pytest
import torch
from fastapi.testclient import TestClient
from PIL import Image
from torch import nn
from web_client import WAIT, as_file

from kinblend import load_backbone
from kinblend.backbone import make_plugin
from kinblend.cancellation import cancellable, check_cancelled
from kinblend.imaging import decode_image
from kinblend.web.jobs import Job, JobCancelledError, TooLongError, Worker
from kinblend.web.limits import Limits
from kinblend.web.services import Services
from kinblend_plugins.stylegan2 import optimize
from kinblend_plugins.stylegan2.generator import Generator

SOON = 1.0  # seconds of work after which the thread is free


def worked() -> float:
    """Seconds of work by now, each of torch's threads working: other programs on the machine don't change them."""
    return time.process_time() / torch.get_num_threads()


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker(2)
    made.start()
    yield made
    made.stop()


def likeness(job: Job[None]) -> None:
    """Steps of the strategy that looks at its pictures."""
    context = load_backbone("morphable").context
    father, mother = torch.randn(2, 4, 512, generator=torch.Generator().manual_seed(4))
    make_plugin("blender", "likeness", context, {"steps": 1000, "heredity": 0}).weights(father, mother, 0)


def render(job: Job[None]) -> None:
    """Many pictures at a time."""
    from kinblend import Latent

    backbone = load_backbone("morphable")
    backbone.render([Latent(code, backbone.space) for code in torch.randn(2000, 4, 512)])


def projection(job: Job[None]) -> None:
    """Steps of a projection, which asks nobody how far it is."""
    generator = Generator([8, 8, 8, 8], 2, 16)
    noises = [torch.randn(conv.size, conv.size) for conv in generator.convs]
    optimize.project(generator, torch.zeros(1, 3, 32, 32), torch.zeros(1, 8, 16), noises, 10**7, None)


def first_steps() -> None:
    """torch loads its compiler with the first optimiser of a process, which takes seconds and happens once."""
    torch.optim.Adam([torch.zeros(1, requires_grad=True)]).step()


def a_strangers_network(job: Job[None]) -> None:
    """A plugin that knows nothing of all this, and calls a network."""
    network = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64))
    while True:
        network(torch.zeros(1, 64))


WORK: list[Callable[[Job[None]], None]] = [likeness, render, projection, a_strangers_network]


@pytest.mark.parametrize("work", WORK, ids=lambda work: work.__name__)
def test_finding_07_work_that_is_given_up_ends_within_a_second(work: Callable, worker: Worker) -> None:
    first_steps()
    job = worker.submit("long", work)
    begun = time.process_time()
    while time.process_time() < begun + 2:  # then nothing but its steps is left
        time.sleep(0.1)
    assert job.future.running()
    given_up = worked()
    job.cancel()
    assert worker.submit("next", lambda job: "done").future.result(WAIT) == "done"
    assert worked() - given_up < SOON
    with pytest.raises(JobCancelledError):
        job.future.result(0)


def test_finding_07_work_that_takes_too_long_is_ended() -> None:
    worker = Worker(2, seconds=0.2)
    worker.start()
    try:
        with pytest.raises(TooLongError, match="ask for less"):
            worker.submit("long", a_strangers_network).future.result(WAIT)
        assert (
            worker.submit("longer", lambda job: time.sleep(0.3) or check_cancelled(), 60).future.result(WAIT) is None
        )
    finally:
        worker.stop()


def test_work_that_is_given_up_in_the_middle_is_no_error_of_the_log(worker: Worker) -> None:
    """The client leaves while the work runs, which ends at its next step, with an error that nobody waits for."""
    said = []

    async def leave() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: said.append(context["message"]))
        job = worker.submit("long", a_strangers_network)
        while not job.future.running():
            await asyncio.sleep(0.01)
        with pytest.raises(JobCancelledError, match="whoever asked has left"):
            await Services.result_of(mock.Mock(), job, mock.Mock(receive=gone))
        with pytest.raises(JobCancelledError):
            await asyncio.to_thread(job.future.result, WAIT)
        await asyncio.sleep(0.1)  # the loop is told
        del job
        gc.collect()

    async def gone() -> dict[str, str]:
        return {"type": "http.disconnect"}

    asyncio.run(leave())
    assert said == []


def test_finding_07_reading_a_photograph_can_be_given_up() -> None:
    """And is no damaged photograph for that."""

    def leave() -> None:
        raise JobCancelledError("whoever asked has left")

    with cancellable(leave), pytest.raises(JobCancelledError):
        decode_image(as_file(Image.new("RGB", (9, 9))))
    assert decode_image(as_file(Image.new("RGB", (9, 9)))).size == (9, 9)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"blender_options": {"steps": 1000}}, "steps=1000 is too much here; give at most 100"),
        ({"blender_options": {"steps": 101}}, "steps=101 is too much"),
        (
            {"blender_options": {"steps": 100}, "children": 8},
            "8 children with 100 steps each at 512 px are 212 megapixels",
        ),
    ],
    ids=str,
)
def test_finding_07_an_order_that_costs_too_much_is_refused_at_once(
    client: TestClient, parents: dict[str, str], app, change: dict, words: str
) -> None:
    before = len(app.state.services.orders)
    for route, order in (("children", change), ("previews", change)):
        if route == "previews" and "children" in change:
            continue
        refused = client.post(f"/api/v1/{route}", json=parents | {"blender": "likeness"} | order)
        detail = refused.json()["detail"]
        assert refused.status_code == 422 and words in detail[0].lower() + detail[1:], detail
    assert len(app.state.services.orders) == before


def test_what_an_order_may_ask_for_by_default_is_allowed_on_large_backbones() -> None:
    from kinblend.web.cost import check_cost
    from kinblend_plugins.blenders.options import LikenessOptions

    check_cost(Limits(), [LikenessOptions()], 8, 1024)


def test_finding_07_an_order_that_is_deleted_lets_the_next_one_begin(
    client: TestClient, parents: dict[str, str], app
) -> None:
    order = parents | {"blender": "likeness", "blender_options": {"steps": 100, "heredity": 0}, "children": 2}
    placed = client.post("/api/v1/children", json=order).json()
    until = time.monotonic() + WAIT
    while client.get(f"/api/v1/children/{placed['id']}").json()["stage"] != "blend":
        assert time.monotonic() < until
        time.sleep(0.05)
    deleted = worked()
    assert client.delete(f"/api/v1/children/{placed['id']}").status_code == 204
    assert app.state.services.worker.submit("next", lambda job: worked()).future.result(WAIT) - deleted < SOON
    small = client.post("/api/v1/previews", json=parents)
    assert Image.open(io.BytesIO(small.content)).size == (256, 256)
