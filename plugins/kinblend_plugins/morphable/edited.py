"""What an edit does to a face beyond its code: the residual follows, colours stay natural, beards go wholly.

An edit adds to a texture what it adds to the mean face. Three things go wrong by that: a residual stays behind that
belongs to what the edit took away; skin that is darker than the mean's turns grey where it gets lighter, and gaudy
where it gets darker; and half a beard that was added up of many components leaves its shadow.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from kinblend_plugins.morphable import detail, geometry
from kinblend_plugins.morphable.beard import BeardZone
from kinblend_plugins.morphable.model import Morphable, resize
from kinblend_plugins.morphable.residual_gain import ResidualGain
from kinblend_plugins.morphable.skin import SIZE, skin_colour, tints, untinted

REPAINTED = 0.25  # of the colours' range [−1, 1]: a mouth that an edit changes by as much is another mouth
REACH = 0.05  # of the frame's side: of the mouth round the line between the lips
NOTICED = 0.15  # a change of brightness, a logarithm, from which on colours are put right in full
WORN = 3.0  # a child of one bearded parent is shaven wholly, where it is
SHAVEN = 0.8  # of what is left of the residual where a beard was: its hairs
OUTLIER = 1.5  # deviations: freckles and lashes beyond are no wrinkles, and do not grow with them
NEAR = 15  # px of SIZE: the neighbourhood that these deviations are of


class EditedTexture:
    """The residual of edited codes. gain: how strong a residual is to be expected; None: it stays as strong."""

    def __init__(self, model: Morphable, gain: ResidualGain | None) -> None:
        self.model, self.gain = model, gain
        self.beard = BeardZone.of(model)
        points = (model.mean_shape - torch.tensor(model.corner)) / model.side
        between = torch.cdist(geometry.pixel_centres(SIZE).reshape(-1, 2), points[48:63].double()).amin(1)
        self.mouth = torch.sigmoid((REACH - between.view(SIZE, SIZE)) / 0.008).float()

    @torch.inference_mode()
    def residual(self, residual: Tensor, code: Tensor, edited: Tensor, beard: float = 0.0) -> Tensor:
        """The residual [3, S, S] of a face whose code [L, D] has been edited. beard: how surely it had one."""
        codes = torch.stack([code, edited]).float().to(self.model.device)
        before, after = self.model.texture(codes).cpu().split(1)
        side = residual.shape[-1]
        followed = residual * self._strength(residual, code, edited)
        followed = followed * resize(self._kept_of_mouth(before, after), side)[0]
        textures = ((before, residual), (after, followed))
        old, new = (resize(texture, SIZE) + resize(rest[None], SIZE) for texture, rest in textures)
        change = self._recoloured(old, new, resize(after - before, SIZE)) - new
        lost = min(1.0, WORN * beard) * self.beard.lost(old, new)[:, None, None, None] * self.beard.grown
        change = change + lost * (self.beard.shaven(new) - change)
        return followed * (1 - SHAVEN * resize(lost, side)[0]) + resize(change, side)[0]

    def _strength(self, residual: Tensor, code: Tensor, edited: Tensor) -> Tensor:
        """How much stronger or weaker a residual [3, S, S] becomes, [1 or 3, S, S]."""
        if self.gain is None:
            return residual.new_ones(1, 1, 1)
        gain = detail.where_skin(self.model, self.gain.gain(code, edited, residual.shape[-1]))
        return torch.where(gain > 1, 1 + (gain - 1) * _ordinary(residual), gain)

    def _kept_of_mouth(self, before: Tensor, after: Tensor) -> Tensor:
        """What is left of the residual, [1, 1, SIZE, SIZE]: of a mouth that an edit closes, nothing."""
        change = resize((after - before).square().mean(1, keepdim=True), SIZE)
        change = F.avg_pool2d(change, 9, 1, 4, count_include_pad=False)
        return 1 - self.mouth * (1 - torch.exp(-((change / REPAINTED**2) ** 2)))

    def _recoloured(self, old: Tensor, new: Tensor, change: Tensor) -> Tensor:
        """Edited textures [1, 3, SIZE, SIZE] in natural colours, but for the mouth.

        What makes the mean face lighter is light of its own colour: added to darker skin or to brows it greys them,
        and taken away it leaves a gaudy rest. So what gets lighter goes towards the colour of the skin as it nears
        its brightness, and what gets darker changes its colour as the mean face does, by the ratio of its colours
        before and after (Liu, Shan and Zhang 2001, "Expressive Expression Mapping with Ratio Images").
        old: before the edit. change: of the code's texture alone.
        """
        was, found, mean = tints(old), tints(new), self.beard.mean
        skin = skin_colour(new, self.beard.sure.to(new)).mean[:, :, None, None]
        step = found[:, :1] - was[:, :1]
        near = (step / (skin[:, :1] - was[:, :1]).clamp_min(step.clamp_min(1e-3))).clamp(0, 1)
        lighter = was + near * (skin - was).clamp(min=0)
        darker = was + tints(mean + change) - tints(mean)
        colours = torch.where(step > 0, torch.maximum(found, lighter), torch.minimum(found, darker))[:, 1:]
        colours = torch.lerp(found[:, 1:], colours, (step.abs() / NOTICED).clamp(max=1))
        natural = untinted(torch.cat([found[:, :1], colours], 1)) - untinted(found)
        return new + natural * resize(self.model.window, SIZE).to(old) * (1 - self.mouth)


def _ordinary(residual: Tensor) -> Tensor:
    """1 where a residual [3, S, S] is as strong as round about, less where it stands out: [1, S, S]."""
    power = residual.square().mean(0, keepdim=True)
    around = F.avg_pool2d(resize(power[None], SIZE), NEAR, 1, NEAR // 2, count_include_pad=False)
    limit = OUTLIER * resize(around, residual.shape[-1])[0].sqrt()
    return (limit / power.sqrt().clamp_min(1e-6)).clamp(max=1)
