r"""Baselines that were not measured, drawn from a joint normal model given everything seen of the person.

Baselines x and what was measured after treatment z (mediators and outcomes) of a person in arm a are

.. math:: x \sim N(\mu, \Sigma_x), \qquad z \mid x, a \sim N(\alpha_a + \Gamma^\top x, \Sigma_{z \cdot x}),

one normal distribution in which the arm moves z alone: treatment was randomised. Means have flat priors. The covariance of
(x, z), p columns in units of their SDs, is inverse-Wishart(p + 2, I), which has mean I and weighs as one person. Its factors are
those of the two regressions, so each is drawn exactly, in turn with the missing values: data augmentation (Tanner & Wong 1987,
doi:10.1080/01621459.1987.10478458; Schafer 1997, ISBN 9780412040610, chapter 5). Within arms, :math:`\Gamma` and
:math:`\Sigma_{z \cdot x}` are each arm's own.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from pillprocess.mediation.imputing import alike, draw_given
from pillprocess.participants.checks import number_problems, role_problems
from pillprocess.participants.coding import labels, numbers
from pillprocess.participants.frames import plain_frame


def impute_baselines(
    table: pd.DataFrame,
    *,
    baselines: Sequence[str],
    arm: str,
    others: Sequence[str],
    seed: int,
    m: int = 20,
    by_arm: bool = False,
    randomised: bool = True,
    burn: int = 200,
    sweeps: int = 20,
) -> list[pd.DataFrame]:
    """Draw missing baselines of participants, m times.

    Assumed: whether a baseline is missing depends on what was seen alone, and the columns are about normal with straight lines
    between them, as in the linear mediation models. Clusters are not in it. Fit each table, and pool the fits.

    Parameters
    ----------
    table
        One row per participant of one trial; missing is a blank, not a code such as 99.
    baselines
        Every numeric baseline covariate of the analysis; those without a blank inform the others, and may be 0 and 1.
    arm
        Column of the arm.
    others
        Every mediator, and the outcome at every visit. They may have blanks, which stay: the models integrate them out.
    seed
        Seed of the draws.
    m
        Tables wanted.
    by_arm
        Let mediators and outcomes depend on the baselines, and on each other, in each arm's own way. Right where the analysis has an
        interaction of treatment with mediator or covariate: draws that know of none bias it and the slopes beside it. It needs more
        people. An interaction of mediator and covariate is known to neither.
    randomised
        False lets the means of the baselines differ by arm, as in an observational table; their covariance is common.
    burn, sweeps
        Sweeps before the first table, and from one table to the next.

    Returns
    -------
    m copies of the table with the baselines filled in. Each says so in ``attrs["said"]``, which `load_participants` repeats as a note.

    Raises
    ------
    ValueError
        Columns that are absent, no numbers, constant, or with too few people; a missing baseline of two values; nothing missing.

    Examples
    --------
    >>> tables = impute_baselines(trial, baselines=["bdi_0"], arm="arm", others=["meq", "bdi_6"], seed=1)  # doctest: +SKIP
    >>> people = [load_participants(t, treatment="arm", mediators="meq", outcome="bdi_6", baseline="bdi_0")
    ...           for t in tables]  # doctest: +SKIP
    >>> pooled = pool_imputed_fits([fit(mediation(p), seed=1) for p in people])  # doctest: +SKIP
    """
    table, said, problems = plain_frame(table)
    problems = problems or _problems(table, list(baselines), arm, list(others), m, by_arm, min(burn, sweeps))
    if problems:
        raise ValueError("\n".join([*problems, "nothing was imputed"]))
    columns = [*baselines, *others]
    group = labels(table[arm])
    arms = sorted(group.unique())
    A = (group.to_numpy()[:, None] == arms).astype(float)
    values = numbers(table[columns])
    scale = (values - values.groupby(group).transform("mean")).std().to_numpy()
    centre = values.mean().to_numpy()
    seen, rng = values.notna().to_numpy(), np.random.default_rng(seed)
    V = np.where(seen, (values.to_numpy() - centre) / scale, 0.0)
    patterns = [rows for rows in alike(*([A] if by_arm else []), seen) if not seen[rows[0]].all()]
    blanks = int((~seen[:, : len(baselines)]).sum())
    filled: list[pd.DataFrame] = []
    for sweep in range(burn + m * sweeps):
        mean, covariance = draw_normal(V, A, len(baselines), rng, by_arm=by_arm, randomised=randomised)
        expected = A @ mean
        for rows in patterns:
            own = covariance[A[rows[0]].argmax()]
            V[rows] = draw_given(expected[rows], own, V[rows], seen[rows[0]], rng)
        if sweep >= burn and (sweep - burn) % sweeps == sweeps - 1:
            one = table.copy()
            for k in np.flatnonzero(~seen[:, : len(baselines)].all(axis=0)):
                one[columns[k]] = np.where(seen[:, k], values[columns[k]], V[:, k] * scale[k] + centre[k])
            note = f"{blanks} missing baselines ({', '.join(baselines)}) are draws of a normal model: table {len(filled) + 1} of {m}"
            one.attrs["said"] = [*said, note]
            filled.append(one)
    return filled


def draw_normal(
    V: np.ndarray, A: np.ndarray, count: int, rng: np.random.Generator, *, by_arm: bool, randomised: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Draw means (arm, column) and covariances (arm, column, column) given complete values V (person, column) and arms A (person, arm).

    The first count columns are baselines.
    """
    K, p = A.shape[1], V.shape[1]
    X, Z = V[:, :count], V[:, count:]
    mu, S_x = _regression(np.ones((len(V), 1)) if randomised else A, X, 0, count + 2, rng)
    mu = np.broadcast_to(mu, (K, count))
    mean, covariance = np.empty((K, p)), np.empty((K, p, p))
    for k in np.arange(K)[:, None] if by_arm else [np.arange(K)]:
        rows = A[:, k].any(axis=1)
        coefficients, S_z = _regression(np.hstack([A[rows][:, k], X[rows]]), Z[rows], count, p + 2, rng)
        alpha, slope = coefficients[: len(k)], coefficients[len(k) :]
        cross = S_x @ slope
        mean[k] = np.hstack([mu[k], alpha + mu[k] @ slope])
        covariance[k] = np.block([[S_x, cross], [cross.T, slope.T @ cross + S_z]])
    return mean, covariance


def _regression(
    D: np.ndarray, Y: np.ndarray, slopes: int, df: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw coefficients and residual covariance of Y on D; the last slopes of D have precision 1, the others flat priors."""
    flat = D.shape[1] - slopes
    precision = D.T @ D + np.diag([0.0] * flat + [1.0] * slopes)
    mean = np.linalg.solve(precision, D.T @ Y)
    scale = np.eye(Y.shape[1]) + Y.T @ Y - mean.T @ precision @ mean
    S = np.atleast_2d(stats.invwishart.rvs(df + len(Y) - flat, scale, random_state=rng))
    noise = np.linalg.solve(np.linalg.cholesky(precision).T, rng.standard_normal(mean.shape))
    return mean + noise @ np.linalg.cholesky(S).T, S


def _problems(
    table: pd.DataFrame, baselines: list[str], arm: str, others: list[str], m: int, by_arm: bool, fewest: int
) -> list[str]:
    """Sentences that say what is wrong with a table whose baselines are to be imputed."""
    problems = [] if m >= 2 and fewest >= 1 else [
        f"m = {m}, burn and sweeps of {fewest} or more: two tables or more are pooled, and each of burn and sweeps is 1 or more"
    ]  # fmt: skip
    if not baselines or not others:
        problems.append(
            "baselines and others: name one of each or more; draws that do not know the outcome pull its slope on the baseline to 0"
        )
    problems += role_problems(table, {"baseline": baselines, "arm": [arm], "other": others}, [])
    if problems:
        return problems
    if blank := list(table.index[table[arm].isna()]):
        problems.append(
            f"column {arm!r}: the arm is missing on row {blank[0]} ({len(blank)} in all); arms are not imputed"
        )
    wordy = [
        c for c in baselines if pd.to_numeric(table[c].astype(object), errors="coerce").count() == 0 < table[c].count()
    ]
    two = [c for c in baselines if c not in wordy and table[c].isna().any() and table[c].nunique() == 2]
    problems += [
        f"column {c!r}: a baseline of words; give it as columns of 0 and 1 where it is complete. Where it has blanks, draw it from a "
        "logistic model (mice: logreg, polyreg) or set those people aside"
        for c in wordy
    ]
    problems += [
        f"column {c!r}: a baseline of two values that is missing for {table[c].isna().sum()} people; a normal draw would be neither of the "
        "two. Draw it from a logistic model (mice: logreg), and pool, or set those people aside"
        for c in two
    ]
    problems += number_problems(table, [c for c in [*baselines, *others] if c not in wordy])
    if problems:
        return problems
    values, group = numbers(table[[*baselines, *others]]), labels(table[arm])
    problems += [
        f"column {c!r}: missing in everybody, so there is nothing to learn it from" if values[c].count() == 0
        else f"column {c!r} does not vary within any arm; leave it out"
        for c in values if not (values[c].groupby(group).nunique() > 1).any()
    ]  # fmt: skip
    never = values[others].groupby(group).count()
    problems += [
        f"column {c!r} was never observed in arm {a!r}, so its mean there is unknown" for c in others for a in never.index
        if never.loc[a, c] == 0 < values[c].count()
    ]  # fmt: skip
    counts = values.dropna(how="all").groupby(group).size()
    have, need = (counts.min(), values.shape[1] + 1) if by_arm else (counts.sum(), values.shape[1] + len(counts))
    if have <= need:
        where = "in the smallest arm" if by_arm else "in the table"
        problems.append(
            f"{have} people {where} and {values.shape[1]} columns: more than {need} people are needed; name fewer columns"
        )
    if values[baselines].notna().all(axis=None):
        problems.append("no baseline is missing: use the table as it is")
    return problems
