"""Fitting: one call, two routes, and a check that stops at a fit that cannot be trusted."""

import itertools
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.inference.interruptions import interruptions
from pillprocess.output.kinds import need

if TYPE_CHECKING:
    import pymc as pm

Route = Literal["exact", "sampler"]


class ConvergenceError(RuntimeError):
    """A fit did not converge; ``report`` is the table of the quantities that failed."""

    def __init__(self, message: str, report: pd.DataFrame) -> None:
        super().__init__(message)
        self.report = report

    def __reduce__(self) -> "tuple[type[ConvergenceError], tuple[str, pd.DataFrame], dict[str, object]]":
        return type(self), (str(self), self.report), self.__dict__


def fit(
    model: "pm.Model | xr.Dataset",
    *,
    seed: int,
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    target_accept: float = 0.95,
    route: Route | None = None,
    progress: bool = False,
    by_row: bool | None = None,
) -> xr.DataTree:
    """Fit a model or a design.

    Parameters
    ----------
    model
        A ``pm.Model``, which is sampled, or a design Dataset, which takes the closed-form route.
    seed
        Seed of the draws.
    draws, tune, chains, target_accept
        Per-chain draws, and the sampler's tuning draws, chains and acceptance target.
    route
        ``"exact"`` or ``"sampler"``; by default exact for a design and sampler for a ``pm.Model``.
    progress
        Show the sampler's progress bar.
    by_row
        Of the exact route: whether to draw the groups that have a number for every row and draw, ``log_likelihood``,
        ``posterior_predictive`` and ``prior_predictive``. By default where each takes 128 MiB at most; a warning says so if not.

    Returns
    -------
    DataTree with ``posterior``, ``log_likelihood``, ``posterior_predictive``, ``observed_data`` and, for a design, ``prior``,
    ``prior_predictive``, ``log_prior`` and ``constant_data`` holding the design. A model with a ``pm.Potential`` has no log-likelihood
    by observation and no predictive draws. Its attributes name route, library versions, seed and data hash.

    Raises
    ------
    ValueError
        The exact route was asked for a model that has no design.

    Warns
    -----
    UserWarning
        The groups by row were left out, as they would fill the memory.

    Examples
    --------
    >>> import pillprocess as pp
    >>> evidence = pp.load_evidence()
    >>> arms = pp.arm_changes(evidence)
    >>> contrasts = pp.contrasts(evidence, besides=arms)
    >>> idata = pp.fit(pp.decomposition_design(arms, contrasts), seed=1)
    >>> idata["posterior"].sizes["chain"], idata["posterior"].sizes["drug"]
    (4, 5)
    >>> bool(idata["posterior"].dataset["delta"].mean() < 0)
    True
    """
    if not isinstance(model, xr.Dataset) and not hasattr(model, "free_RVs"):
        raise ValueError(f"a pm.Model or a design is fitted, such as mediation(people); got a {type(model).__name__}")
    design = model if isinstance(model, xr.Dataset) else getattr(model, "design", None)
    route = route or ("exact" if isinstance(model, xr.Dataset) else "sampler")
    if route == "exact":
        if design is None:
            raise ValueError(
                "route='exact' needs a design of Gaussian rows; this pm.Model has none, so use route='sampler'"
            )
        from pillprocess.gaussian.fit import fit_exact

        return fit_exact(design, seed=seed, draws=draws, chains=chains, by_row=by_row)
    if route != "sampler":
        raise ValueError(f"route = {route!r}; it must be 'exact' or 'sampler'")
    with interruptions() as check:
        from pillprocess.inference.sampling import sample

        if isinstance(model, xr.Dataset):
            from pillprocess.gaussian.model import gaussian_model

            model = gaussian_model(model)
        check()
        return sample(
            model, seed=seed, draws=draws, tune=tune, chains=chains, target_accept=target_accept, progress=progress
        )


def check_fit(idata: xr.DataTree, *, max_r_hat: float = 1.01, min_ess: float = 400.0) -> pd.DataFrame:
    """Return the convergence table, or raise if the fit cannot be trusted.

    Parameters
    ----------
    idata
        A fitted DataTree.
    max_r_hat, min_ess
        Largest rank-normalised R-hat and smallest bulk or tail effective sample size that pass (Vehtari et al. 2021,
        doi:10.1214/20-BA1221).

    Returns
    -------
    DataFrame indexed by parameter: ``r_hat``, ``ess_bulk``, ``ess_tail``; ``attrs["divergences"]``.

    Raises
    ------
    ConvergenceError
        Divergences, R-hat or effective sample size out of bounds, or draws that are not finite; carries the table.
    """
    need(idata, xr.DataTree, "a fit, from fit(model)")
    need(idata.children.get("posterior"), xr.DataTree, "a fit with a posterior, from fit(model)")
    import arviz as az

    posterior = idata["posterior"].dataset
    helper = [v for v in posterior.data_vars if str(v).endswith("_raw") and str(v)[:-4] in posterior]
    posterior = posterior.drop_vars(helper)  # the same draws in another unit
    infinite = [str(v) for v in posterior.data_vars if not np.isfinite(posterior[v]).all()]
    with np.errstate(divide="ignore", invalid="ignore"):
        columns = {
            "r_hat": az.rhat(posterior), "ess_bulk": az.ess(posterior), "ess_tail": az.ess(posterior, method="tail")
        }  # fmt: skip
    table = pd.DataFrame({name: _flatten(values) for name, values in columns.items()}).rename_axis("parameter")
    divergences = int(idata["sample_stats"]["diverging"].sum()) if "sample_stats" in idata.children else 0
    table.attrs["divergences"] = divergences
    passed = (table["r_hat"] <= max_r_hat) & (table["ess_bulk"] >= min_ess) & (table["ess_tail"] >= min_ess)
    # what never moves is a constant of the model; figures that are missing do not pass
    span = _flatten(posterior.max(("chain", "draw"), skipna=False) - posterior.min(("chain", "draw"), skipna=False))
    failed = table[(span > 0) & ~passed]
    problems = [f"{v}: draws that are not finite" for v in infinite]
    if divergences:
        problems.append(f"{divergences} divergent transitions; raise target_accept or simplify the model")
    problems += [
        f"{p}: R-hat {row.r_hat:.3f}, bulk ESS {row.ess_bulk:.0f}, tail ESS {row.ess_tail:.0f}; draw longer chains"
        for p, row in failed.iterrows()
    ]
    if problems:
        raise ConvergenceError("the fit did not converge and no result was made of it:\n" + "\n".join(problems), table)
    return table


def _flatten(values: xr.Dataset) -> pd.Series:
    """One number per scalar parameter, named like ``v[psilocybin]``."""
    values = values.dataset if isinstance(values, xr.DataTree) else values
    out: dict[str, float] = {}
    for name, array in values.data_vars.items():
        if array.ndim == 0:
            out[str(name)] = float(array)
            continue
        labels = itertools.product(*(array[d].to_numpy() for d in array.dims))
        for label, value in zip(labels, array.to_numpy().ravel(), strict=True):
            out[f"{name}[{', '.join(map(str, label))}]"] = float(value)
    return pd.Series(out)
