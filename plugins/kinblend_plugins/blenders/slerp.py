"""Spherical interpolation."""

from __future__ import annotations

import torch
from torch import Tensor

from kinblend import Blend, Blender


class SlerpBlender(Blender):
    """Each layer moves along the great circle between the parents; its length changes linearly.

    Source: Shoemake, Animating rotation with quaternion curves, SIGGRAPH 1985.
    """

    def blend(self, father: Tensor, mother: Tensor, seed: int) -> Blend:
        share = self.options.share
        if share in (0.0, 1.0):
            return Blend((father if share else mother).clone(), share=share)
        long_father, long_mother = father.norm(dim=1, keepdim=True), mother.norm(dim=1, keepdim=True)
        unit_father = father / long_father.clamp_min(1e-12)
        unit_mother = mother / long_mother.clamp_min(1e-12)
        angle = (unit_father * unit_mother).sum(dim=1, keepdim=True).clamp(-1, 1).acos()
        sine = angle.sin()
        on_circle = ((share * angle).sin() * unit_father + ((1 - share) * angle).sin() * unit_mother) / sine
        straight = share * unit_father + (1 - share) * unit_mother
        # Parallel and opposite layers have no one great circle: there a straight line does.
        direction = torch.where(sine < 1e-4, straight, on_circle)
        return Blend(direction * (share * long_father + (1 - share) * long_mother), share=share)
