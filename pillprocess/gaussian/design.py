"""Designs: the labelled description of a Gaussian linear hierarchical model, built from tables and checked at the door."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.gaussian.scales import FAMILIES

NEEDED = (
    "y", "covariance", "X", "prior_mean", "prior_sd", "coefficient_variable", "coefficient_dim", "coefficient_label", "Z",
    "effect_variable", "effect_dim", "effect_label", "effect_scale", "prior_scale_family", "prior_scale_a", "prior_scale_b",
    "trial",
)  # fmt: skip
WIDEST_RATIO = 1e7
LARGEST = 1e50
RESERVED = {
    "y": "the outcome",
    "y_value": "the outcome's data",
    "chain": "a dim of every fit",
    "draw": "a dim of every fit",
}
"""Names that a fit uses itself; "row" and "row_" are dims of the outcome besides."""


class DesignError(ValueError):
    """A design that cannot be fitted; the message lists every reason."""


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
        The design: ``y`` (row), ``covariance`` (row, row_), ``X`` (row, coefficient), ``Z`` (row, effect), priors, labels.

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
    y, covariance = design["y"].to_numpy(), np.ascontiguousarray(design["covariance"].to_numpy())
    digest = hashlib.sha256(y.tobytes())
    digest.update(covariance)
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


def parameter_names(design: xr.Dataset, kind: str) -> list[str]:
    """Name every ``"coefficient"`` or ``"effect"`` as tables do: ``psi``, ``v[psilocybin]``."""
    parts = zip(*(design[f"{kind}_{what}"].to_numpy() for what in ("variable", "dim", "label")), strict=True)
    return [f"{variable}[{label}]" if dim else str(variable) for variable, dim, label in parts]


def check_design(design: xr.Dataset) -> None:
    """Raise one error with every problem of a design.

    Parameters
    ----------
    design : Dataset
        The labelled description of a Gaussian linear hierarchical model.

    Raises
    ------
    DesignError
        Arrays that are missing or hold values that are not finite; prior SDs or numbers of scale priors out of range;
        scales that are not described; a covariance that couples trials or is not positive definite; names used twice.
    """
    missing = [name for name in NEEDED if name not in design]
    if missing:
        raise DesignError(f"the design cannot be fitted: it lacks {', '.join(missing)}")
    problems = [
        f"{name}: {label} is not finite"
        for name, dim in (("y", "row"), ("X", "row"), ("Z", "row"), ("covariance", "row"))
        for label in design["row"].to_numpy()[
            ~np.isfinite(design[name].to_numpy()).reshape(design.sizes[dim], -1).all(axis=1)
        ]
    ]
    problems += [
        f"{name}: numbers of type {design[name].dtype}; they must be float64, less is not precise enough"
        for name in ("y", "covariance", "X", "Z", "prior_mean", "prior_sd", "prior_scale_a", "prior_scale_b")
        if design[name].dtype != np.float64
    ]
    coefficients, effects = parameter_names(design, "coefficient"), parameter_names(design, "effect")
    mean, sd = design["prior_mean"].to_numpy(), design["prior_sd"].to_numpy()
    problems += [
        f"{name}: prior Normal({m:g}, {s:g}); the mean must be finite and the SD finite and > 0"
        for name, m, s in zip(coefficients, mean, sd, strict=True)
        if not (np.isfinite(m) and np.isfinite(s) and s > 0)
    ]
    problems += _scale_problems(design, effects)
    problems += _name_problems(design, [*coefficients, *effects])
    problems += _covariance_problems(design)
    if problems:
        raise DesignError("the design cannot be fitted:\n" + "\n".join(problems))


def _scale_problems(design: xr.Dataset, effects: list[str]) -> list[str]:
    scales = design["scale"].to_numpy().tolist()
    problems = [
        f"{name}: its scale {scale!r} is not among the scales {scales}; an effect of fixed SD is a coefficient"
        for name, scale in zip(effects, design["effect_scale"].to_numpy().tolist(), strict=True)
        if scale not in scales
    ]
    priors = zip(*(design[f"prior_scale_{what}"].to_numpy().tolist() for what in ("family", "a", "b")), strict=True)
    for scale, (family, a, b) in zip(scales, priors, strict=True):
        if family not in FAMILIES:
            problems.append(f"scale '{scale}': prior family {family!r} is not known; use {', '.join(FAMILIES)}")
        elif family == "uniform" and not 0 <= a < b < np.inf:
            problems.append(f"scale '{scale}': uniform({a:g}, {b:g}); the limits must satisfy 0 <= lower < upper")
        elif family.startswith("invgamma") and not (0 < a < np.inf and 0 < b < np.inf):
            problems.append(f"scale '{scale}': {family}({a:g}, {b:g}); shape and rate must be > 0")
        elif family.startswith("half") and not 0 < a < np.inf:
            problems.append(f"scale '{scale}': {family}({a:g}); its scale must be > 0")
    return problems


def _name_problems(design: xr.Dataset, parameters: list[str]) -> list[str]:
    problems = [f"{name}: two columns have this name" for name in _repeated(parameters)]
    coefficients, effects = set(design["coefficient_variable"].to_numpy()), set(design["effect_variable"].to_numpy())
    for name in sorted((coefficients & effects) | ((coefficients | effects) & set(design["scale"].to_numpy()))):
        problems.append(f"{name}: the name of two of a coefficient, an effect and a scale")
    dims = {str(d) for kind in ("coefficient", "effect") for d in design[f"{kind}_dim"].to_numpy()} - {""}
    variables = coefficients | effects | set(design["scale"].to_numpy())
    problems += [
        f"{name}: the name of {RESERVED[name]}; give it another" for name in sorted((variables | dims) & set(RESERVED))
    ]
    problems += [
        f"{name}: the name of a dim of the outcome; give it another" for name in sorted(dims & {"row", "row_"})
    ]
    problems += [f"{name}: the name of a variable and of a dim" for name in sorted(variables & dims)]
    problems += [f"row {label}: two rows have this label" for label in _repeated(design["row"].to_numpy().tolist())]
    return problems + _absent_labels(design)


def _absent_labels(design: xr.Dataset) -> list[str]:
    """Labels of a dim for which one of its coefficient variables has no column."""
    every: dict[str, dict[str, None]] = {}
    of: dict[tuple[str, str], set[str]] = {}
    for kind in ("coefficient", "effect"):
        for variable, dim, label in zip(
            *(design[f"{kind}_{w}"].to_numpy().tolist() for w in ("variable", "dim", "label")), strict=True
        ):
            every.setdefault(dim, {})[label] = None
            if kind == "coefficient" and dim:
                of.setdefault((variable, dim), set()).add(label)
    return [
        f"{variable}: no column for {label!r}, which {dim} has"
        for (variable, dim), labels in of.items()
        for label in every[dim]
        if label not in labels
    ]


def _repeated(names: list[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)


def _covariance_problems(design: xr.Dataset) -> list[str]:
    y, covariance, trial, row = (design[name].to_numpy() for name in ("y", "covariance", "trial", "row"))
    i, k = np.nonzero(covariance)
    if not np.allclose(covariance[i, k], covariance[k, i], rtol=1e-10, atol=0):
        return ["covariance: not symmetric"]
    problems = [
        f"covariance: rows {row[i]} and {row[k]} are correlated but belong to trials {trial[i]} and {trial[k]}"
        for i, k in zip(i, k, strict=True)
        if i < k and trial[i] != trial[k]
    ]
    variance = np.diag(covariance)
    problems += [
        f"row {row[i]}: y = {y[i]:g} with variance {variance[i]:g}; double precision cannot square such numbers: change the unit"
        for i in np.flatnonzero(
            (np.abs(y) > LARGEST) | (variance > LARGEST**2) | ((variance > 0) & (variance < LARGEST**-2))
        )
    ]
    spread, error = np.abs(design["X"].to_numpy()) * design["prior_sd"].to_numpy(), np.sqrt(np.abs(np.diag(covariance)))
    for i in np.flatnonzero((spread > WIDEST_RATIO * error[:, None]).any(axis=1)):
        name = parameter_names(design, "coefficient")[int(spread[i].argmax())]
        problems.append(
            f"row {row[i]}: its sampling SD is {error[i]:g} and the prior SD of {name} there {spread[i].max():g}, a ratio above "
            f"{WIDEST_RATIO:g} that double precision cannot hold; are both in one unit?"
        )
    for name in dict.fromkeys(trial):
        here = np.flatnonzero(trial == name)
        block = covariance[np.ix_(here, here)]
        if np.isfinite(block).all() and np.linalg.eigvalsh(block)[0] <= 0:
            problems.append(f"covariance: the block of trial {name} is not positive definite")
    return problems
