"""Moderation: effects of treatment, and slopes of mediators, that change with a covariate."""

from collections.abc import Sequence

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable

from pillprocess.participants.table import Participants


def moderation(
    people: Participants, prior_sd: float, link_m: float, link_y: float
) -> tuple[TensorVariable | None, TensorVariable | None, TensorVariable | None]:
    """Change of a (mediator, arm, covariate), c (arm, covariate) and b (mediator, covariate) per SD of each covariate."""
    model = pm.modelcontext(None)
    Q, K, P = (len(model.coords[d]) for d in ("mediator", "arm", "covariate"))

    def draw(
        name: str, moderators: Sequence[str], dims: tuple[str, ...], shape: tuple[int, ...], sd: float
    ) -> TensorVariable:
        where = np.flatnonzero(people.covariate_source.isin(moderators).to_numpy())
        free = pm.Normal(f"{name}_raw", 0, sd, dims=(*dims, f"{name[0]}_moderator"))
        return pt.zeros((*shape, P))[..., where].set(free)

    a_x = c_x = b_x = None
    columns = [c for c in people.covariates.columns if people.covariate_source[c] in people.treatment_moderators]
    if columns:
        model.add_coords({"a_moderator": columns, "c_moderator": columns})
        a_x = draw("a_x", people.treatment_moderators, ("mediator", "arm"), (Q, K), prior_sd * link_m)
        c_x = draw("c_x", people.treatment_moderators, ("arm",), (K,), prior_sd * link_y)
    columns = [c for c in people.covariates.columns if people.covariate_source[c] in people.mediator_moderators]
    if columns:
        model.add_coord("b_moderator", columns)
        b_x = draw("b_x", people.mediator_moderators, ("mediator",), (Q,), prior_sd * link_y)
    return a_x, c_x, b_x
