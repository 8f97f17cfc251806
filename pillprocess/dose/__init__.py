"""How much: the drug effect by dose, with its half-maximal dose estimated."""
