"""The shared description of a Gaussian linear hierarchical model, from which both fitting routes start.

    y = X beta + Z b + e,  e ~ N(0, covariance),  beta_c ~ N(prior_mean_c, prior_sd_c^2),  b_e ~ N(0, tau_s(e)^2)

A design is an xarray Dataset of labelled arrays. Each column of X and Z names the posterior variable it belongs to, the
label along that variable's dim, and the term it contributes to. ``effect_mean`` says which effects belong to the mean of
a coefficient (a drug's own mean effect, around that of all drugs): they come and go with it. All others are deviations
between trials, which every set of terms has.
"""

import numpy as np
import pandas as pd
import xarray as xr
from scipy.sparse import csr_array

from pillprocess.gaussian.design import data_hash
from pillprocess.gaussian.matrices import Stored, rows_by, stored

type Values = pd.Series | np.ndarray
type Entries = tuple[np.ndarray, np.ndarray]


class Columns:
    """Collects the columns of X (coefficients) and Z (effects).

    A column that is zero in every row is left out, unless it is ``kept``: its parameter then stays at its prior.
    """

    def __init__(self, n_rows: int) -> None:
        self.n_rows = n_rows
        self.coefficients: list[tuple[str, str, str, str, Entries, float, float]] = []
        self.effects: list[tuple[str, str, str, str, Entries, str, str]] = []

    def coefficient(
        self, variable: str, dim: str, label: str, term: str, values: Values, prior_sd: float, *, prior_mean: float = 0.0,
        kept: bool = False,
    ) -> None:  # fmt: skip
        """Add a fixed effect with prior Normal(prior_mean, prior_sd)."""
        column = entries(values)
        if kept or len(column[0]):
            self.coefficients.append((variable, dim, label, term, column, prior_sd, prior_mean))

    def effect(
        self, variable: str, dim: str, label: str, term: str, values: Values, scale: str, *, mean: str = "", kept: bool = False
    ) -> None:  # fmt: skip
        """Add a random effect with the SD named by ``scale``; ``mean`` names the coefficient whose mean it differentiates."""
        column = entries(values)
        if kept or len(column[0]):
            self.effects.append((variable, dim, label, term, column, scale, mean))


def entries(values: Values) -> Entries:
    """Rows of a column that are not zero, and what stands there."""
    column = np.asarray(values, float)
    rows = np.flatnonzero(column)
    return rows, column[rows]


def design_dataset(
    rows: pd.DataFrame,
    columns: Columns,
    covariance: Stored,
    prior_scale: tuple[str, float, float],
    *,
    attrs: dict[str, str | list[str]],
) -> xr.Dataset:
    """Assemble the labelled Dataset.

    Parameters
    ----------
    rows
        One row per observation, with ``label``, ``trial``, ``arm``, ``kind``, ``y`` and the descriptive columns.
    columns
        The collected fixed and random columns.
    covariance
        Known sampling covariance, shape (row, row).
    prior_scale
        Family and two parameters of the prior every scale gets.
    attrs
        Strings that describe the model.
    """
    names = {
        kind: [f"{c[0]}[{c[2]}]" if c[1] else c[0] for c in collected]
        for kind, collected in (("coefficient", columns.coefficients), ("effect", columns.effects))
    }
    scales = list(dict.fromkeys(e[5] for e in columns.effects))
    family, a, b = prior_scale
    y = rows["y"].to_numpy(float)

    def stack(columns_of: list[Entries]) -> Stored:
        row = np.concatenate([np.zeros(0, np.int64), *(rows for rows, _ in columns_of)])
        value = np.concatenate([np.zeros(0), *(values for _, values in columns_of)])
        column = np.repeat(np.arange(len(columns_of)), [len(rows) for rows, _ in columns_of])
        return stored(csr_array((value, (row, column)), shape=(columns.n_rows, len(columns_of))))

    def strings(kind: str, position: int) -> np.ndarray:
        collected = columns.coefficients if kind == "coefficient" else columns.effects
        return np.array([c[position] for c in collected], dtype=str)

    labels = rows["label"].to_numpy(str)
    dataset = xr.Dataset(
        {
            "y": ("row", y),
            "covariance": (("row", "row_"), covariance),
            "X": (("row", "coefficient"), stack([c[4] for c in columns.coefficients])),
            "Z": (("row", "effect"), stack([e[4] for e in columns.effects])),
            "prior_mean": ("coefficient", np.array([c[6] for c in columns.coefficients], float)),
            "prior_sd": ("coefficient", np.array([c[5] for c in columns.coefficients], float)),
            **{f"{kind}_{what}": (kind, strings(kind, i)) for kind in names for i, what in enumerate(("variable", "dim", "label", "term"))},
            "effect_scale": ("effect", strings("effect", 5)),
            "effect_mean": ("effect", strings("effect", 6)),
            "prior_scale_family": ("scale", np.array([family] * len(scales), dtype=str)),
            "prior_scale_a": ("scale", np.full(len(scales), a)),
            "prior_scale_b": ("scale", np.full(len(scales), b)),
        },
        coords={
            "row": labels, "row_": labels, "scale": scales, **names,
            "with_therapy": ("row", rows["therapy"].to_numpy(float)),
            **{c: ("row", rows[c].to_numpy(str)) for c in ("trial", "arm", "kind", "role", "study_drug", "condition", "construct")},
        },
    )  # fmt: skip
    return dataset.assign_attrs(attrs | {"data_hash": data_hash(dataset), "scale": str(rows["unit"].iloc[0])})


def differences_covariance(rows: pd.DataFrame) -> Stored:
    r"""Sampling covariance: independent arms; differences of one trial share the error of the arms they have in common.

    With :math:`z_a` one standard error for each arm of the trial, a difference of the arms a and c has the error
    :math:`se (\sqrt{p_a} z_a - \sqrt{p_c} z_c)`, p being each arm's part of its variance: the share of people outside it, or
    half where arm sizes are not reported. The covariance is positive when the common arm stands on the same side.

    Raises
    ------
    ValueError
        Differences of one trial that follow from one another: three arms give two differences, not three, and two arms give
        one, in whichever direction it is written.
    """
    se = rows["se"].to_numpy(float)
    found = [(np.arange(len(se)), np.arange(len(se)), se**2)]
    contrast = np.flatnonzero((rows["kind"] == "contrast").to_numpy())
    several = {
        trial: contrast[here] for trial, here in rows_by(rows["trial"].to_numpy()[contrast]).items() if len(here) > 1
    }
    first, second, n_first, n_second = (
        rows[c].tolist() if several else [] for c in ("arm", "reference_arm", "n_arm", "n_reference")
    )
    problems = []
    for trial, group in sorted(several.items()):
        arms = sorted({*(first[i] for i in group), *(second[i] for i in group)})
        signs, parts = np.zeros((len(group), len(arms))), np.zeros((len(group), len(arms)))
        for i, row in enumerate(group):
            own, reference = arms.index(first[row]), arms.index(second[row])
            signs[i, own], signs[i, reference] = 1, -1
            parts[i, own] = share_of_variance(n_first[row], n_second[row])
            parts[i, reference] = 1 - parts[i, own]
        if np.linalg.matrix_rank(signs) < len(group):
            labels = "; ".join(rows["label"].to_numpy()[group])
            problems.append(f"trial '{trial}': its differences follow from one another ({labels}); leave one out")
        error = signs * np.sqrt(parts) * se[group, None]
        shared = error @ error.T
        shared[np.diag_indices(len(group))] = 0.0  # the variances are there already
        place, other = np.nonzero(shared)
        found.append((group[place], group[other], shared[place, other]))
    if problems:
        raise ValueError("nothing was fitted:\n" + "\n".join(problems))
    row, column, value = (np.concatenate(part) for part in zip(*found, strict=True))
    return stored(csr_array((value, (row, column)), shape=(len(se), len(se))))


def share_of_variance(own: float, other: float) -> float:
    """Part of a difference's variance that comes from its first arm."""
    return float(other / (own + other)) if own > 0 and other > 0 else 0.5
