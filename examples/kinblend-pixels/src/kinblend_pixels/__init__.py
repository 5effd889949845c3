"""An identity network without weights: the grey pixels of a small, aligned face."""

import kinblend


@kinblend.hookimpl
def kinblend_register_identity_networks(register):
    register(kinblend.PluginSpec("pixels", "grey pixels of a small face, 256 of them", f"{__name__}.network:Pixels"))
