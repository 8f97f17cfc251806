"""How long it lasts: the drug effect over time."""
