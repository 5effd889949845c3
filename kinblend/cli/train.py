"""`kinblend train`: trainers that plugins bring."""

from __future__ import annotations

from kinblend.cli.command import App
from kinblend.cli.trainer_commands import TrainerGroup

app = App(help="Train backbones, blenders, encoders and directions.", no_args_is_help=True)

TRAINED = {
    "backbone": "Train a backbone and write its model pack",
    "blender": "Train a blender's weights",
    "encoder": "Train an encoder for a pack's generator, on pictures that it draws itself",
    "directions": "Fit directions for a pack's latent space",
}
for trained, what in TRAINED.items():
    app.add_typer(
        App(cls=TrainerGroup, help=f"{what}; each trainer has its own flags.", no_args_is_help=True),
        name=trained,
    )
