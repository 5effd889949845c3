"""Contract tests for plugin authors: derive a class, name your plugin, and pytest checks every law.

```python
from kinblend.testing import BlenderContract


class TestMine(BlenderContract):
    name = "mine"
    share_options = {1.0: {"share": 1.0}, 0.0: {"share": 0.0}}
```
"""

from kinblend.testing.blender import BlenderContract
from kinblend.testing.editor import EditorContract
from kinblend.testing.encoder import EncoderContract
from kinblend.testing.faces import (
    DetectorContract,
    IdentityNetworkContract,
    LandmarkerContract,
    UpscalerContract,
)
from kinblend.testing.projector import ProjectorContract

__all__ = [
    "BlenderContract",
    "DetectorContract",
    "EditorContract",
    "EncoderContract",
    "IdentityNetworkContract",
    "LandmarkerContract",
    "ProjectorContract",
    "UpscalerContract",
]
