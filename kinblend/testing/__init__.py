"""Contract tests for plugin authors: `from kinblend.testing import BlenderContract`.

```python
class TestMine(BlenderContract):
    name = "mine"
    share_options = {1.0: {"share": 1.0}, 0.0: {"share": 0.0}}
```

pytest collects the class and runs every law of the contract against the installed plugin.
"""

from kinblend.testing.blender import BlenderContract

__all__ = ["BlenderContract"]
