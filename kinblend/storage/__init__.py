"""What kinblend keeps on disk: latents, weight maps, model packs. Only safetensors is opened at run time."""
