"""An upscaler by Pillow's Lanczos filter."""

import kinblend


@kinblend.hookimpl
def kinblend_register_upscalers(register):
    register(kinblend.PluginSpec("lanczos", "Lanczos interpolation, ×2", f"{__name__}.upscaler:Lanczos"))
