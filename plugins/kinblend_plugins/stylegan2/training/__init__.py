"""Training of a small StyleGAN2 together with its encoder.

Nothing here needs more than torch, numpy, pillow, safetensors, rich and typer, so that a bare GPU machine can run
`python -m kinblend_plugins.stylegan2.training` from the sources.
"""
