"""Latents and weight maps as safetensors files."""

from kinblend.storage.latents import load_latent, load_weight_map, save_latent, save_weight_map

__all__ = ["load_latent", "load_weight_map", "save_latent", "save_weight_map"]
