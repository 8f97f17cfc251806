r"""Relapse read through the curve over time: shares of people who relapsed by a day, or a hazard ratio, as differences in SDs.

**Assumption.** A person has relapsed by the end of a stretch whose symptoms, averaged over it, lie above a threshold of the trial;
within an arm they are normal with an SD of 1 (one reference SD). The share is then
:math:`p = \Phi(\bar\theta - c)` with the arm's mean over the stretch, and two arms differ by

.. math:: y = \Phi^{-1}(p_1) - \Phi^{-1}(p_0) = size\,\big(g(dose)\,\bar f - g(dose_0)\,\bar f_0\big)

which is linear in the size like any other difference, with the mean of the curve over the stretch in place of its value on a day. A hazard
ratio is turned into the share :math:`1 - (1 - p_0)^{HR}` at the control's own. In a randomised withdrawal both arms had the drug: in the
one that goes on the curve is averaged between two doses, in the other over the days since it stopped, so that what relapse shows is how
fast the effect goes.

**What would overturn it.** People are chosen who had improved, so their effect may be larger than the drug's elsewhere (the trial's own
deviation is all that allows for it); who stops may notice it; a threshold passed for a week counts like one passed for the whole
stretch.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import ndtri
from scipy.stats import norm

from pillprocess.decomposition.columns import share_of_variance
from pillprocess.evidence.drugs import known_drugs
from pillprocess.evidence.tables import Evidence
from pillprocess.rows.arms import describe_arms
from pillprocess.rows.times import UNCONTROLLED
from pillprocess.timecourse.rows import COLUMNS, why_unused
from pillprocess.timecourse.shapes import RATED, share_left
from pillprocess.timecourse.stretches import STRETCH, drug_left

SAME_PEOPLE = "the same people's scores are in the time course"
FEWEST = 5


def relapse_rows(evidence: Evidence, *, besides: pd.DataFrame | None = None) -> pd.DataFrame:
    """Gather relapse that compares a drug, as randomised, with none, a low dose, or its withdrawal.

    Parameters
    ----------
    evidence
        The checked tables. ``days_from_last_dose`` of a relapse row in outcomes is the last day of the stretch; in a control arm without
        dose it says that the arm had the drug and stopped it that many days before; in a dosed arm of such a trial it is the time between
        doses.
    besides
        Rows of :func:`pillprocess.time_rows`; trials whose scores they hold are left out, for they are the same people.

    Returns
    -------
    DataFrame with the columns of :func:`pillprocess.time_contrasts` (``kind`` is "relapse", ``y`` negative favours the drug) and the
    stretches of both arms, for ``relapse=`` of :func:`pillprocess.fit_time_course`.
    """
    found, _ = _gathered(evidence, besides)
    return found


def relapse_set_aside(evidence: Evidence, *, besides: pd.DataFrame | None = None) -> pd.DataFrame:
    """List relapse and sustained remission that :func:`relapse_rows` does not use, with the reason.

    Parameters
    ----------
    evidence, besides
        As there.

    Returns
    -------
    DataFrame with columns ``trial``, ``row``, ``reason``.
    """
    return _gathered(evidence, besides)[1]


def relapse_predictions(idata: xr.DataTree, relapse: pd.DataFrame) -> pd.DataFrame:
    """Set beside each difference in relapse what the fitted curve says of it.

    Parameters
    ----------
    idata
        Result of :func:`pillprocess.fit_time_course` with a rate.
    relapse
        Rows of :func:`relapse_rows`, in the fit or not; of drugs that it has.

    Returns
    -------
    DataFrame: ``row``, ``observed`` with ``se``, and ``predicted`` with ``ci_low``, ``ci_high`` (95 %, of the mean difference with a new
    trial's deviation), in SDs.

    Raises
    ------
    ValueError
        The fitted shape has no rate.
    """
    shape = str(idata.attrs["shape"])
    if shape not in RATED:
        raise ValueError(f"shape {shape!r} has no rate to predict relapse by; fit one of {', '.join(RATED)}")
    drawn = idata["posterior"].dataset
    rise = drawn["rise"].to_numpy().ravel()[:, None] if "rise" in drawn else 1.0
    rng = np.random.default_rng(int(idata.attrs["seed"]))
    deviation = drawn["tau"].to_numpy().ravel() * rng.standard_normal(drawn["tau"].size)
    out = []
    for place, row in enumerate(relapse.itertuples()):
        own, therapy = drawn.sel(drug=row.drug), float(row.therapy)
        half = (own["half_life"] * np.exp(own["eta"] * therapy)).to_numpy().ravel()[:, None]
        left = partial(_left, shape, half, rise)
        z = drug_left(relapse.iloc[[place]], str(idata.attrs["dose_shape"]), left)[:, 0]
        effect = ((own["delta"] + own["kappa"] * therapy).to_numpy().ravel() + deviation) * z
        low, high = np.quantile(effect, [0.025, 0.975])
        out.append((row.label, row.y, row.se, effect.mean(), low, high))
    return pd.DataFrame(out, columns=["row", "observed", "se", "predicted", "ci_low", "ci_high"])


def _left(shape: str, half: np.ndarray, rise: np.ndarray | float, days: np.ndarray, _: np.ndarray) -> np.ndarray:
    return share_left(shape, days, half, rise)


Cells = dict[str, Any]
Side = tuple[str, str]


def _gathered(evidence: Evidence, besides: pd.DataFrame | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    arms: dict[Side, Cells] = describe_arms(evidence).to_dict("index")
    scored = set() if besides is None else set(besides.loc[why_unused(besides) == "", "trial"])
    rows = evidence.outcomes[(evidence.outcomes["include"] == 1) & evidence.outcomes["instrument"].eq("relapse")]
    rows = rows.sort_values("time_days", kind="stable").drop_duplicates(["trial_id", "arm_id"], keep="last")
    counts: dict[Side, Cells] = rows.set_index(["trial_id", "arm_id"]).to_dict("index")
    found, lost = [], []
    for sides, ratio in _pairs(evidence, arms, counts):
        label = f"{sides[0][0]}: {sides[0][1]} v {sides[1][1]}, relapse"
        reason = _why_not(arms, counts, sides, ratio) or (SAME_PEOPLE if sides[0][0] in scored else "")
        if reason:
            lost.append((sides[0][0], label, reason))
        else:
            found.append(_row(label, [arms[s] for s in sides], [counts[s] for s in sides], ratio))
    table = pd.DataFrame(found, columns=[*COLUMNS, *STRETCH])
    return table[table["drug"].isin(known_drugs(evidence))], pd.DataFrame(lost, columns=["trial", "row", "reason"])


def _pairs(
    evidence: Evidence, arms: dict[Side, Cells], counts: dict[Side, Cells]
) -> Iterator[tuple[tuple[Side, Side], Cells | None]]:
    """Comparisons that were printed, and in other trials each arm with counts against that of the lowest dose."""
    printed = evidence.contrasts[
        (evidence.contrasts["include"] == 1) & evidence.contrasts["outcome_type"].eq("relapse")
    ]
    for ratio in printed.to_dict("records"):
        yield ((ratio["trial_id"], ratio["arm_id"]), (ratio["trial_id"], ratio["reference_arm_id"])), ratio
    for trial in dict.fromkeys(t for t, _ in counts if t not in set(printed["trial_id"])):
        own = [s for s in counts if s[0] == trial and s in arms]
        lowest = min(own, key=lambda s: (-arms[s]["comparator"], arms[s]["dose"]), default=None)
        yield from (((s, lowest), None) for s in own if lowest and s != lowest)


def _why_not(arms: dict[Side, Cells], counts: dict[Side, Cells], sides: tuple[Side, Side], ratio: Cells | None) -> str:
    """Why a comparison is not used, or ''."""
    if any(s not in arms for s in sides):
        return "no such arm"
    arm, reference = (arms[s] for s in sides)
    if arm["reason"] or reference["reason"]:
        return str(arm["reason"] or reference["reason"])
    if arm["trial_design"] in UNCONTROLLED:
        return "no control arm"
    if reference["comparator"] or reference["waitlist"] or not arm["dose"] > reference["dose"]:
        return "the control is another treatment, a waiting list, or the same dose"
    if arm["therapy"] != reference["therapy"]:
        return "the two sides differ in therapy as well"
    if ratio is not None and not (
        ratio["effect_type"] == "hazard_ratio" and ratio["direction"] == "below_1_favours_arm" and ratio["ci_low"] > 0
    ):
        return f"printed as {ratio['effect_type'].replace('_', ' ')}, or without an interval"
    if any(s not in counts for s in sides) or np.isnan(counts[sides[1]]["time_days"]):
        return "over how many days people could relapse is not known"
    needed = [counts[s] for s in (sides if ratio is None else sides[1:])]
    if not all(c["n"] > 0 and c["responders"] >= 0 for c in needed):
        return "the number of people who relapsed is not printed"
    if any(min(c["responders"], c["n"] - c["responders"]) < FEWEST for c in needed):
        return f"fewer than {FEWEST} people relapsed, or did not"
    if arm["trial_randomised_until"] < counts[sides[1]]["time_days"]:
        return "no longer compared as randomised"
    return ""


def _row(label: str, sides: list[Cells], counts: list[Cells], ratio: Cells | None) -> Cells:
    """One difference in SDs, from a hazard ratio where there is one, else from counts."""
    (arm, reference), (own, control) = sides, counts
    n1, n0, p0 = own["n"], control["n"], control["responders"] / control["n"]
    z0 = float(ndtri(p0))
    v0 = p0 * (1 - p0) / n0
    if ratio is None:
        p1 = own["responders"] / n1
        z1 = float(ndtri(p1))
        parts = [p1 * (1 - p1) / n1 / norm.pdf(z1) ** 2, v0 / norm.pdf(z0) ** 2]
    else:
        hr = ratio["estimate"]
        hazard = -np.log1p(-p0) * hr
        z1 = float(ndtri(-np.expm1(-hazard)))
        log_se = np.log(ratio["ci_high"] / ratio["ci_low"]) / (2 * norm.ppf(0.975))
        by_ratio = hazard * np.exp(-hazard) / norm.pdf(z1) * log_se
        by_share = (hr * (1 - p0) ** (hr - 1) / norm.pdf(z1) - 1 / norm.pdf(z0)) * np.sqrt(v0)
        share = share_of_variance(n1, n0)
        parts = [part * (by_ratio**2 + by_share**2) for part in (share, 1 - share)]
    stopped = reference["dose"] == 0 and control["days_from_last_dose"] >= 0
    last = control["days_from_last_dose"] if stopped else control["time_days"]
    return {
        "trial": arm["trial"], "label": label, "drug": arm["drug_given"], "arm": arm["arm"], "reference_arm": reference["arm"],
        "day": control["time_days"], "days_from_last_dose": np.nan, "n_doses": np.nan, "visit": 0.0,
        "y": z1 - z0, "se": float(np.sqrt(sum(parts))),
        "se_arm": float(np.sqrt(parts[0])), "se_reference": float(np.sqrt(parts[1])), "dose_arm": arm["dose"],
        "dose_reference": arm["dose"] if stopped else reference["dose"], "n_arm": n1, "n_reference": n0, "therapy": float(arm["therapy"]),
        "published": arm["trial_published"], "construct": own["construct"], "instrument": "relapse", "kind": "relapse",
        "from_arm": 0.0, "until_arm": own["days_from_last_dose"] if stopped else last, "from_reference": 0.0, "until_reference": last,
    }  # fmt: skip
