"""Fit the time course by quadrature over its rates, with everything linear in closed form."""

import numpy as np
import pandas as pd
import xarray as xr

import pillprocess
from pillprocess.gaussian.fit import fit_exact, integrate
from pillprocess.gaussian.pooled_rates import (
    Piece,
    RatePriors,
    draw_rates,
    group_sums,
    prior_rates,
    rate_nodes,
    shared_log_weight,
    without_each_trial,
)
from pillprocess.gaussian.quadrature import log_sum
from pillprocess.timecourse.model import PRIORS, time_course_design
from pillprocess.timecourse.rows import error_covariance, time_contrasts, with_relapse
from pillprocess.timecourse.shapes import KNOTS, RATED, RISE_WEIGHT, RISES, Shape, check_shape, share_left
from pillprocess.timecourse.stretches import Doses, check_doses, drug_left

CORRELATIONS = (0.02, 0.1017, 0.2372, 0.4083, 0.5917, 0.7628, 0.8983, 0.98)
"""Gauss-Legendre nodes of the uniform prior of rho, for the shape without a rate."""
COARSE = 0.2


def fit_time_course(
    rows: pd.DataFrame,
    *,
    relapse: pd.DataFrame | None = None,
    shape: Shape = "decay",
    seed: int,
    draws: int = 2000,
    dose_shape: str = "linear",
    doses: Doses = "last",
    prior_half_life: float = PRIORS["half_life"],
    prior_log_half_life_sd: float = PRIORS["log_half_life_sd"],
    prior_spread_sd: float = PRIORS["spread_sd"],
    prior_therapy_rate_sd: float = PRIORS["therapy_rate_sd"],
    prior_size_sd: float = PRIORS["size_sd"],
    prior_interaction_sd: float = PRIORS["interaction_sd"],
    prior_tau_sd: float = PRIORS["tau_sd"],
) -> xr.DataTree:
    """Fit the model of :func:`pillprocess.time_course` without sampling.

    Parameters
    ----------
    rows, relapse, shape, dose_shape, doses
        As in :func:`pillprocess.time_course_design`.
    seed
        Seed of the draws.
    draws
        Independent draws of the posterior, and of the prior.
    prior_half_life, prior_log_half_life_sd, prior_spread_sd, prior_therapy_rate_sd
        As in :func:`pillprocess.time_course`.
    prior_size_sd, prior_interaction_sd, prior_tau_sd
        As in :func:`pillprocess.time_course_design`.

    Returns
    -------
    DataTree with the groups ``posterior`` and ``prior`` (one chain), ``constant_data`` (the differences), and attribute
    ``log_marginal_likelihood``.

    Raises
    ------
    ValueError
        An unknown shape.
    """
    check_shape(shape)
    check_doses(doses)
    table = with_relapse(time_contrasts(rows), relapse)
    priors = _priors(
        shape, prior_half_life, prior_log_half_life_sd, prior_spread_sd, prior_therapy_rate_sd, prior_size_sd, prior_interaction_sd,
        prior_tau_sd
    )  # fmt: skip
    rng = np.random.default_rng(seed)
    drugs = sorted(set(table["drug"]))
    if shape == "piecewise":
        posterior, prior, evidence = _piecewise(rows, relapse, drugs, dose_shape, doses, priors, seed, draws)
    else:
        nodes = rate_nodes(priors) if shape in RATED else rate_nodes(priors, spacing=1.0)
        pieces = time_pieces(table, shape, dose_shape, nodes.wide, doses=doses)
        groups = [group_sums([p for p in pieces if p.group == drug], nodes, priors) for drug in drugs]
        weight = shared_log_weight(groups, nodes, priors)
        evidence = float(log_sum(weight.ravel()))
        posterior = _dataset(draw_rates(groups, nodes, weight, draws=draws, rng=rng), drugs, shape)
        prior = _dataset(prior_rates(priors, groups=len(drugs), draws=draws, rng=rng), drugs, shape)
    attrs = {
        "route": "quadrature", "inference_library": "pillprocess", "inference_library_version": pillprocess.__version__, "seed": seed,
        "shape": shape, "dose_shape": dose_shape, "doses": doses, "log_marginal_likelihood": evidence,
    }  # fmt: skip
    kept = table.astype({c: str for c in table.columns if table[c].dtype == object or str(table[c].dtype) == "str"})
    return xr.DataTree.from_dict(
        {
            "/": xr.Dataset(attrs=attrs),
            "/posterior": posterior,
            "/prior": prior,
            "/constant_data": xr.Dataset({c: ("row", kept[c].to_numpy()) for c in kept.columns if c != "label"},
            coords={"row": kept["label"].to_numpy()}),
        }
    )  # fmt: skip


def compare_shapes(
    rows: pd.DataFrame, *, shapes: tuple[Shape, ...] = ("constant", "decay", "rise_decay"), dose_shape: str = "linear"
) -> pd.DataFrame:
    """Compare shapes by how well each predicts every trial from the others.

    Parameters
    ----------
    rows, dose_shape
        As in :func:`pillprocess.time_course_design`.
    shapes
        Names of shapes with a rate or constant; priors are the defaults.

    Returns
    -------
    DataFrame by shape, best first: ``elpd`` (sum over trials of the log density of a trial's rows given all other trials), ``difference``
    from the best with ``se`` (over trials), ``trials``, ``log_marginal_likelihood``. The grid is coarser than the fit's.

    Raises
    ------
    ValueError
        A shape that is not known, or ``"piecewise"``.
    """
    if "piecewise" in shapes:
        raise ValueError(
            "shape 'piecewise' is not compared here; its log marginal likelihood is in fit_time_course(...).attrs"
        )
    table = time_contrasts(rows)
    pointwise, total = {}, {}
    for shape in shapes:
        check_shape(shape)
        priors = default_priors(shape)
        nodes = rate_nodes(priors, spacing=COARSE if shape in RATED else 1.0, fine=False)
        pieces = time_pieces(table, shape, dose_shape, nodes.wide)
        total[shape], without = without_each_trial(pieces, nodes, priors)
        pointwise[shape] = total[shape] - without
    out = pd.DataFrame({"elpd": {s: v.sum() for s, v in pointwise.items()}}).sort_values("elpd", ascending=False)
    best = pointwise[out.index[0]]
    gaps = {s: pointwise[s] - best for s in out.index}
    return out.assign(
        difference=[gaps[s].sum() for s in out.index], se=[np.sqrt(len(best)) * gaps[s].std(ddof=1) for s in out.index],
        trials=len(best), log_marginal_likelihood=[total[s] for s in out.index],
    ).rename_axis("shape").reset_index()  # fmt: skip


def time_pieces(
    table: pd.DataFrame, shape: str, dose_shape: str, rates: np.ndarray, *, doses: Doses = "last"
) -> list[Piece]:
    """Cut differences into trials, each with its curve at every rate."""
    base = error_covariance(table)[0]
    rises = RISES if shape == "rise_decay" else np.ones(1)
    half_lives = np.exp(rates)[None, :, None]

    def left(days: np.ndarray, _: np.ndarray) -> np.ndarray:
        return share_left(shape, days, half_lives, rises[:, None, None])

    pieces = []
    for (trial, drug), place in table.groupby(["trial", "drug"], sort=False).indices.items():
        curves = drug_left(table.iloc[place], dose_shape, left, doses=doses)
        rows = np.ix_(place, place)
        therapy = float(table["therapy"].to_numpy()[place].max())
        pieces.append(
            Piece(
                str(trial), str(drug), therapy, table["y"].to_numpy()[place], base[rows], table["visit"].to_numpy(float)[place],
                np.broadcast_to(curves, (len(rises), len(rates), len(place))),
            )
        )  # fmt: skip
    return pieces


def default_priors(shape: str) -> RatePriors:
    """The default priors of a shape."""
    return _priors(shape, *(PRIORS[name] for name in list(PRIORS)[:-1]))


def _priors(
    shape: str,
    half_life: float,
    log_sd: float,
    spread: float,
    therapy_rate: float,
    size: float,
    interaction: float,
    tau: float,
) -> RatePriors:
    forms = tuple(RISE_WEIGHT) if shape == "rise_decay" else (1.0,)
    return RatePriors(
        float(np.log(half_life)), log_sd, spread, therapy_rate if shape in RATED else 0.0, size, interaction, tau, forms
    )


def _dataset(drawn: dict[str, np.ndarray], drugs: list[str], shape: str) -> xr.Dataset:
    scalar, each = ("chain", "draw"), ("chain", "draw", "drug")
    variables = {
        "delta": (each, drawn["size"][None]), "kappa": (each, drawn["change"][None]), "rho": (scalar, drawn["rho"][None]),
        "tau": (scalar, drawn["tau"][None]),
    }  # fmt: skip
    if shape in RATED:
        variables |= {
            "half_life": (each, np.exp(drawn["rate"])[None]), "eta": (scalar, drawn["eta"][None]),
            "typical_half_life": (scalar, np.exp(drawn["mean"])[None]), "spread": (scalar, drawn["spread"][None]),
        }  # fmt: skip
    if shape == "rise_decay":
        variables["rise"] = (scalar, RISES[drawn["form"]][None])
    return xr.Dataset(variables, coords={"chain": [0], "draw": np.arange(drawn["rho"].size), "drug": drugs})


def _piecewise(
    rows: pd.DataFrame,
    relapse: pd.DataFrame | None,
    drugs: list[str],
    dose_shape: str,
    doses: Doses,
    priors: RatePriors,
    seed: int,
    draws: int,
) -> tuple[xr.Dataset, xr.Dataset, float]:
    """Fit at each node of rho in closed form, and draw from each as often as the data favour it."""
    _, weight = np.polynomial.legendre.leggauss(len(CORRELATIONS))
    designs = [
        time_course_design(
            rows, relapse=relapse, shape="piecewise", correlation=rho, dose_shape=dose_shape, doses=doses, prior_size_sd=priors.size_sd,
            prior_interaction_sd=priors.size_change_sd, prior_tau_sd=priors.tau_sd,
        )
        for rho in CORRELATIONS
    ]  # fmt: skip
    log_density = np.array([integrate(d).log_marginal_likelihood for d in designs]) + np.log(weight / 2)
    share = np.exp(log_density - log_sum(log_density))
    count = np.diff(np.rint(draws * np.append(0, np.cumsum(share))).astype(int))
    parts, priors_ = [], []
    for design, rho, n in zip(designs, CORRELATIONS, count, strict=True):
        if n:
            fit = fit_exact(design, seed=seed, draws=int(n), chains=1)
            parts.append(_knots(fit["posterior"].dataset, drugs).assign(rho=(("chain", "draw"), np.full((1, n), rho))))
            priors_.append(_knots(fit["prior"].dataset, drugs))
    posterior = xr.concat([p.drop_vars("draw") for p in parts], "draw").assign_coords(draw=np.arange(draws))
    return posterior, priors_[0], float(log_sum(log_density))


def _knots(drawn: xr.Dataset, drugs: list[str]) -> xr.Dataset:
    steps = np.stack(
        [
            drawn["step"]
            .sel(drug_day=[f"{d}: {k:g}" for k in KNOTS[1:]])
            .transpose("chain", "draw", "drug_day")
            .to_numpy()
            for d in drugs
        ],
        axis=2,
    )
    first = drawn["delta"].sel(drug=drugs).transpose("chain", "draw", "drug").to_numpy()[..., None]
    knots = np.cumsum(np.concatenate([first, steps], axis=3), axis=3)
    return (
        drawn[["kappa", "tau"]]
        .sel(drug=drugs)
        .assign(knot_effect=(("chain", "draw", "drug", "day"), knots))
        .assign_coords(day=[f"{k:g}" for k in KNOTS])
    )
