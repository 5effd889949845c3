"""The study's page: consent, one question after the other, thanks. Forms alone, no script; a row for each answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.templating import Jinja2Templates
from starlette.datastructures import FormData
from starlette.staticfiles import StaticFiles

from kinblend.study.design import HIGHEST, KNOWN, Trial
from kinblend.study.folder import StudyFolder
from kinblend.study.sessions import Session, Sessions, StudyFullError
from kinblend.web import pages
from kinblend.web.access import Access, cookies
from kinblend.web.limits import Limits
from kinblend.web.middleware import AuthMiddleware, BodyLimit, SecurityHeaders
from kinblend.web.problems import ProblemError, answer_problems
from kinblend.web.rates import Rates

HERE = Path(__file__).parent
PARTICIPANT = "kinblend-participant"  # cookie
KEPT = 30 * 24 * 3600  # seconds that a browser keeps it
CONTENT_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
PARENTS = ("father", "mother")


@dataclass(frozen=True)
class StudyServices:
    """What the routes share. limits, access: as the web app has them."""

    sessions: Sessions
    limits: Limits
    access: Access


def create_study_app(folder: StudyFolder, access: Access | None = None, limits: Limits | None = None) -> FastAPI:
    """The page of one study, for as many participants at a time as come.

    access: who may come in; default: this machine. limits: as the web app's.
    Raises `InputError` where the folder lacks pictures or its answers are of another study.
    """
    limits, access = limits or Limits(), access or Access()
    folder.check()
    app = FastAPI(
        title="kinblend study", version=version("kinblend"), openapi_url=None, docs_url=None, redoc_url=None
    )
    app.state.services = StudyServices(Sessions(folder), limits, access)
    app.include_router(router)
    app.add_api_route("/login", pages.login, methods=["GET"])
    app.add_api_route("/login", pages.enter, methods=["POST"])  # which asks the services for `access` alone
    app.mount("/static/study", StaticFiles(directory=HERE / "static"))
    app.mount("/static", StaticFiles(directory=pages.HERE / "static"))
    answer_problems(app)
    rates = Rates(limits.requests_per_second, limits.burst)
    share = limits.address_share
    address_rates = Rates(share * limits.requests_per_second, share * limits.burst)
    app.add_middleware(BodyLimit, limits=limits)
    app.add_middleware(AuthMiddleware, access=access, rates=rates, address_rates=address_rates)
    app.add_middleware(SecurityHeaders, policy=CONTENT_POLICY)
    return app


router = APIRouter(include_in_schema=False)
templates = Jinja2Templates(HERE / "templates")
templates.env.trim_blocks = templates.env.lstrip_blocks = True


def _services(request: Request) -> StudyServices:
    services: StudyServices = request.app.state.services
    return services


ServicesDep = Annotated[StudyServices, Depends(_services)]


def _session(request: Request, services: ServicesDep) -> Session | None:
    """Of the participant whose cookie comes along."""
    found = (services.sessions.find(token) for token in cookies(request.headers, PARTICIPANT))
    return next((session for session in found if session is not None), None)


SessionDep = Annotated[Session | None, Depends(_session)]


@router.get("/")
async def index(request: Request, services: ServicesDep, session: SessionDep) -> Response:
    """The consent page; for those who have agreed, where they are."""
    if session is not None:
        return RedirectResponse("/trial", 303)
    return _consent(request, services)


@router.post("/consent")
async def consent(request: Request, services: ServicesDep) -> Response:
    """Begins a session."""
    form = await _form(request)
    if form.get("agree") != "yes":
        return _consent(request, services, missing=True)
    try:
        token = await asyncio.to_thread(services.sessions.begin)
    except StudyFullError as error:
        raise ProblemError(503, "study-full", str(error)) from error
    response = RedirectResponse("/trial", 303)
    response.set_cookie(PARTICIPANT, token, max_age=KEPT, httponly=True, samesite="strict")
    return response


@router.get("/trial")
async def trial(request: Request, services: ServicesDep, session: SessionDep) -> Response:
    """The question that is next, or thanks."""
    if session is None:
        return RedirectResponse("/", 303)
    return _question(request, services, session)


@router.post("/answer")
async def answer(request: Request, services: ServicesDep, session: SessionDep) -> Response:
    """Keeps an answer. One that comes twice, or late, is passed over."""
    if session is None:
        return RedirectResponse("/", 303)
    form = await _form(request)
    number, given = str(form.get("trial", "")), KNOWN if form.get(KNOWN) else str(form.get("answer", ""))
    if not number.isascii() or not number.isdigit() or len(number) > 6:
        raise ProblemError(422, "invalid-request", "trial: a number is needed")
    if not given:
        return _question(request, services, session, missing=True)
    await asyncio.to_thread(services.sessions.answer, session, int(number), given)
    return RedirectResponse("/trial", 303)


@router.get("/picture/{number}/{place}")
async def picture(number: int, place: str, services: ServicesDep, session: SessionDep) -> Response:
    """A picture of the current question. Its address tells nothing of what it shows."""
    current = session.current if session is not None else None
    if session is None or current is None or number != session.answered + 1:
        raise ProblemError(404, "not-found", "There is no such picture; load the page again")
    path = _picture_path(services.sessions.folder, current, place)
    if path is None:
        raise ProblemError(404, "not-found", "There is no such picture; load the page again")
    # The bytes alone: a file's date would tell which pictures were made together.
    return Response(await asyncio.to_thread(path.read_bytes), media_type="image/jpeg")


@router.post("/withdraw")
async def withdraw(services: ServicesDep, session: SessionDep) -> Response:
    """Deletes all that a participant answered."""
    if session is not None:
        await asyncio.to_thread(services.sessions.withdraw, session)
    return _leaving("/?withdrawn")


@router.post("/leave")
async def leave() -> Response:
    """Lets the next participant begin at the same browser."""
    return _leaving("/")


def _picture_path(folder: StudyFolder, current: Trial, place: str) -> Path | None:
    if place in PARENTS and current.task == "choose":
        return folder.picture(current.couple, place)
    shown = {str(at): one for at, one in enumerate(current.pictures, start=1)}.get(place)
    if shown is None:
        return None
    return folder.picture(shown.couple, shown.what, current.strategy if shown.what == "predicted" else "")


def _leaving(where: str) -> Response:
    response = RedirectResponse(where, 303)
    response.delete_cookie(PARTICIPANT, httponly=True, samesite="strict")
    return response


def _consent(request: Request, services: StudyServices, missing: bool = False) -> Response:
    text = services.sessions.folder.consent
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n") if part.strip()]
    withdrawn = "withdrawn" in request.query_params
    return _page(
        request, "consent.html", 422 if missing else 200, text=paragraphs, missing=missing, withdrawn=withdrawn
    )


def _question(request: Request, services: StudyServices, session: Session, missing: bool = False) -> Response:
    current = services.sessions.show(session)
    if current is None:
        return _page(request, "done.html")
    context = {
        "trial": current,
        "number": session.answered + 1,
        "total": len(session.trials),
        "highest": HIGHEST,
        "parents": PARENTS,
        "first": session.answered == 0 or session.trials[session.answered - 1].task != current.task,
        "missing": missing,
    }
    return _page(request, "trial.html", 422 if missing else 200, **context)


def _page(request: Request, name: str, status: int = 200, **context: Any) -> HTMLResponse:
    return templates.TemplateResponse(request, name, context, status_code=status)


async def _form(request: Request) -> FormData:
    return await request.form(max_files=0, max_fields=8)
