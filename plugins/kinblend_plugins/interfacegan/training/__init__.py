"""Fits directions: from rated faces, and from pictures that a generator draws."""
