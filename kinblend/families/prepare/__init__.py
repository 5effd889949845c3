"""From photographs of families to clean, aligned crops and their latents."""

from kinblend.families.prepare.options import PrepareOptions
from kinblend.families.prepare.run import Prepared, prepare

__all__ = ["PrepareOptions", "Prepared", "prepare"]
