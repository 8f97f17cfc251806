"""The closed form in a model: its cross-products as data, and the density they give."""

import pymc as pm

from pillprocess.mediation.recursion import Quadratic, Shared, quadratic
from pillprocess.mediation.sufficient import SufficientStatistics


def add_quadratic(shared: Shared, statistics: SufficientStatistics, *, mediators: int, arms: int) -> Quadratic:
    """Expand the density of the cross-products, which are data and can be replaced without compiling again."""
    model = pm.modelcontext(None)
    grams = {"mediator": statistics.mediator, "outcome": statistics.outcome}
    data = {}
    for equation, gram in grams.items():
        columns = range(gram.shape[1])
        model.add_coords(
            {"block": range(len(gram)), f"{equation}_column": columns, f"{equation}_column_other": columns}
        )
        dims = ("block", f"{equation}_column", f"{equation}_column_other")
        data[equation] = pm.Data(f"{equation}_gram", gram, dims=dims)
    return quadratic(shared, data["mediator"], data["outcome"], mediators=mediators, arms=arms)
