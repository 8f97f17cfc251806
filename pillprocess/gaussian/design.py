"""Designs: the labelled description of a Gaussian linear hierarchical model, built from tables and checked at the door."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.gaussian.design_checks import DesignError, check_design, parameter_names
from pillprocess.gaussian.matrices import AT_ONCE


def gaussian_design(
    y: pd.Series,
    covariance: np.ndarray | pd.DataFrame,
    *,
    trial: Sequence[str] | pd.Series,
    fixed: pd.DataFrame,
    prior_sd: Mapping[str, float],
    prior_mean: Mapping[str, float] | None = None,
    random: pd.DataFrame | None = None,
    effect_scale: Mapping[str, str] | None = None,
    prior_scale: Mapping[str, tuple[str, float, float]] | None = None,
    role: Sequence[str] | pd.Series | None = None,
    outcome: str = "y",
    unit: str = "sd",
    conditioning: str = "treatment",
) -> xr.Dataset:
    r"""Describe any Gaussian linear hierarchical model with known sampling covariance.

    .. math:: y = X \beta + Z b + e, \quad e \sim N(0, V), \quad \beta_c \sim N(m_c, s_c^2), \quad b_e \sim N(0, \tau_{s(e)}^2)

    Tables and Series are brought into the order of ``y`` by their labels; one whose index is the plain count 0, 1, 2 ... carries
    no labels and is taken in the order given.

    Parameters
    ----------
    y : Series
        One value per row (an arm or a contrast), indexed by its label.
    covariance : array or DataFrame (row, row)
        Known sampling covariance V; zero between trials.
    trial : sequence of str, or Series
        Trial of each row.
    fixed : DataFrame
        X, one column per coefficient. A column is named by its variable, or (variable, dim, label) for one entry of a
        vector: ``("d", "treatment", "esketamine")``.
    prior_sd : mapping
        Prior SD of each variable in ``fixed``.
    prior_mean : mapping, optional
        Prior mean of each variable in ``fixed``, in the unit of y; 0 where none is given.
    random : DataFrame, optional
        Z, one column per random effect, named likewise.
    effect_scale : mapping, optional
        The name of the SD of each variable in ``random``, for instance ``{"u": "tau"}``.
    prior_scale : mapping, optional
        Prior of each SD: ("halfnormal", sd, nan), ("halfcauchy", scale, nan), ("uniform", lower, upper),
        ("invgamma", shape, rate) on the variance or ("invgamma_sd", shape, rate) on the SD itself.
    role : sequence of str, or Series, optional
        "control", "active" or "contrast" for each row; needed by the ledger and to predict contrasts given a control arm.
    outcome, unit, conditioning : str
        What y measures, in what unit, and what the model conditions on; fits that differ in them are not compared.

    Returns
    -------
    Dataset
        The design: ``y`` (row), ``covariance`` (row, ``row_``), ``X`` (row, coefficient), ``Z`` (row, effect), priors, labels.

    Raises
    ------
    DesignError
        The design is not valid; the message lists every reason.
    """
    effects = pd.DataFrame(index=y.index) if random is None else random
    inputs = {"covariance": covariance, "trial": trial, "fixed": fixed, "random": effects}
    given = {
        name: _in_order(name, values, y.index)
        for name, values in (inputs | ({} if role is None else {"role": role})).items()
    }
    problems = [part for part in given.values() if isinstance(part, str)]
    if problems:
        raise DesignError("the design cannot be described:\n" + "\n".join(problems))
    scales, priors, means = dict(effect_scale or {}), dict(prior_scale or {}), dict(prior_mean or {})
    labels = y.index.to_numpy(str)
    coefficient, effect = _columns(fixed), _columns(effects)
    lost = [f"{v}: no prior_sd" for v in dict.fromkeys(coefficient["variable"]) if v not in prior_sd]
    lost += [f"{v}: no effect_scale" for v in dict.fromkeys(effect["variable"]) if v not in scales]
    lost += [
        f"{v}: a prior_mean, but no column of fixed has this name" for v in means if v not in coefficient["variable"]
    ]
    if lost:
        raise DesignError("the design cannot be described:\n" + "\n".join(lost))
    family, a, b = zip(*priors.values(), strict=True) if priors else ((), (), ())
    design = xr.Dataset(
        {
            "y": ("row", y.to_numpy(float)),
            "covariance": (("row", "row_"), np.asarray(given["covariance"], float)),
            "X": (("row", "coefficient"), np.asarray(given["fixed"], float)),
            "Z": (("row", "effect"), np.asarray(given["random"], float)),
            "prior_mean": ("coefficient", np.array([means.get(v, 0.0) for v in coefficient["variable"]], float)),
            "prior_sd": ("coefficient", np.array([prior_sd[v] for v in coefficient["variable"]], float)),
            **{f"coefficient_{what}": ("coefficient", values) for what, values in coefficient.items()},
            **{f"effect_{what}": ("effect", values) for what, values in effect.items()},
            "coefficient_term": ("coefficient", coefficient["variable"]),
            "effect_term": ("effect", effect["variable"]),
            "effect_scale": ("effect", np.array([scales[v] for v in effect["variable"]], str)),
            "prior_scale_family": ("scale", np.array(family, str)),
            "prior_scale_a": ("scale", np.array(a, float)),
            "prior_scale_b": ("scale", np.array(b, float)),
        },
        coords={
            "row": labels,
            "row_": labels,
            "trial": ("row", np.asarray(given["trial"]).astype(str)),
            "scale": np.array(list(priors), str),
        },
        attrs={"outcome": outcome, "scale": unit, "conditioning": conditioning},
    )
    names = {kind: np.array(parameter_names(design, kind), str) for kind in ("coefficient", "effect")}
    design = design.assign_coords(
        names | ({} if role is None else {"role": ("row", np.asarray(given["role"]).astype(str))})
    )
    check_design(design)
    return design.assign_attrs(data_hash=data_hash(design))


def _in_order(
    name: str, values: Sequence[str] | pd.Series | pd.DataFrame | np.ndarray, labels: pd.Index
) -> np.ndarray | str:
    """Values in the order of the rows' labels, or what is wrong with them."""
    n = len(labels)
    if not isinstance(values, pd.Series | pd.DataFrame):
        array = np.asarray(values)
        wanted = (n, n) if name == "covariance" else (n,)
        return array if array.shape == wanted else f"{name}: shape {array.shape}; with {n} rows it must be {wanted}"
    axes = [values.index] + ([values.columns] if name == "covariance" else [])
    places = []
    for index in axes:
        if len(index) != n:
            return f"{name}: {len(index)} labels for {n} rows"
        if index.equals(pd.RangeIndex(n)) and isinstance(index, pd.RangeIndex):
            places.append(np.arange(n))
            continue
        if not (index.is_unique and labels.is_unique):
            return f"{name}: labels used twice ({', '.join(map(str, index[index.duplicated()]))}); rows cannot be told apart"
        place = index.get_indexer(labels)
        if (place < 0).any():
            absent = ", ".join(map(str, labels[place < 0][:5]))
            return f"{name}: its labels are not those of y (it lacks {absent}); give both the same index"
        places.append(place)
    array = values.to_numpy()
    return array[np.ix_(*places)] if name == "covariance" else array[places[0]]


def _columns(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return variable, dim and label of every column."""
    parts = [name if isinstance(name, tuple) else (name, "", "") for name in table.columns]
    return {what: np.array([part[i] for part in parts], str) for i, what in enumerate(("variable", "dim", "label"))}


def data_hash(design: xr.Dataset) -> str:
    """Return the SHA-256 of a design's outcomes, covariance and row labels."""
    digest = hashlib.sha256(design["y"].to_numpy().tobytes())
    covariance = design["covariance"]
    step = max(1, AT_ONCE // max(1, len(covariance)))
    for start in range(0, len(covariance), step):
        digest.update(np.ascontiguousarray(covariance[start : start + step].to_numpy()))
    digest.update("\n".join(str(label) for label in design["row"].to_numpy()).encode())
    return digest.hexdigest()


def data_attrs(design: xr.Dataset) -> dict[str, str]:
    """Return what fits must have in common to be compared: data hash, outcome, scale and conditioning set."""
    return {
        "data_hash": design.attrs.get("data_hash") or data_hash(design),
        "outcome": design.attrs.get("outcome", "y"),
        "scale": design.attrs.get("scale", "sd"),
        "conditioning": design.attrs.get("conditioning", "treatment"),
    }
