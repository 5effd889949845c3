"""One run: two photographs in, children out."""

from kinblend.pipeline.engine import Engine
from kinblend.pipeline.request import ChildRequest
from kinblend.pipeline.result import Child, Parent, Result, UnrenderedChild

__all__ = ["Child", "ChildRequest", "Engine", "Parent", "Result", "UnrenderedChild"]
