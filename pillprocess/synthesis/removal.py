"""Which evidence carries the answer: the synthesis without each kind, without pooling, and from one drug's trials alone."""

import warnings
from collections.abc import Callable

import pandas as pd
import xarray as xr

from pillprocess.inference.fit import ConvergenceError
from pillprocess.output.tables import effect_table
from pillprocess.synthesis.compiled import SEVERAL_MODES, Refit
from pillprocess.synthesis.effects import controlled_trials, mediated_share, path_effects, path_table
from pillprocess.synthesis.fits import items_of, refit_of
from pillprocess.synthesis.kinds import BETWEEN_DRUGS, KINDS, has_kind, only_drug, without

HEADLINE = "pooled as far as the data say"
NO_POOLING, OWN_TRIALS = "no pooling between drugs", "own trials only"


def without_each_kind(
    idata: xr.DataTree,
    *,
    seed: int,
    refit: Refit | None = None,
    unpooled: xr.DataTree | None = None,
    draws: int = 1000,
    chains: int = 4,
) -> pd.DataFrame:
    """Fit the synthesis again without each kind of evidence in turn, the comparison between drugs among them.

    Parameters
    ----------
    idata
        A fit of :func:`pillprocess.synthesis`.
    seed, draws, chains
        Of the refits, which must pass :func:`pillprocess.check_fit`.
    refit
        From :func:`pillprocess.compile_synthesis`, where the model is compiled already.
    unpooled
        The fit without pooling between drugs, where there is one already (see :func:`pillprocess.pooling_fits`).

    Returns
    -------
    DataFrame, one row per kind removed ("nothing" first) and drug: mean and interval of ``total``, ``direct`` and
    ``experience`` at the reference dose without therapy, ``p_most``, and ``shift``, by how many of its posterior SDs the
    experience's effect moves. Where what is left determines no answer the fit does not converge: its rows have no figures and
    a ``reason``.
    """
    refit, items = refit or refit_of(idata), items_of(idata)
    answers = {"nothing": _answer(idata).assign(reason="")}
    for kind in (kind for kind in KINDS if has_kind(items, kind)):
        left, changed = (items, {"pooling": 0.0}) if kind == BETWEEN_DRUGS else (without(items, kind), {})
        try:
            if kind == BETWEEN_DRUGS and unpooled is not None:
                fit = unpooled
            else:
                fit = refit(left, seed=seed, draws=draws, chains=chains, checked=True, outcomes=False, **changed)
            answers[kind] = _answer(fit).assign(reason="")
        except ConvergenceError as error:
            answers[kind] = answers["nothing"][["drug"]].assign(reason=_no_answer(error))
    table = pd.concat([answer.assign(without=kind) for kind, answer in answers.items()], ignore_index=True)
    whole = table[table["without"] == "nothing"].set_index("drug")
    table["shift"] = (table["experience"] - table["drug"].map(whole["experience"])) / table["drug"].map(
        whole["experience_sd"]
    )
    return table[["without", *(c for c in table.columns if c != "without")]]


def _no_answer(error: ConvergenceError) -> str:
    """Why a fit has no answer, in a sentence."""
    worst = error.report["r_hat"].max()
    several = worst > SEVERAL_MODES
    why = (
        "what is left allows several answers, and the chains found different ones"
        if several
        else "its chains did not mix"
    )
    return f"no answer: {why} (R-hat {worst:.2f})"


def _answer(fit: xr.DataTree) -> pd.DataFrame:
    effects = path_effects(fit, therapy=(0.0,))
    table = pd.DataFrame({"drug": effects["drug"].to_numpy()})
    for path in ("total", "direct", "experience"):
        one = effect_table(effects[path])
        table[path], table[f"{path}_low"], table[f"{path}_high"] = one["mean"], one["ci_low"], one["ci_high"]
        table[f"{path}_sd"] = one["sd"]
    return table.assign(p_most=mediated_share(fit, therapy=(0.0,))["p_most"])


def pooling_fits(
    idata: xr.DataTree, *, seed: int, refit: Refit | None = None, draws: int = 1000, chains: int = 4
) -> dict[str, xr.DataTree]:
    """Fit the synthesis without pooling, and to each drug's own trials alone.

    Parameters
    ----------
    idata, seed, refit, draws, chains
        As in :func:`pillprocess.without_each_kind`.

    Returns
    -------
    Fits by name: the headline, no pooling, and ``"own trials only: DRUG"`` for every drug that trials compare and whose own trials
    determine an answer; a warning names the others.
    """
    refit, items = refit or refit_of(idata), items_of(idata)
    settings = {"seed": seed, "draws": draws, "chains": chains, "checked": True}
    fits = {HEADLINE: idata, NO_POOLING: refit(items, pooling=0.0, **settings)}
    for drug in sorted(set(controlled_trials(items)["drug"])):
        try:
            fits[f"{OWN_TRIALS}: {drug}"] = refit(only_drug(items, drug), **settings)
        except ConvergenceError as error:
            warnings.warn(f"{drug}: its own trials alone give {_no_answer(error)}; it has no such row", stacklevel=2)
    return fits


def by_pooling(
    fits: dict[str, xr.DataTree], table: "Callable[[xr.DataTree], pd.DataFrame]" = path_table
) -> pd.DataFrame:
    """Set a table of drugs beside itself under each amount of pooling.

    Parameters
    ----------
    fits
        From :func:`pooling_fits`.
    table
        A table with a column ``drug`` made from one fit, such as :func:`pillprocess.path_table`.

    Returns
    -------
    The rows of every fit, with ``pooling``; each drug's rows of its own trials come from its own fit, with the trials counted there.
    """
    parts = []
    for name, fit in fits.items():
        rows, (pooling, _, drug) = table(fit), name.partition(": ")
        parts.append((rows if not drug else rows[rows["drug"] == drug]).assign(pooling=pooling))
    return pd.concat(parts, ignore_index=True)
