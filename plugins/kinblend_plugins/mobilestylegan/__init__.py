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


@kinblend.hookimpl
def kinblend_register_commands(register):
    register(
        kinblend.PluginSpec(
            "fit-heads",
            "Heads for smaller pictures of a MobileStyleGAN, fitted to its own pictures",
            f"{__name__}.fit:fit_heads",
        )
    )
