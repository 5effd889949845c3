"""MobileStyleGAN: a small generator in the latent space of StyleGAN2-FFHQ."""

import kinblend


@kinblend.hookimpl
def kinblend_register_projectors(register):
    register(
        kinblend.PluginSpec(
            "mobilestylegan",
            "MobileStyleGAN, 1024 px: StyleGAN2 distilled to separable convolutions and wavelets",
            f"{__name__}.projector:MobileStyleGANProjector",
        )
    )
