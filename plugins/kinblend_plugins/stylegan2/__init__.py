"""StyleGAN2 generators, from rosinality's or NVIDIA's checkpoints, in plain PyTorch (Karras et al., 2020)."""

import kinblend


@kinblend.hookimpl
def kinblend_register_projectors(register):
    register(
        kinblend.PluginSpec(
            "stylegan2",
            "A StyleGAN2 generator, 64 to 1024 px, without compiled extensions",
            f"{__name__}.projector:StyleGAN2Projector",
        )
    )
