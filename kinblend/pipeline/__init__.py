"""One run: two photographs in, children out."""

from kinblend.pipeline.engine import Engine
from kinblend.pipeline.result import Child, Parent, Result

__all__ = ["Child", "Engine", "Parent", "Result"]
