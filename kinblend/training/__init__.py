"""Training that belongs to no one plugin: directions of the latent space, from rated faces."""
