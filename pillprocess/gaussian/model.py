"""The PyMC model of a design: the sampler's side of the shared description."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import xarray as xr

from pillprocess.gaussian.matrices import nonzeros
from pillprocess.gaussian.scales import FAMILIES


def gaussian_model(design: xr.Dataset) -> pm.Model:
    r"""Build the PyMC model of a Gaussian linear hierarchical design.

    .. math:: y \sim N(X\beta + Z b, \Sigma), \quad \beta_c \sim N(m_c, s_c^2), \quad b_e = \tau_{s(e)}\, raw_e,\ raw_e \sim N(0, 1)

    Random effects are non-centred. Variables carry the names and dims the design gives them. A coefficient that the design's
    attribute ``one_sided`` names has the lower half of its prior only; the closed form has the whole of it.

    Parameters
    ----------
    design
        As returned by :func:`pillprocess.decomposition_design`.

    Returns
    -------
    ``pm.Model`` with observed ``y`` (row), whose values are its data ``y_value``; its attribute ``design`` is the description
    it was built from.

    Raises
    ------
    ValueError
        A prior family of a scale that is not known.
    """
    coords: dict[str, np.ndarray] = {"row": design["row"].to_numpy()}
    for kind in ("coefficient", "effect"):
        for dim in np.unique(design[f"{kind}_dim"].to_numpy()):
            if dim:
                coords[str(dim)] = _labels(design, str(dim))
    taken = {
        str(v) for name in ("coefficient_variable", "effect_variable", "scale") for v in design[name].to_numpy()
    } | set(coords)
    with pm.Model(coords=coords) as model:
        scales = {str(s): _scale(design.sel(scale=s), taken) for s in design["scale"].to_numpy()}
        theta = pt.zeros(design.sizes["row"])
        for variable, part in _by_variable(design, "coefficient"):
            dim = str(part["coefficient_dim"][0].item())
            mean, sd = part["prior_mean"].to_numpy(), part["prior_sd"].to_numpy()
            if not dim:
                one_sided = variable in design.attrs.get("one_sided", [])
                prior = (
                    pm.TruncatedNormal(variable, mean[0], sd[0], upper=0)
                    if one_sided
                    else pm.Normal(variable, mean[0], sd[0])
                )
                theta = theta + part["X"].to_numpy()[:, 0] * prior
                continue
            place = _positions(coords[dim], part["coefficient_label"].to_numpy())
            order = np.argsort(place)  # every label of the dim has a column
            coefficient = pm.Normal(variable, mean[order], sd[order], dims=dim)
            theta = theta + _linear(part["X"].to_numpy(), coefficient[place])
        for variable, part in _by_variable(design, "effect"):
            dim = str(part["effect_dim"][0].item())
            raw = pm.Normal(unused(f"{variable}_raw", taken), 0, 1, dims=dim or None)
            named = part["effect_scale"].to_numpy().tolist()
            if not dim:
                effect = pm.Deterministic(variable, raw * scales[named[0]])
                theta = theta + part["Z"].to_numpy()[:, 0] * effect
                continue
            place = _positions(coords[dim], part["effect_label"].to_numpy())
            effect = pm.Deterministic(variable, raw * _scale_by_label(scales, named, place, len(coords[dim])), dims=dim)
            theta = theta + _linear(part["Z"].to_numpy(), effect[place])
        y, covariance = pm.Data("y_value", design["y"].to_numpy(), dims="row"), nonzeros(design["covariance"])
        if covariance.nnz > np.count_nonzero(covariance.diagonal()):
            pm.MvNormal("y", theta, chol=np.linalg.cholesky(covariance.toarray()), observed=y, dims="row")
        else:
            pm.Normal("y", theta, np.sqrt(covariance.diagonal()), observed=y, dims="row")
    model.design = design
    return model


def _labels(design: xr.Dataset, dim: str) -> np.ndarray:
    """Every label that occurs along a dim, in order of appearance."""
    found = [
        label
        for kind in ("coefficient", "effect")
        for label, d in zip(design[f"{kind}_label"].to_numpy(), design[f"{kind}_dim"].to_numpy(), strict=True)
        if d == dim
    ]
    return np.array(list(dict.fromkeys(found)))


def _by_variable(design: xr.Dataset, kind: str) -> list[tuple[str, xr.Dataset]]:
    names = design[f"{kind}_variable"].to_numpy()
    return [(str(v), design.isel({kind: np.flatnonzero(names == v)})) for v in dict.fromkeys(names)]


def _positions(labels: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    where = {label: i for i, label in enumerate(labels)}
    return np.array([where[w] for w in wanted])


def _scale_by_label(
    scales: dict[str, pt.TensorVariable], named: list[str], place: np.ndarray, n: int
) -> pt.TensorVariable:
    """The SD of every label along a dim: one for all, or one by label (a label without an effect takes the first's)."""
    if len(set(named)) == 1:
        return scales[named[0]]
    each = [named[0]] * n
    for position, name in zip(place, named, strict=True):
        each[position] = name
    return pt.stack([scales[name] for name in each])


def unused(name: str, taken: set[str]) -> str:
    """A name for a helper of the sampler that no variable of the design has."""
    while name in taken:
        name += "_"
    return name


def _scale(prior: xr.Dataset, taken: set[str]) -> pt.TensorVariable:
    name, family = str(prior["scale"].item()), str(prior["prior_scale_family"].item())
    a, b = float(prior["prior_scale_a"]), float(prior["prior_scale_b"])
    if family == "halfnormal":
        return pm.HalfNormal(name, a)
    if family == "invgamma":
        squared = pm.InverseGamma(unused(f"{name}_squared", taken), alpha=a, beta=b)
        return pm.Deterministic(name, pt.sqrt(squared))
    if family == "invgamma_sd":
        return pm.InverseGamma(name, alpha=a, beta=b)
    if family == "halfcauchy":
        return pm.HalfCauchy(name, a)
    if family == "uniform":
        return pm.Uniform(name, a, b)
    raise ValueError(f"scale '{name}': prior family {family!r} is not known; use {', '.join(FAMILIES)}")


def _linear(columns: np.ndarray, parameter: pt.TensorVariable) -> pt.TensorVariable:
    """Columns times a vector; each row picks the few labels it has, so the cost is that of its non-zeros."""
    row = np.arange(len(columns))
    label = np.argsort(columns == 0, axis=1, kind="stable")
    most = int((columns != 0).sum(axis=1).max())
    return sum((columns[row, label[:, i]] * parameter[label[:, i]] for i in range(most)), pt.zeros(len(columns)))
