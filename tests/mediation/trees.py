"""Fits written by hand: the constant data of a real model and a posterior of one's own, so that no sampler is needed."""

import numpy as np
import pymc as pm
import xarray as xr

from pillprocess.participants.table import Participants


def tree(model: pm.Model, posterior: dict[str, object], **coords: list[str]) -> xr.DataTree:
    """A fit with one chain; values are (draw, ...) where they vary by draw, and are named and labelled as in the model."""
    labels = {name: list(values) for name, values in model.coords.items()} | coords
    variables, draws = {}, max(np.shape(v)[0] for v in posterior.values())
    for name, value in posterior.items():
        dims = coords.get(f"{name}_dims") or list(model.named_vars_to_dims.get(name, ()))
        variables[name] = (("chain", "draw", *dims), np.asarray(value, float)[None])
    used = {d for dims, _ in variables.values() for d in dims}
    data = {
        name: (model.named_vars_to_dims.get(name, ()), model[name].get_value(borrow=False)) for name in map(str, model.named_vars)
        if hasattr(model[name], "get_value")
    }  # fmt: skip
    in_data = {d for dims, _ in data.values() for d in dims}
    return xr.DataTree.from_dict(
        {
            "/posterior": xr.Dataset(
                variables, coords={"chain": [0], "draw": range(draws)} | {d: labels[d] for d in labels if d in used}
            ),
            "/constant_data": xr.Dataset(data, coords={d: labels[d] for d in labels if d in in_data}),
        }
    )


def least_squares(people: Participants, model: pm.Model, *, interaction: bool) -> xr.DataTree:
    """One draw: the least-squares coefficients and maximum-likelihood residual SDs of one mediator, two arms, one trial."""
    T, X = people.treatment.to_numpy(), people.covariates.to_numpy()
    m, y = people.mediators.to_numpy()[:, 0], people.outcome.to_numpy()
    one = np.ones((len(y), 1))
    of_m = np.hstack([one, T, X])
    of_y = np.hstack([one, T, X, m[:, None], *([T * m[:, None]] if interaction else [])])
    first, second = (np.linalg.lstsq(A, v, rcond=None)[0] for A, v in ((of_m, m), (of_y, y)))
    P = X.shape[1]
    posterior = {
        "alpha_m": [[first[0]]], "a": [[[first[1]]]], "gamma_m": [[first[2:]]], "sigma_m": [[np.std(m - of_m @ first)]],
        "alpha_y": [second[0]], "c": [[second[1]]], "gamma_y": [second[2 : 2 + P]], "b": [[second[2 + P]]],
        "sigma_y": [np.std(y - of_y @ second)],
    }  # fmt: skip
    return tree(model, posterior | ({"theta": [[[second[3 + P]]]]} if interaction else {}))
