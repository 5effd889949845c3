"""StyleGAN2 generators, from rosinality's or NVIDIA's checkpoints, in plain PyTorch (Karras et al., 2020); and the
training of small ones of our own."""
