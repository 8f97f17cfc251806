"""What is wrong with a design, all of it at once, before anything is fitted."""

from collections import Counter

import numpy as np
import xarray as xr
from scipy.sparse import coo_array, csr_array

from pillprocess.gaussian.matrices import diagonal_blocks, nonzeros, rows_by
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
    row = design["row"].to_numpy()
    matrices = {name: nonzeros(design[name]) for name in ("X", "Z", "covariance")}
    infinite = {"y": np.flatnonzero(~np.isfinite(design["y"].to_numpy()))}
    infinite |= {n: np.unique(coo_array(m).coords[0][~np.isfinite(m.data)]) for n, m in matrices.items()}
    problems = [f"{name}: {row[i]} is not finite" for name, rows in infinite.items() for i in rows]
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
    problems += _covariance_problems(design, matrices["covariance"], matrices["X"])
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


def _covariance_problems(design: xr.Dataset, covariance: csr_array, X: csr_array) -> list[str]:
    y, trial, row = (design[name].to_numpy() for name in ("y", "trial", "row"))
    mirrored = covariance.T.tocsr()
    mirrored.sort_indices()
    same = np.array_equal(covariance.indices, mirrored.indices) and np.array_equal(covariance.indptr, mirrored.indptr)
    if not (same and np.allclose(covariance.data, mirrored.data, rtol=1e-10, atol=0)):
        return ["covariance: not symmetric"]
    above, beside = coo_array(covariance).coords
    problems = [
        f"covariance: rows {row[i]} and {row[k]} are correlated but belong to trials {trial[i]} and {trial[k]}"
        for i, k in zip(above, beside, strict=True)
        if i < k and trial[i] != trial[k]
    ]
    variance = covariance.diagonal()
    problems += [
        f"row {row[i]}: y = {y[i]:g} with variance {variance[i]:g}; double precision cannot square such numbers: change the unit"
        for i in np.flatnonzero(
            (np.abs(y) > LARGEST) | (variance > LARGEST**2) | ((variance > 0) & (variance < LARGEST**-2))
        )
    ]
    error = np.sqrt(np.abs(variance))
    spread = csr_array((np.abs(X.data) * design["prior_sd"].to_numpy()[X.indices], X.indices, X.indptr), shape=X.shape)
    of = coo_array(spread).coords[0]
    for i in np.unique(of[spread.data > WIDEST_RATIO * error[of]]):
        here = slice(spread.indptr[i], spread.indptr[i + 1])
        widest = spread.data[here].argmax()
        name = parameter_names(design, "coefficient")[spread.indices[here][widest]]
        problems.append(
            f"row {row[i]}: its sampling SD is {error[i]:g} and the prior SD of {name} there {spread.data[here][widest]:g}, a ratio above "
            f"{WIDEST_RATIO:g} that double precision cannot hold; are both in one unit?"
        )
    rows = rows_by(trial)
    problems += [
        f"covariance: the block of trial {name} is not positive definite"
        for name, block in zip(rows, diagonal_blocks(covariance, list(rows.values())), strict=True)
        if np.isfinite(block).all() and np.linalg.eigvalsh(block)[0] <= 0
    ]
    return problems
