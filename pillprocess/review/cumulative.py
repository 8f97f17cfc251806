"""The headline as the trials came in: what was known before the first of them, and after those of each year."""

import pandas as pd
import xarray as xr

from pillprocess.decomposition.model import decomposition_design
from pillprocess.decomposition.settings import tried_settings
from pillprocess.evidence.tables import Evidence
from pillprocess.review.diff import effects_under
from pillprocess.rows.contrasts import model_rows


def cumulative(evidence: Evidence) -> pd.DataFrame:
    r"""Update the headline year by year, from the prior on, in closed form.

    .. math:: p(\theta \mid y_{\le t}) \propto p(\theta) \prod_{j:\, year_j \le t} p(y_j \mid \theta)

    One model throughout: its terms, priors, reference SDs and pre-post correlation are those of the whole evidence, and the trials
    enter in the order of their year. A drug that nobody had tried yet is what the prior and the other drugs' trials say.

    Parameters
    ----------
    evidence
        From :func:`pillprocess.load_evidence`.

    Returns
    -------
    DataFrame, one row per year, drug and therapy: ``year`` (missing: before the first trial), ``trials`` in the model so far, ``added``
    (this year's, by name), ``own_trials`` of the drug in that setting so far, and ``mean``, ``sd``, ``ci_low``, ``ci_high``, ``p_below`` as
    in :func:`pillprocess.headline_effects`. ``attrs["without_year"]`` names the trials whose year is blank: they enter last, as if
    of the newest year.

    Raises
    ------
    ValueError
        No trial in the model has a year.
    """
    design = decomposition_design(*model_rows(evidence))
    known = evidence.trials.set_index("trial_id")["year"]
    year = known.reindex(design["trial"].to_numpy()).to_numpy()
    if pd.isna(year).all():
        raise ValueError("trials.csv gives no trial of the model a year, so they have no order; fill the column year")
    lacking = sorted(set(design["trial"].to_numpy()[pd.isna(year)]))
    year = pd.Series(year).fillna(pd.Series(year).max()).to_numpy()
    parts = [_effects(design, year < year.min(), 0).assign(year=pd.NA, added="")]
    for now in sorted(set(year)):
        added = ", ".join(sorted(set(design["trial"].to_numpy()[year == now])))
        part = _effects(design, year <= now, len(set(design["trial"].to_numpy()[year <= now])))
        parts.append(part.assign(year=int(now), added=added))
    first = ["year", "trials", "drug", "therapy", "own_trials"]
    table = pd.concat([part.astype({"year": "Int64"}) for part in parts], ignore_index=True)
    table = table[[*first, *(c for c in table if c not in first)]]
    table.attrs["without_year"] = lacking
    return table


def _effects(design: xr.Dataset, kept: "pd.Series[bool]", trials: int) -> pd.DataFrame:
    """The headline with these rows of the design; without any, the prior: the same design whose rows load on nothing."""
    if trials:
        some = design.isel(row=kept, row_=kept)
        tried = tried_settings(some)
    else:
        some, tried = design.assign(X=design["X"] * 0, Z=design["Z"] * 0), {}
    table = effects_under(some)
    own = [tried.get(key, 0) for key in zip(table["drug"], table["therapy"], strict=True)]
    return table.assign(trials=trials, own_trials=own)
