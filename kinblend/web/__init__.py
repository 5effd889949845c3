"""The web app: two faces in, a family out."""
