"""`python -m kinblend.cli` is `kinblend`."""

from kinblend.cli import main

main()
