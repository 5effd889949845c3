"""The pages people see."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.templating import Jinja2Templates

from kinblend.family_tree.people import LONGEST
from kinblend.family_tree.people import OLDEST as TREE_OLDEST
from kinblend.pipeline.age_and_sex import DEFAULT_AGE, DEFAULT_SEX, OLDEST, SEX_TARGETS, YOUNGEST
from kinblend.pipeline.partner import ADULT, OTHER
from kinblend.pipeline.variation import MOST_MUTATION, MOST_SIBLINGS
from kinblend.plugins import load_plugins
from kinblend.web.access import OWNER, PASS, new_owner, owner_of
from kinblend.web.engine_service import EngineService
from kinblend.web.forms import Field, fields_of
from kinblend.web.labels import slider
from kinblend.web.pictures import AGES
from kinblend.web.schemas import MAX_CHILDREN
from kinblend.web.services import Services, ServicesDep

if TYPE_CHECKING:
    from kinblend.registry import PluginSpec

HERE = Path(__file__).parent
SEXES = (("girl", "Girl"), ("boy", "Boy"), ("any", "Either"))
PARTNERS = (("", "Automatic"), ("female", "Woman"), ("male", "Man"))

router = APIRouter(include_in_schema=False)


def _static(pattern: str) -> list[Path]:
    return sorted((HERE / "static").glob(pattern))


@cache
def stamp() -> str:
    """What changes when a static file does, so that browsers may keep them."""
    files = _static("*")
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


templates = Jinja2Templates(HERE / "templates")
templates.env.globals.update(stamp=stamp)
templates.env.trim_blocks = templates.env.lstrip_blocks = True


@router.get("/")
async def index(request: Request, services: ServicesDep) -> Response:
    """Where a child of two people is made."""
    return _answer(request, services, "index.html")


@router.get("/partner")
async def partner(request: Request, services: ServicesDep) -> Response:
    """Where the other parent of a child is made."""
    return _answer(request, services, "partner.html")


@router.get("/tree")
async def tree(request: Request, services: ServicesDep) -> Response:
    """Where a family tree is made."""
    return _answer(request, services, "tree.html")


def _answer(request: Request, services: Services, template: str) -> Response:
    response = HTMLResponse(_page(services, template))
    if not owner_of(request.headers):
        response.set_cookie(OWNER, new_owner(), httponly=True, samesite="strict")
    return response


@router.get("/login")
async def login(request: Request) -> Response:
    """Where people enter the token."""
    return templates.TemplateResponse(request, "login.html", {"wrong": False})


@router.post("/login")
async def enter(request: Request, services: ServicesDep) -> Response:
    """Lets in who knows the token."""
    form = await request.form(max_files=0, max_fields=4)
    if not services.access.knows(str(form.get("token", "")).strip()):
        return templates.TemplateResponse(request, "login.html", {"wrong": True}, status_code=401)
    response = RedirectResponse("/", 303)
    response.set_cookie(PASS, services.access.pass_value, httponly=True, samesite="strict")
    return response


@lru_cache(maxsize=12)  # an app has three
def _page(services: Services, template: str) -> str:
    """A page, which is the same for everybody."""
    context = {"index.html": _context, "partner.html": _partner_context, "tree.html": _tree_context}[template]
    return templates.env.get_template(template).render(_common(services) | context(services))


def _common(services: Services) -> dict[str, object]:
    """What every page says."""
    return {
        "upscaler": _upscaler(),
        "minutes": round(services.limits.lifetime / 60),
        "most_megabytes": services.limits.file_bytes // 2**20,
    }


def _partner_context(services: Services) -> dict[str, object]:
    engine_service = services.engine_service
    can = set(OTHER) <= set(engine_service.units.get("gender", ()))
    return {
        "age": {"oldest": OLDEST, "usual": ADULT} if engine_service.knows_ages else None,
        "sexes": PARTNERS if can else (),
    }


def _tree_context(services: Services) -> dict[str, object]:
    return {
        "couples": _couples(),
        "most_people": services.limits.people,
        "most_years": TREE_OLDEST,
        "longest_name": LONGEST,
    }


def _context(services: Services) -> dict[str, object]:
    engine_service = services.engine_service
    backbone = engine_service.engine.backbone
    projector = load_plugins()["projector"].get(str(backbone.pack.description["projector"]))
    strategies = _strategies(engine_service)
    return {
        "couples": _couples(),
        "backbone": backbone.name,
        "blender": _first_strategy(engine_service),
        "strategies": strategies,
        "projector_fields": [control for control in fields_of(projector) if control.kind != "json"],
        "sliders": [
            slider(name, note, engine_service.units[name], engine_service.labels.get(name))
            for name, note in engine_service.attributes.items()
        ],
        "stochastic": any(strategy.stochastic for strategy in strategies),
        "most_different": MOST_SIBLINGS,
        "most_mutation": MOST_MUTATION if engine_service.draws_people else 0,
        "parts": engine_service.layer_groups,
        "age": _ages(engine_service),
        "stages": AGES,
        "sexes": SEXES if set(SEX_TARGETS.values()) <= set(engine_service.units.get("gender", ())) else (),
        "usual_sex": DEFAULT_SEX,
        "most_children": MAX_CHILDREN,
    }


def _couples() -> list[dict[str, str]]:
    """Example couples: role → name of the file."""
    fathers = [path.name for path in _static("couple-*-father.jpg")]
    return [{"father": name, "mother": name.replace("father", "mother")} for name in fathers]


def _upscaler() -> str:
    """The most preferred of those that are installed; empty where none is."""
    specs = load_plugins()["upscaler"].by_preference()
    return next((spec.name for spec in specs if all(spec.required_versions().values())), "")


@dataclass(frozen=True)
class Strategy:
    """A blender on the page. origin: where it comes from, unless it is ours. stochastic: whether children differ."""

    name: str
    label: str
    explanation: str
    origin: str
    stochastic: bool
    fields: list[Field]


def _strategies(engine_service: EngineService) -> list[Strategy]:
    """Those that can be used here, with what can be chosen about them here."""
    plugins = load_plugins()
    found = []
    for spec in plugins["blender"].by_preference():
        if engine_service.lacking[spec.name]:
            continue
        origin = plugins.distribution_of(spec)
        found.append(
            Strategy(
                spec.name,
                spec.label or spec.name.replace("-", " ").capitalize(),
                spec.explanation or f"{spec.summary[:1].upper()}{spec.summary[1:]}",
                "" if origin.startswith("kinblend ") else origin,
                engine_service.is_stochastic(spec),
                [one for one in (_offered(engine_service, spec, each) for each in fields_of(spec)) if one],
            )
        )
    return found


def _offered(engine_service: EngineService, spec: PluginSpec, control: Field) -> Field | None:
    """A field with only those choices that work here, and no more repetitions than the server allows.

    None where nothing is left to choose, and for lists and tables: these are for programs.
    """
    if control.kind == "json":
        return None
    if control.repeats and control.high is not None:
        return replace(control, high=min(control.high, engine_service.limits.steps))
    if control.kind == "parts":
        names = engine_service.names_for(spec, control.name)
        labels = {name: control.choices.get(name, name.replace("-", " ").capitalize()) for name in names}
        return replace(control, choices=labels) if names else None
    if control.kind not in ("choice", "switch"):
        return control
    values = list(control.choices) if control.kind == "choice" else [True, False]
    works = [value for value in values if value == control.value or engine_service.can(spec, **{control.name: value})]
    left = {value: label for value, label in control.choices.items() if value in works}
    return replace(control, choices=left) if len(works) > 1 else None


def _first_strategy(engine_service: EngineService) -> str:
    """The strategy of the settings; where it is not available here, one that is."""
    blenders = load_plugins()["blender"]
    wanted = engine_service.settings.blender or blenders.default().name
    available = [spec.name for spec in blenders.by_preference() if not engine_service.lacking[spec.name]]
    return wanted if wanted in available or not available else available[0]


def _ages(engine_service: EngineService) -> dict[str, float] | None:
    """The ages that can be asked for, in years; None where this backbone has no directions for them."""
    ages = {"youngest": YOUNGEST, "oldest": OLDEST, "usual": DEFAULT_AGE}
    return ages if engine_service.knows_ages else None
