"""Importers: published checkpoints become model packs."""

import kinblend

_MODULE = "kinblend_plugins.checkpoints.importers"


@kinblend.hookimpl
def kinblend_register_importers(register):
    register(
        kinblend.PluginSpec("e4e", "encoder4editing's .pt: encoder, generator, average", f"{_MODULE}:import_e4e")
    )
    register(
        kinblend.PluginSpec("rosinality", "rosinality's StyleGAN2 .pt: the generator", f"{_MODULE}:import_rosinality")
    )
    register(kinblend.PluginSpec("nvidia", "NVIDIA's StyleGAN2 .pkl: the generator", f"{_MODULE}:import_nvidia"))
