"""What candidate trials are expected to teach, how large they must be, and which teaches most per patient or per cost."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.gaussian.posterior_columns import design_of
from pillprocess.planning.closed_form import DECIDED, MOST, expect, told_apart
from pillprocess.planning.comparisons import NEEDS, check_estimands
from pillprocess.planning.knowledge import Knowledge, knowledge_of
from pillprocess.planning.new_rows import arm_noise, askable, estimand_weights, new_rows, planning_problems
from pillprocess.planning.simulated_information import askable_of_draws, draws_problems, rows_from_draws
from pillprocess.planning.simulated_results import draws_of
from pillprocess.planning.table_columns import COLUMNS, DECISIONS, INTERVAL, LIMIT, SIZES
from pillprocess.planning.trials import PlannedTrial, PlanningError


def expected_information(
    fit: xr.DataTree,
    designs: Iterable[PlannedTrial],
    *,
    estimands: Sequence[str] | Mapping[str, Sequence[str]] | None = None,
    sizes: Sequence[float] = SIZES,
    outcome_sd: float = 1.0,
    bias_sd: float = 0.0,
    prior_scale: float = 1.0,
    draws: int = 512,
    seed: int = 1,
    executor: Executor | None = None,
) -> pd.DataFrame:
    """Compute what each design, at each size, is expected to teach.

    Parameters
    ----------
    fit
        A fit of :func:`pillprocess.decomposition_design`, used in closed form, or of :func:`pillprocess.synthesis`, whose draws are
        used by regression on simulated results (:mod:`pillprocess.planning.regression`). Its priors and its heterogeneity hold for
        the new trial too, which is one more trial of the same kind.
    designs
        From :func:`pillprocess.trial_design`, :func:`pillprocess.named_designs` or :func:`pillprocess.read_designs`.
    estimands
        Names as in :func:`pillprocess.design_ledger`, for all designs or by the name of each; a design must compare arms for what it is
        asked. By default, for each design what it compares.
    sizes
        People per arm randomised, on average over the arms; allocation and dropout are the design's.
    outcome_sd
        SD of people's changes within an arm, in reference SDs: 1.0 in the embedded evidence (median of the arms).
    bias_sd
        SD of an error of each arm's mean that no size removes (unblinding, the blocker's own effect), in reference SDs.
    prior_scale
        Factor on the prior SDs of all terms but the course, before the evidence: 1 as fitted. Of a decomposition only.
    draws
        Results that are simulated for each design and size; a power of 2. The Monte Carlo error of an assurance is below
        ``sqrt(p (1 - p) / draws)``. A synthesis simulates one result from each of its draws.
    seed
        Seed of the results; all sizes of a design share it, so that curves are smooth.
    executor
        Anything with the ``map`` of :class:`concurrent.futures.Executor`, such as a process pool or
        ``dask.distributed.Client(...).get_executor()``: one task per design.

    Returns
    -------
    DataFrame, a row per design, estimand and size: ``design``, ``drug``, ``estimand``, ``decision``, ``n_per_arm``, ``people``,
    ``mean`` and ``sd_now`` (the posterior before the trial), ``sd_after`` (root of the expected variance after it), ``reduction``
    (part of the variance expected to go), ``below_now`` (P(< 0) before the trial: near .5 nothing is known, near a level even a small
    trial may carry it over), ``decided_now`` (the decision stands without the trial), ``assurance`` (chance of the decision, averaged
    over what is known now) with ``assurance_se``, and ``misleading`` (chance of odds of 10 for the wrong account).
    A size of infinity is a trial without end: what no size exceeds. ``"accounts"`` has no posterior SD: it compares all of the effect
    through the experience (no drug, no drug x therapy term) with none (no experience term), each fitted to the evidence, at even odds
    before the trial; in a synthesis, more than half of the effect through the experience with less, at even odds before.

    Raises
    ------
    PlanningError
        Unknown drugs, constructs or estimands, a design without a comparison for an estimand asked, sizes below 2, a fit of another
        kind; all at once, and nothing is computed.
    """
    trials = list(designs)
    wanted = _wanted(trials, estimands)
    if wanted is not None:
        check_estimands(e for one in wanted for e in one)
    simulated = "settings" in fit["constant_data"].attrs if "constant_data" in fit.children else False
    problems = _number_problems(sizes, outcome_sd=outcome_sd, bias_sd=bias_sd, prior_scale=prior_scale, draws=draws)
    if simulated:
        drawn = draws_of(fit)
        problems += draws_problems(trials, wanted, drawn)
        if prior_scale != 1:
            problems.append(
                "prior_scale: the draws of a synthesis have their prior; fit it with others and plan from that fit"
            )
    else:
        design = _plannable(fit, prior_scale)
        known = knowledge_of(design)
        problems += planning_problems(trials, wanted, known)
    if problems:
        raise PlanningError("nothing was computed:\n" + "\n".join(problems))
    if simulated:
        asked = [askable_of_draws(trial, drawn) for trial in trials] if wanted is None else wanted
        task = partial(
            rows_from_draws, known=drawn, sizes=tuple(sizes), outcome_sd=outcome_sd, bias_sd=bias_sd, seed=seed
        )
    else:
        asked = [askable(trial, known) for trial in trials] if wanted is None else wanted
        accounts = _accounts(design) if any("accounts" in one for one in asked) else None
        task = partial(
            _of_design, known=known, accounts=accounts, draws=draws, sizes=tuple(sizes), outcome_sd=outcome_sd, bias_sd=bias_sd, seed=seed,
        )  # fmt: skip
    parts = list(map(task, trials, asked) if executor is None else executor.map(task, trials, asked))
    return pd.DataFrame([row for part in parts for row in part], columns=COLUMNS)


def _wanted(
    trials: Sequence[PlannedTrial], estimands: Sequence[str] | Mapping[str, Sequence[str]] | None
) -> list[list[str]] | None:
    """What each trial is asked; None where that follows from the trial."""
    if estimands is None:
        return None
    return [list(estimands.get(t.name, ()) if isinstance(estimands, Mapping) else estimands) for t in trials]


def _number_problems(
    sizes: Sequence[float], *, outcome_sd: float, bias_sd: float, prior_scale: float, draws: int
) -> list[str]:
    problems = [f"size {n:g}; an arm needs at least 2 people" for n in sizes if not n >= 2]
    return problems + [
        f"{name} = {value:g}; it must be {wanted}"
        for name, value, wanted, right in (
            ("outcome_sd", outcome_sd, "> 0", outcome_sd > 0), ("bias_sd", bias_sd, "at least 0", bias_sd >= 0),
            ("prior_scale", prior_scale, "> 0", prior_scale > 0), ("draws", draws, "at least 2", draws >= 2),
        )
        if not right
    ]  # fmt: skip


def _plannable(fit: xr.DataTree, prior_scale: float) -> xr.Dataset:
    """The design of a fit, its terms' prior SDs scaled; an error for a fit that a new trial cannot be added to."""
    design = design_of(fit)
    problems = []
    if design.attrs.get("model") != "decomposition":
        problems.append("the fit is none of a decomposition; fit decomposition_design(...) first")
    if "small_study" in design.attrs:
        problems.append(
            "the fit has a small-study term, whose size in a trial not yet run is not known; fit without it"
        )
    if problems:
        raise PlanningError("nothing was computed:\n" + "\n".join(problems))
    course = np.char.startswith(design["coefficient_variable"].to_numpy().astype(str), "mu")
    return design.assign(prior_sd=design["prior_sd"] * np.where(course, 1.0, prior_scale))


def _accounts(design: xr.Dataset) -> tuple[Knowledge, Knowledge]:
    """What is known under each account: all of the drug's effect through the experience, and none of it."""
    out = []
    for dropped in (("delta", "kappa"), ("beta",)):
        coefficients = ~np.isin(design["coefficient_variable"].to_numpy(), dropped)
        effects = ~np.isin(design["effect_mean"].to_numpy(), dropped)
        used = set(design["effect_scale"].to_numpy()[effects])
        scales = [s in used for s in design["scale"].to_numpy().tolist()]
        out.append(
            knowledge_of(
                design.isel(
                    coefficient=np.flatnonzero(coefficients),
                    effect=np.flatnonzero(effects),
                    scale=np.flatnonzero(scales),
                )
            )
        )
    raised = {drug: out[1].raised[drug] if np.isnan(s) else s for drug, s in out[0].raised.items()}
    return tuple(Knowledge(**{**one.__dict__, "raised": raised}) for one in out)  # type: ignore[return-value]


def _of_design(
    trial: PlannedTrial,
    estimands: Sequence[str],
    *,
    known: Knowledge,
    accounts: tuple[Knowledge, Knowledge] | None,
    sizes: Sequence[float],
    outcome_sd: float,
    bias_sd: float,
    draws: int,
    seed: int,
) -> list[dict[str, object]]:
    """Rows of one design."""
    of_terms = [e for e in estimands if e != "accounts"]
    rows = new_rows(trial, known)
    weights = np.array([estimand_weights(trial, e, known) for e in of_terms]).reshape(
        len(of_terms), len(known.parameter)
    )
    level = np.array([MOST if e in NEEDS else DECIDED for e in of_terms])
    out = []
    for size in sizes:
        per_arm = float(size) if np.isfinite(size) else LIMIT
        spread = {"per_arm": per_arm, "outcome_sd": outcome_sd, "bias_sd": bias_sd}
        first = {
            "design": trial.name,
            "drug": trial.drug,
            "n_per_arm": float(size),
            "people": float(size) * len(trial.arms),
        }
        if of_terms:
            found = expect(
                known, rows.loading, arm_noise(trial, rows, known, **spread), weights, level, draws=draws, seed=seed
            )
            for i, estimand in enumerate(of_terms):
                p = float(found.assurance[i])
                out.append(
                    first | {
                        "estimand": estimand, "decision": DECISIONS.get(estimand, INTERVAL), "mean": float(found.mean[i]),
                        "sd_now": float(found.variance_now[i] ** 0.5), "sd_after": float(found.variance_after[i] ** 0.5),
                        "reduction": float(1 - found.variance_after[i] / found.variance_now[i]),
                        "below_now": float(found.below_now[i]), "decided_now": bool(found.decided_now[i]), "assurance": p,
                        "assurance_se": (p * (1 - p) / draws) ** 0.5,
                    }
                )  # fmt: skip
        if "accounts" in estimands and accounts is not None:
            of_account = tuple(new_rows(trial, one) for one in accounts)
            noise = tuple(arm_noise(trial, row, one, **spread) for row, one in zip(of_account, accounts, strict=True))
            p, wrong = told_apart(
                accounts, (of_account[0].loading, of_account[1].loading), (noise[0], noise[1]), draws=draws, seed=seed
            )  # fmt: skip
            out.append(
                first | {
                    "estimand": "accounts", "decision": DECISIONS["accounts"], "decided_now": False, "assurance": p,
                    "assurance_se": (p * (1 - p) / (2 * draws)) ** 0.5, "misleading": wrong,
                }
            )  # fmt: skip
    return out
