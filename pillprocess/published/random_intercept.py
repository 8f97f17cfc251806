"""The linear mixed model with one random intercept, by restricted maximum likelihood."""

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar


def random_intercept_reml(y: pd.Series, X: pd.DataFrame, *, person: pd.Series) -> pd.DataFrame:
    r"""Estimate fixed effects when rows of one person share a random intercept.

    .. math:: y_{ij} = x_{ij}'\beta + u_j + e_{ij}, \qquad u_j \sim N(0, \lambda\sigma^2), \quad e_{ij} \sim N(0, \sigma^2)

    Given :math:`\lambda`, with :math:`w_j = \lambda / (1 + \lambda n_j)` and sums over the rows of person j,

    .. math:: A = X'X - \sum_j w_j s_j s_j', \quad b = X'y - \sum_j w_j s_j t_j, \quad
        \hat\beta = A^{-1} b, \quad (N - p)\hat\sigma^2 = y'y - \sum_j w_j t_j^2 - b'\hat\beta

    and :math:`\lambda` minimises :math:`(N - p)\log\hat\sigma^2 + \sum_j \log(1 + \lambda n_j) + \log|A|`. These are the
    estimates of ``lmer(y ~ X + (1 | person))``.

    Parameters
    ----------
    y
        Outcomes, one per row, none missing.
    X
        Design columns besides the intercept, none missing; they share the index of ``y``.
    person
        Whose row it is.

    Returns
    -------
    DataFrame indexed by term (``intercept`` first): ``estimate``, ``se``; ``attrs`` holds ``sigma``, ``tau`` (SDs of
    residual and intercept), ``n`` and ``people``.

    Raises
    ------
    ValueError
        Missing cells, or columns that determine one another.

    References
    ----------
    Bates et al. 2015, doi:10.18637/jss.v067.i01.
    """
    table = X.assign(**{"(y)": y, "(person)": person})
    if table.isna().to_numpy().any():
        absent = table.isna().sum()
        raise ValueError(f"missing cells: {absent[absent > 0].to_dict()}; leave these rows out before fitting")
    design = np.column_stack([np.ones(len(X)), X.to_numpy(float)])
    N, p = design.shape
    if np.linalg.matrix_rank(design) < p:
        raise ValueError(f"the columns {', '.join(map(str, X.columns))} and the intercept determine one another")
    outcome, group = y.to_numpy(float), pd.factorize(person)[0]
    n = np.bincount(group)
    s, t = np.zeros((len(n), p)), np.bincount(group, outcome)
    np.add.at(s, group, design)

    def solve(ratio: float) -> tuple[np.ndarray, np.ndarray, float, float]:
        w = ratio / (1 + ratio * n)
        A = design.T @ design - (s * w[:, None]).T @ s
        b = design.T @ outcome - (s * w[:, None]).T @ t
        beta = np.linalg.solve(A, b)
        variance = float(outcome @ outcome - w @ t**2 - b @ beta) / (N - p)
        deviance = (N - p) * np.log(variance) + np.log1p(ratio * n).sum() + np.linalg.slogdet(A)[1]
        return beta, A, variance, float(deviance)

    log_ratio = minimize_scalar(
        lambda x: solve(np.exp(x))[3], bounds=(-15, 10), method="bounded", options={"xatol": 1e-9}
    ).x
    beta, A, variance, _ = solve(np.exp(log_ratio))
    se = np.sqrt(variance * np.diag(np.linalg.inv(A)))
    result = pd.DataFrame(
        {"estimate": beta, "se": se}, index=pd.Index(["intercept", *map(str, X.columns)], name="term")
    )
    tau = float(np.sqrt(variance * np.exp(log_ratio)))
    result.attrs = {"sigma": float(np.sqrt(variance)), "tau": tau, "n": N, "people": len(n)}
    return result
