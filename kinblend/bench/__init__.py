"""How fast the steps are, and how much memory they take: what `kinblend bench` runs."""
