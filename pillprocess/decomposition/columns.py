"""The shared description of a Gaussian linear hierarchical model, from which both fitting routes start.

    y = X beta + Z b + e,  e ~ N(0, covariance),  beta_c ~ N(prior_mean_c, prior_sd_c^2),  b_e ~ N(0, tau_s(e)^2)

A design is an xarray Dataset of labelled arrays. Each column of X and Z names the posterior variable it belongs to, the
label along that variable's dim, and the term it contributes to.
"""

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.gaussian.design import data_hash

type Values = pd.Series | np.ndarray


class Columns:
    """Collects the columns of X (coefficients) and Z (effects); a column that is zero in every row is left out."""

    def __init__(self, n_rows: int) -> None:
        self.n_rows = n_rows
        self.coefficients: list[tuple[str, str, str, str, np.ndarray, float]] = []
        self.effects: list[tuple[str, str, str, str, np.ndarray, str]] = []

    def coefficient(self, variable: str, dim: str, label: str, term: str, values: Values, prior_sd: float) -> None:
        """Add a fixed effect with prior Normal(0, prior_sd)."""
        column = np.asarray(values, float)
        if column.any():
            self.coefficients.append((variable, dim, label, term, column, prior_sd))

    def effect(self, variable: str, dim: str, label: str, term: str, values: Values, scale: str) -> None:
        """Add a random effect with the SD named by ``scale``."""
        column = np.asarray(values, float)
        if column.any():
            self.effects.append((variable, dim, label, term, column, scale))


def design_dataset(
    rows: pd.DataFrame,
    columns: Columns,
    covariance: np.ndarray,
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

    def stack(
        collected: list[tuple[str, str, str, str, np.ndarray, float]]
        | list[tuple[str, str, str, str, np.ndarray, str]],
    ) -> np.ndarray:
        return np.column_stack([c[4] for c in collected]) if collected else np.zeros((columns.n_rows, 0))

    def strings(kind: str, position: int) -> np.ndarray:
        collected = columns.coefficients if kind == "coefficient" else columns.effects
        return np.array([c[position] for c in collected], dtype=str)

    labels = rows["label"].to_numpy(str)
    dataset = xr.Dataset(
        {
            "y": ("row", y),
            "covariance": (("row", "row_"), covariance),
            "X": (("row", "coefficient"), stack(columns.coefficients)),
            "Z": (("row", "effect"), stack(columns.effects)),
            "prior_mean": ("coefficient", np.zeros(len(columns.coefficients))),
            "prior_sd": ("coefficient", np.array([c[5] for c in columns.coefficients], float)),
            **{f"{kind}_{what}": (kind, strings(kind, i)) for kind in names for i, what in enumerate(("variable", "dim", "label", "term"))},
            "effect_scale": ("effect", strings("effect", 5)),
            "prior_scale_family": ("scale", np.array([family] * len(scales), dtype=str)),
            "prior_scale_a": ("scale", np.full(len(scales), a)),
            "prior_scale_b": ("scale", np.full(len(scales), b)),
        },
        coords={
            "row": labels, "row_": labels, "scale": scales, **names,
            **{c: ("row", rows[c].to_numpy(str)) for c in ("trial", "arm", "kind", "role", "study_drug", "condition", "construct")},
        },
    )  # fmt: skip
    return dataset.assign_attrs(attrs | {"data_hash": data_hash(dataset), "scale": str(rows["unit"].iloc[0])})


def differences_covariance(rows: pd.DataFrame) -> np.ndarray:
    """Sampling covariance: independent arms; differences of one trial share the error of the arm they have in common.

    The shared arm's variance is its part of the two differences' variances, (share of people outside it) x se^2, their
    geometric mean; where arm sizes are not reported, half of se^2. The covariance is positive when the common arm stands
    on the same side.

    Raises
    ------
    ValueError
        Differences of one trial that follow from one another: three arms give two differences, not three.
    """
    se = rows["se"].to_numpy(float)
    covariance = np.diag(se**2)
    contrast = rows.reset_index(drop=True)[(rows["kind"] == "contrast").to_numpy()]
    problems = []
    for trial, group in contrast.groupby("trial"):
        for i, first in group.iterrows():
            for k, second in group.iterrows():
                if i >= k:
                    continue
                shared = {first["arm"], first["reference_arm"]} & {second["arm"], second["reference_arm"]}
                for arm in shared:
                    parts = [_share(one, arm) * one["se"] ** 2 for one in (first, second)]
                    same_side = (first["arm"] == arm) == (second["arm"] == arm)
                    covariance[i, k] = covariance[k, i] = (1 if same_side else -1) * float(np.sqrt(np.prod(parts)))
        block = covariance[np.ix_(group.index, group.index)] / np.outer(group["se"], group["se"])
        if np.linalg.eigvalsh(block)[0] < 1e-9:
            labels = "; ".join(group["label"])
            problems.append(f"trial '{trial}': its differences follow from one another ({labels}); leave one out")
    if problems:
        raise ValueError("nothing was fitted:\n" + "\n".join(problems))
    return covariance


def _share(row: pd.Series, arm: str) -> float:
    """Part of a difference's variance that comes from one of its arms."""
    own, other = (row["n_arm"], row["n_reference"]) if row["arm"] == arm else (row["n_reference"], row["n_arm"])
    return float(other / (own + other)) if own > 0 and other > 0 else 0.5
