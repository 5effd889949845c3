"""A blender that hands runs of neighbouring layers down whole."""

from pydantic import BaseModel, ConfigDict, Field

import kinblend


class RegionOptions(BaseModel):
    """Options of `regions`; the fields become `--set blender.…` keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    regions: int = Field(4, ge=1, description="into how many runs of layers the code is cut")
    share: float = Field(0.5, ge=0, le=1, description="the chance that a region comes from the father")


class RegionBlender(kinblend.Blender):
    """Each region of neighbouring layers comes whole from one parent, drawn by seed."""

    stochastic = True

    def weights(self, father, mother, seed):
        import torch

        generator = torch.Generator().manual_seed(seed)
        from_father = torch.rand(self.options.regions, generator=generator) < self.options.share
        region_of_layer = torch.arange(father.shape[0]) * self.options.regions // father.shape[0]
        return from_father[region_of_layer].float()[:, None].expand_as(father).contiguous()


@kinblend.hookimpl
def kinblend_register_blenders(register):
    register(
        kinblend.PluginSpec(
            "regions",
            "runs of neighbouring layers come whole from one parent",
            f"{__name__}:RegionBlender",
            RegionOptions,
        )
    )
