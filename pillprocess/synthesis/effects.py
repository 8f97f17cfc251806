"""What a synthesis answers: each drug's effect, split over the pill and the process."""

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.output.tables import effect_table
from pillprocess.synthesis.draws import belief_share
from pillprocess.synthesis.fits import items_of

PATHS = ("direct", "interaction", "experience", "belief")
"""The parts that add up to the total effect."""

DECIDED = 0.975
LITTLE, PRIOR_ONLY = 0.15, "the prior: nothing here says what the experience does to the outcome"


def path_effects(draws: xr.DataTree | xr.Dataset, *, therapy: tuple[float, ...] = (0.0, 1.0)) -> xr.Dataset:
    """Split each drug's effect at its reference dose, against an inert control in a blinded trial.

    Parameters
    ----------
    draws
        A fit of :func:`pillprocess.synthesis`, or its posterior or prior draws.
    therapy
        Amounts of therapy, alike in both conditions.

    Returns
    -------
    Dataset (chain, draw, drug, therapy), in reference SDs, negative is improvement: ``total`` = ``direct`` +
    ``interaction`` (drug x therapy) + ``experience`` (a b) + ``belief`` (what the pill and the experience make people believe);
    ``without_experience``, the drug given so that nothing is experienced; ``experience_alone``, the experience without the
    drug's direct effect.
    """
    posterior = draws["posterior"].dataset if isinstance(draws, xr.DataTree) else draws
    amount = xr.DataArray(list(therapy), dims="therapy", coords={"therapy": list(therapy)})
    a, epsilon = posterior["a"], posterior["epsilon"] if "epsilon" in posterior else 0.0 * posterior["tau"]

    def believed(dose: float, experience: xr.DataArray | float) -> xr.DataArray:
        gap = belief_share(posterior, dose=dose, experience=experience) - belief_share(
            posterior, dose=0.0, experience=0.0
        )
        return epsilon * gap

    parts = {
        "direct": posterior["direct"] + 0 * amount, "interaction": posterior["interaction"] * amount,
        "experience": a * posterior["b"] + 0 * amount, "belief": believed(1.0, a) + 0 * amount,
    }  # fmt: skip
    effects = {"total": parts["direct"] + parts["interaction"] + parts["experience"] + parts["belief"]} | parts
    effects["without_experience"] = parts["direct"] + parts["interaction"] + believed(1.0, 0.0)
    effects["experience_alone"] = parts["experience"] + believed(0.0, a)
    order = ("chain", "draw", "drug", "therapy")
    return xr.Dataset({name: effect.transpose(*order) for name, effect in effects.items()})


def mediated_share(
    draws: xr.DataTree | xr.Dataset, *, prior: xr.Dataset | None = None, therapy: tuple[float, ...] = (0.0, 1.0)
) -> pd.DataFrame:
    """How much of each drug's effect runs through the experience, and how far the data rather than the prior say so.

    Parameters
    ----------
    draws
        A fit of :func:`pillprocess.synthesis`, or its draws.
    prior
        Draws of :func:`pillprocess.prior_of`.
    therapy
        Amounts of therapy.

    Returns
    -------
    DataFrame, one row per drug and therapy: ``n_trials`` behind it (of a fit), ``p_most`` (probability that more than half of the
    effect runs through the experience), ``p_process`` (through experience, belief or the interaction with therapy), ``share``,
    ``share_low``, ``share_high`` (blank where withheld: see ``share_is``), and with a prior ``prior_p_most``, ``prior_p_process``,
    ``learned``, the part of the prior variance of the experience's effect that the data removed, ``learned_slope``, the same for
    the effect of one SD of experience (the b path), and ``rests_on``, which says so where that slope is its prior.
    """
    effects = path_effects(draws, therapy=therapy)
    process = effects["experience"] + effects["belief"] + effects["interaction"]
    table = effects["total"].mean(("chain", "draw")).to_dataframe(name="total").reset_index()
    flat = {name: _flat(values) for name, values in effects.items()}
    table["p_most"] = _more_than_half(flat["experience"], flat["total"])
    table["p_process"] = _more_than_half(_flat(process), flat["total"])
    rows = [_share(flat["experience"][:, i], flat["total"][:, i]) for i in range(len(table))]
    table = table.join(pd.DataFrame(rows, columns=["share", "share_low", "share_high", "share_is"]))
    if isinstance(draws, xr.DataTree) and "constant_data" in draws.children:
        table["n_trials"] = _counts(items_of(draws), table)[:, 0]
    if prior is not None:
        before = path_effects(prior, therapy=therapy)
        one, other = _flat(before["experience"]), _flat(before["total"])
        table["prior_p_most"] = _more_than_half(one, other)
        table["prior_p_process"] = _more_than_half(
            _flat(before["experience"] + before["belief"] + before["interaction"]), other
        )
        table["learned"] = 1 - flat["experience"].var(axis=0) / one.var(axis=0)
        slopes = ((draws["posterior"].dataset if isinstance(draws, xr.DataTree) else draws)["b"], prior["b"])
        after, ahead = (slope.var(("chain", "draw")).sel(drug=table["drug"].to_numpy()).to_numpy() for slope in slopes)
        table["learned_slope"] = 1 - after / ahead
        table["rests_on"] = np.where(table["learned_slope"] < LITTLE, PRIOR_ONLY, "evidence and prior")
    return table


def _flat(values: xr.DataArray) -> np.ndarray:
    values = values.transpose("chain", "draw", "drug", "therapy")
    return values.to_numpy().reshape(values.sizes["chain"] * values.sizes["draw"], -1)


def _more_than_half(part: np.ndarray, total: np.ndarray) -> np.ndarray:
    return np.asarray((part / total > 0.5).mean(axis=0))


def _share(part: np.ndarray, total: np.ndarray) -> tuple[float, float, float, str]:
    """Share with its interval, or blanks and the reason it is withheld."""
    sign = np.sign(np.median(total))
    certain = float((np.sign(total) == sign).mean())
    if certain < DECIDED:
        return np.nan, np.nan, np.nan, f"withheld: the sign of the total effect is not certain (P = {certain:.2f})"
    opposed = float((np.sign(part) == -sign).mean())
    if opposed > 1 - DECIDED:
        return np.nan, np.nan, np.nan, f"withheld: part and total may have opposite signs (P = {opposed:.2f})"
    low, middle, high = np.quantile(part / total, [0.025, 0.5, 0.975])
    return float(middle), float(low), float(high), "part of the total effect"


def path_table(draws: xr.DataTree, *, therapy: tuple[float, ...] = (0.0, 1.0)) -> pd.DataFrame:
    """Summarise :func:`path_effects` with the trials that gave each drug in each setting.

    Parameters
    ----------
    draws
        A fit of :func:`pillprocess.synthesis`.
    therapy
        Amounts of therapy.

    Returns
    -------
    DataFrame as :func:`pillprocess.effect_table`, with ``n_trials``: controlled trials of the drug with that therapy; 0 means
    carried over from other drugs or settings; and ``n_people`` randomised in them.
    """
    table = effect_table(path_effects(draws, therapy=therapy)).rename(columns={"estimand": "path"})
    table[["n_trials", "n_people"]] = _counts(items_of(draws), table)
    return table


def _counts(items: xr.Dataset, table: pd.DataFrame) -> np.ndarray:
    """Trials and people behind each drug and therapy of a table, (row, 2)."""
    trials = controlled_trials(items).groupby(["drug", "therapy"])["people"].agg(["size", "sum"])
    setting = pd.MultiIndex.from_frame(table[["drug", "therapy"]])
    return np.asarray(trials.reindex(setting, fill_value=0).astype(int).to_numpy())


def usual_therapy(items: xr.Dataset) -> dict[str, float]:
    """Return, for every drug that trials compare, the amount of therapy most of its trials gave beside it."""
    trials = controlled_trials(items).groupby(["drug", "therapy"]).size().reset_index(name="trials")
    most = trials.sort_values(["drug", "trials"], ascending=[True, False], kind="stable").drop_duplicates("drug")
    return dict(zip(most["drug"], most["therapy"], strict=True))


def controlled_trials(items: xr.Dataset) -> pd.DataFrame:
    """List the trials whose outcomes compare a drug: ``drug``, ``therapy`` with it, ``trial``, and ``people``.

    People are those randomised, or the sum over arms where their number was not printed.
    """
    used = (items["row_arm"].to_numpy() != 0).any(axis=0) | (items["count_arm"].to_numpy() != 0).any(axis=0)
    columns = ("drug", "therapy", "trial", "people", "dose")
    arms = pd.DataFrame({c: items[f"arm_{c}"].to_numpy() for c in columns})[used]
    return arms.loc[arms["dose"] > 0, ["drug", "therapy", "trial", "people"]].drop_duplicates(ignore_index=True)
