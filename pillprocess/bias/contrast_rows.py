"""Differences of a drug and its control, one row each, checked once: what every model of bias reads."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

type Array = NDArray[np.float64]

LIMITS = ("ci_low", "ci_high")
Z95 = 1.959964


@dataclass(frozen=True)
class Contrasts:
    """Checked contrasts: what was found, how surely, against how many, and which belong together.

    Attributes
    ----------
    y : array (row,)
        Differences, negative favours the drug.
    covariance : array (row, row)
        Sampling covariance; zero between trials.
    n_arm, n_reference : array (row,)
        People of the arm and of its control; nan where not known.
    dose : array (row,)
        Dose less the control's dose, 1 at the reference dose.
    trial, drug, label : array (row,)
    """

    y: Array
    covariance: Array
    n_arm: Array
    n_reference: Array
    dose: Array
    trial: NDArray[np.str_]
    drug: NDArray[np.str_]
    label: NDArray[np.str_]

    @property
    def se(self) -> Array:
        """Standard errors (row,)."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def size(self) -> Array:
        """sqrt(1 / n of the arm + 1 / n of its control) (row,); nan where either is not known."""
        return np.sqrt(1 / self.n_arm + 1 / self.n_reference)

    @property
    def unit(self) -> NDArray[np.str_]:
        """What is printed or not, and has one deviation (row,): the trial, or the trial's part with one drug where it gave two."""
        pairs = set(zip(self.trial.tolist(), self.drug.tolist(), strict=True))
        several = {t for t, _ in pairs if sum(t == other for other, _ in pairs) > 1}
        return np.array(
            [f"{t}: {d}" if t in several else t for t, d in zip(self.trial.tolist(), self.drug.tolist(), strict=True)]
        )

    def take(self, keep: NDArray[np.bool_] | NDArray[np.int64]) -> "Contrasts":
        """The contrasts of some rows."""
        which = np.flatnonzero(keep) if keep.dtype == bool else keep
        vectors = (getattr(self, name)[which] for name in ("n_arm", "n_reference", "dose", "trial", "drug", "label"))
        return Contrasts(self.y[which], self.covariance[np.ix_(which, which)], *vectors)


def read_contrasts(rows: pd.DataFrame, *, covariance: Array | None = None, favours: str = "negative") -> Contrasts:
    """Check a table of contrasts and put it in order.

    Parameters
    ----------
    rows
        ``y``, with ``se``, or ``ci_low`` and ``ci_high`` (95 %), or in SD units ``n_arm`` and ``n_reference``. May have
        ``trial`` (each row its own by default), ``drug``, ``dose`` (1 by default), ``label``, ``reference_arm`` and
        ``reference_variance`` (the part of the variance that comes from the control arm).
    covariance
        Sampling covariance (row, row), in place of what the columns say.
    favours
        ``"negative"`` or ``"positive"``: the sign of ``y`` that favours the treatment.

    Returns
    -------
    Contrasts, with signs turned so that negative favours the treatment.

    Raises
    ------
    ValueError
        Effects that are not finite, or without interval and sizes; standard errors not above 0; intervals that do not hold
        their estimate; rows of one trial whose common error cannot be told. All at once, by label.
    """
    if favours not in ("negative", "positive"):
        raise ValueError(f"favours = {favours!r}; it must be 'negative' or 'positive'")
    if "y" not in rows or rows.empty:
        raise ValueError("nothing was fitted: the table of contrasts has no column y, or no row")
    rows = rows.reset_index(drop=True)
    label = _labels(rows)
    y, problems = _numbers(rows, "y"), []
    problems += [f"{label[i]}: y is blank or not finite" for i in np.flatnonzero(~np.isfinite(y))]
    low, high = (_numbers(rows, name) for name in LIMITS)
    outside = (low > y) | (high < y) | (low >= high)
    problems += [
        f"{label[i]}: the interval [{low[i]:g}, {high[i]:g}] does not hold its estimate {y[i]:g}"
        for i in np.flatnonzero(outside)
    ]
    n_arm, n_reference = _numbers(rows, "n_arm"), _numbers(rows, "n_reference")
    problems += [
        f"{label[i]}: {name} = {n[i]:g}; an arm needs more than 0 people"
        for name, n in (("n_arm", n_arm), ("n_reference", n_reference))
        for i in np.flatnonzero(n <= 0)
    ]
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.sqrt(1 / n_arm + 1 / n_reference)
        from_n = np.sqrt(size**2 + y**2 / (2 * (n_arm + n_reference)))
    se = _numbers(rows, "se")
    se = np.where(np.isnan(se), (high - low) / (2 * Z95), se)
    se = np.where(np.isnan(se), from_n, se)
    if covariance is not None:
        covariance = np.asarray(covariance, float)
        if covariance.shape != (len(rows), len(rows)) or not np.allclose(covariance, covariance.T):
            raise ValueError(f"nothing was fitted: covariance must be symmetric, {len(rows)} x {len(rows)} as the rows")
        se = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    problems += [
        f"{label[i]}: an effect with no interval, no standard error and no n of both arms"
        for i in np.flatnonzero(np.isnan(se) & ~outside)
    ]
    problems += [
        f"{label[i]}: se = {se[i]:g}; a standard error must be finite and > 0"
        for i in np.flatnonzero((se <= 0) | np.isinf(se))
    ]
    trial = rows["trial"].to_numpy(str) if "trial" in rows else label
    drug = rows["drug"].to_numpy(str) if "drug" in rows else np.full(len(rows), "all")
    dose = _numbers(rows, "dose") if "dose" in rows else np.ones(len(rows))
    problems += [
        f"{label[i]}: dose = {dose[i]:g}; the arm must get more of the drug than its control"
        for i in np.flatnonzero(~(dose > 0))
    ]
    if covariance is None:
        covariance, lacking = _shared_error(rows, se, trial, label, n_arm, n_reference)
        problems += lacking
    if not problems:
        problems += _not_positive(covariance, trial)
    if problems:
        raise ValueError("nothing was fitted:\n" + "\n".join(problems))
    order = np.argsort(np.array([{t: i for i, t in reversed(list(enumerate(trial)))}[t] for t in trial]), kind="stable")
    sign = 1.0 if favours == "negative" else -1.0
    return Contrasts(sign * y, covariance, n_arm, n_reference, dose, trial, drug, label).take(order)


def small_study_predictor(data: Contrasts, by: str) -> Array:
    """What small-study terms grow with (row,): the standard error, or sqrt(1/n + 1/n) alone.

    Raises
    ------
    ValueError
        An unknown name, or a size that is not known.
    """
    if by == "se":
        return data.se
    if by != "size":
        raise ValueError(f"by = {by!r}; it must be 'se' or 'size'")
    lacking = data.label[~np.isfinite(data.size)]
    if len(lacking):
        raise ValueError("nothing was fitted: by='size' needs n of both arms, not known for " + ", ".join(lacking))
    return data.size


def largest_trials(data: Contrasts) -> list[str]:
    """The fewest trials that hold half of the information 1 / se^2, by each trial's most precise contrast."""
    names = np.array(list(dict.fromkeys(data.trial.tolist())))
    information = np.array([(1 / data.se[data.trial == name] ** 2).max() for name in names])
    order = np.argsort(-information, kind="stable")
    share = np.cumsum(information[order]) / information.sum()
    return [str(name) for name in names[order][: int((share < 0.5).sum()) + 1]]


def _labels(rows: pd.DataFrame) -> NDArray[np.str_]:
    if "label" in rows:
        return rows["label"].to_numpy(str)
    if "trial" in rows and not rows["trial"].duplicated().any():
        return rows["trial"].to_numpy(str)
    return np.array([f"row {i + 1}" for i in range(len(rows))])


def _numbers(rows: pd.DataFrame, name: str) -> Array:
    return rows[name].to_numpy(float) if name in rows else np.full(len(rows), np.nan)


def _shared_error(
    rows: pd.DataFrame, se: Array, trial: NDArray[np.str_], label: NDArray[np.str_], n_arm: Array, n_reference: Array
) -> tuple[Array, list[str]]:
    """Covariance of contrasts that share a control: the variance of that control, as each of the two knows it."""
    covariance, problems = np.diag(se**2), []
    known = _numbers(rows, "reference_variance")
    with np.errstate(invalid="ignore"):
        part = np.where(np.isnan(known), se**2 * n_arm / (n_arm + n_reference), known)
    part = np.where(np.isnan(part), 0.5 * se**2, part)
    for name in dict.fromkeys(trial):
        here = np.flatnonzero(trial == name)
        if len(here) == 1:
            continue
        if "reference_arm" not in rows:
            problems.append(
                f"trial '{name}': {len(here)} rows ({', '.join(label[here])}); give reference_arm, the control that they share, "
                "or their covariance"
            )
            continue
        control = rows["reference_arm"].to_numpy(str)
        for i in here:
            for k in here:
                if i != k and control[i] == control[k]:
                    covariance[i, k] = np.sqrt(part[i] * part[k])
    return covariance, problems


def _not_positive(covariance: Array, trial: NDArray[np.str_]) -> list[str]:
    blocks = {name: np.flatnonzero(trial == name) for name in dict.fromkeys(trial)}
    between = covariance[trial[:, None] != trial[None, :]]
    problems = ["covariance: rows of different trials are correlated"] if between.any() else []
    for name, here in blocks.items():
        scale = np.sqrt(np.diag(covariance)[here])
        if np.linalg.eigvalsh(covariance[np.ix_(here, here)] / np.outer(scale, scale))[0] < 1e-9:
            problems.append(f"trial '{name}': its contrasts follow from one another; leave one out")
    return problems
