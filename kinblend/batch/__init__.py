"""Many couples: a table in; pictures, latents, weight maps and an index out, resumed wherever the work was ended."""

from kinblend.batch.couples import Couple, read_couples, request_of
from kinblend.batch.index import load_child
from kinblend.batch.run import Batch, BatchOptions, run_batch
from kinblend.batch.worker import EngineOptions

__all__ = [
    "Batch",
    "BatchOptions",
    "Couple",
    "EngineOptions",
    "load_child",
    "read_couples",
    "request_of",
    "run_batch",
]
