"""The same thing told twice: a difference against its arms, two rows of one difference, two trials of the same people."""

import unicodedata
from collections.abc import Iterator

import numpy as np
import pandas as pd

from pillprocess.evidence.checks import Tables
from pillprocess.evidence.company import SOURCE, included
from pillprocess.evidence.differences import CONTROL_ROLES, LARGEST_DIFFERENCE
from pillprocess.evidence.field import WORSE, change_of, of_instrument
from pillprocess.evidence.files import report
from pillprocess.evidence.questions import ask

APART = 0.6
"""SDs by which a printed difference may lie from the one of its arms: it may be adjusted, or of other people."""


def check_both_directions(tables: Tables) -> Iterator[pd.DataFrame]:
    """Differences that stand in the table a second time, with the arms exchanged."""
    contrasts = tables["contrasts"]
    data = contrasts.data
    counted = (data["include"] == 1) & data["level"].eq("between_arm") & data["reference_arm_id"].notna()
    occasion = ["trial_id", "instrument", "outcome_type", "time_days", "timepoint", "subgroup"]
    cells = contrasts.cells[counted].assign(row=contrasts.row[counted.to_numpy()])
    back = cells.rename(columns={"arm_id": "reference_arm_id", "reference_arm_id": "arm_id", "row": "first"})
    same = cells.merge(back, on=[*occasion, "arm_id", "reference_arm_id"])[["row", "first"]]
    main = cells["primary"] == "1"
    primary = cells[main].merge(back[main], on=["trial_id", "arm_id", "reference_arm_id"])[["row", "first"]]
    pairs = pd.concat([same, primary])
    twice = pairs[pairs["first"] < pairs["row"]].drop_duplicates("row").set_index("row")["first"]
    wrong = pd.Series(contrasts.row, data.index).isin(twice.index)
    rows = zip(
        contrasts.cells["reference_arm_id"][wrong],
        contrasts.cells["arm_id"][wrong],
        twice[contrasts.row[wrong.to_numpy()]],
        strict=True,
    )
    texts = [
        f"the difference of {a} and {b} stands in row {first} already, in the other direction; keep one"
        for a, b, first in rows
    ]
    yield report(contrasts, "reference_arm_id", wrong, texts)


def question_twins(tables: Tables) -> Iterator[pd.DataFrame]:
    """Differences that the arms' own figures do not give."""
    contrasts, outcomes = tables["contrasts"], tables["outcomes"]
    usual = of_instrument(tables, "contrasts")
    data = contrasts.data
    counted = (
        included(tables, "contrasts")
        & data["level"].eq("between_arm")
        & data["effect_type"].isin(["mean_difference", "hedges_g", "cohen_d"])
    )
    if "subgroup" in contrasts.cells:
        counted &= contrasts.cells["subgroup"] == ""
    favours = data["direction"].map({"negative_favours_arm": 1.0, "positive_favours_arm": -1.0}).astype(float)
    sd = usual["sd"].where(data["effect_type"].eq("mean_difference"), 1.0)
    told = pd.DataFrame(
        {
            "row": data.index,
            "told": favours * data["estimate"] / sd,
            "error": data["se"] / sd,
            "sd": usual["sd"],
            "sign": usual["sign"],
        }
    )
    contrast = data[["trial_id", "arm_id", "reference_arm_id", "instrument", "time_days"]].join(told)
    contrast = contrast[counted & (contrast["sd"] > 0) & contrast["told"].notna()].rename(columns={"time_days": "day"})
    rows = outcomes.data.assign(change=change_of(outcomes.data))[outcomes.data["include"].eq(1)]
    rows = rows[["trial_id", "arm_id", "instrument", "time_days", "timepoint", "primary", "change", "post_mean"]]
    pairs = contrast.merge(rows, on=["trial_id", "arm_id", "instrument"]).merge(
        rows.rename(columns={"arm_id": "reference_arm_id"}),
        on=["trial_id", "reference_arm_id", "instrument", "time_days", "timepoint"], suffixes=("", "_reference"),
    )  # fmt: skip
    near = (pairs["time_days"] - pairs["day"]).abs() <= 0.15 * pairs["day"].abs() + 1
    pairs = pairs[near | (pairs["day"].isna() & (pairs["primary"] == 1))]
    found = pd.concat(
        [
            pairs.assign(found=pairs["sign"] * (pairs[c] - pairs[f"{c}_reference"]) / pairs["sd"])
            for c in ("change", "post_mean")
        ]
    )
    found = found.dropna(subset=["found"])
    found = found.assign(gap=(found["found"] - found["told"]).abs()).sort_values(["row", "gap"], kind="stable")
    found = found.assign(
        agrees=(np.sign(found["found"]) == np.sign(found["told"]))
        | (np.minimum(found["found"].abs(), found["told"].abs()) < 0.2)
    )
    agrees = found.groupby("row")["agrees"].any()
    nearest = found.drop_duplicates("row").set_index("row")
    apart = nearest["gap"] > np.maximum(APART, 1.5 * nearest["error"].fillna(0))
    asked = nearest[apart | ~agrees]
    wrong = pd.Series(data.index.isin(asked.index), data.index)
    asked = asked.reindex(data.index[wrong])
    texts = [
        f"the arms' own figures make the difference {a:.2g} SD (negative favours the first arm), this makes it {b:.2g}"
        for a, b in zip(asked["found"], asked["told"], strict=True)
    ]
    yield ask(
        contrasts, "estimate", wrong, texts, "see which arm is which, the sign, and whether the difference is adjusted"
    )


def question_two_metrics(tables: Tables) -> Iterator[pd.DataFrame]:
    """Standardised differences that the same comparison's difference in points does not give."""
    contrasts = tables["contrasts"]
    data = contrasts.data.assign(row=contrasts.data.index, sd=of_instrument(tables, "contrasts")["sd"])
    counted = data[included(tables, "contrasts") & data["outcome_type"].isin(["continuous", np.nan])]
    same = ["trial_id", "arm_id", "reference_arm_id", "instrument", "time_days", "timepoint", "subgroup"]
    points = counted[counted["effect_type"] == "mean_difference"].drop_duplicates(same)
    pairs = counted[counted["effect_type"].isin(["cohen_d", "hedges_g"])].merge(
        points, on=same, suffixes=("", "_points")
    )
    ratio = (pairs["estimate_points"] / pairs["estimate"] / pairs["sd"]).abs()
    either = np.maximum(pairs["estimate_points"].abs() / pairs["sd"], pairs["estimate"].abs())
    pairs = pairs.assign(implied=ratio * pairs["sd"])[(np.log(ratio).abs() > np.log(3)) & (either > 0.2)]
    pairs = pairs.drop_duplicates("row").set_index("row")
    wrong = pd.Series(contrasts.data.index.isin(pairs.index), contrasts.data.index)
    texts = [
        f"with the difference in points it makes the SD {x:.3g}, usual is {y:.3g}"
        for x, y in zip(pairs["implied"], pairs["sd"], strict=True)
    ]
    yield ask(contrasts, "estimate", wrong, texts, SOURCE)


def question_arms_compared(tables: Tables) -> Iterator[pd.DataFrame]:
    """Primary outcomes in which the control did better than the drug, or the drug better than any trial shows."""
    outcomes = tables["outcomes"]
    usual, data = of_instrument(tables, "outcomes"), outcomes.data
    arms = tables["arms"].data.drop_duplicates(["trial_id", "arm_id"]).set_index(["trial_id", "arm_id"])
    keys = pd.MultiIndex.from_frame(data[["trial_id", "arm_id"]])
    role = pd.Series(arms["role"].reindex(keys).to_numpy(), data.index)
    counted = included(tables, "outcomes") & (data["primary"] == 1)
    size = (usual["sign"] * change_of(data) / usual["sd"]).where(counted)
    control = size.where(role.isin(CONTROL_ROLES)).groupby(data["trial_id"]).transform("mean")
    gap = (size - control).where(role.eq("active"))
    column = np.where(data["change_mean"].notna(), "change_mean", "post_mean")
    for name in ("change_mean", "post_mean"):
        here = (gap > WORSE) & (column == name)
        yield ask(outcomes, name, here, [f"the control did better than the drug, by {x:.2g} SD" for x in gap[here]],
                  "see which arm is which, and the sign of a change")  # fmt: skip
        here = (gap < -LARGEST_DIFFERENCE) & (column == name)
        yield ask(
            outcomes, name, here, [f"the drug did better than its control by {x:.2g} SD" for x in -gap[here]], SOURCE
        )
    share = (data["responders"] / data["n"]).where(counted)
    relapsed = data["instrument"].eq("relapse")
    share = share.mask(relapsed, 1 - share)
    drug = share.where(role.eq("active")).groupby(data["trial_id"]).transform("mean")
    here = counted & role.isin(CONTROL_ROLES) & (share - drug > 0.25)
    did = relapsed[here].map({False: "responded to", True: "did not relapse with"})
    rows = zip(share[here], drug[here], did, strict=True)
    texts = [f"{a:.0%} {what} the control, {b:.0%} {what.split()[-1]} the drug" for a, b, what in rows]
    yield ask(outcomes, "responders", here, texts,
              "see which arm is which")  # fmt: skip
    several = data.where(counted)
    for sd in ("baseline_sd", "post_sd", "change_sd"):
        middle = several[sd].groupby(data["trial_id"]).transform("median")
        here = counted & (np.log(several[sd] / middle).abs() > np.log(2.5))
        yield ask(outcomes, sd, here, [f"the trial's arms have about {x:.3g}" for x in middle[here]], SOURCE)


def question_primary(tables: Tables) -> Iterator[pd.DataFrame]:
    """Arms that lack the primary outcome which the trial's other arms have."""
    arms, outcomes = tables["arms"], tables["outcomes"]
    data = outcomes.data
    primary = data[included(tables, "outcomes") & (data["primary"] == 1) & change_of(data).notna()]
    with_primary = set(zip(primary["trial_id"], primary["arm_id"], strict=True))
    counted = (
        included(tables, "arms") & (arms.data["include_arm"] == 1) & arms.data["trial_id"].isin(primary["trial_id"])
    )
    lacks = [key not in with_primary for key in zip(arms.data["trial_id"], arms.data["arm_id"], strict=True)]
    yield ask(arms, "arm_id", counted & pd.Series(lacks, arms.data.index), "the trial's other arms have a primary outcome, this has none",
              "see whether a row was left out, or its marks primary and include")  # fmt: skip


def question_same_people(tables: Tables) -> Iterator[pd.DataFrame]:
    """Trials that share a DOI, a registry number, a name or their figures: the same people may count twice."""
    trials, outcomes = tables["trials"], tables["outcomes"]
    counted = trials.data["include"] == 1
    settle = "see whether the people are the same: keep one with include = 1 and name it in overlaps_with"
    plain = {
        "doi": trials.cells["doi"].str.lower().str.extract(r"(10\.\d{4,}/\S+)")[0],
        "registry": trials.cells["registry"]
        .str.upper()
        .str.extract(r"(NCT\d{8}|ISRCTN\d+|ACTRN\d+|\d{4}-\d{6}-\d{2})")[0],
        "trial_id": trials.cells["trial_id"].map(_plain_name),
    }
    for column, value in plain.items():
        again = value.where(counted & value.notna() & (value != "")).dropna().duplicated(keep=False)
        wrong = pd.Series(False, trials.cells.index)
        wrong[again[again].index] = True
        others = [
            ", ".join(trials.cells["trial_id"][counted & (value == value[i]) & (trials.cells.index != i)])
            for i in wrong[wrong].index
        ]
        yield ask(
            trials,
            column,
            wrong,
            [
                f"the same as {name}'s" if column != "trial_id" else f"but for case and accents the name of {name}"
                for name in others
            ],
            settle,
        )
    figures = ["instrument", "n", "baseline_mean", "baseline_sd", "post_mean", "post_sd", "change_mean", "change_sd"]
    cells = outcomes.cells[included(tables, "outcomes") & (outcomes.data[figures[1:]].notna().sum(axis=1) >= 3)]
    owner = cells.groupby(figures)["trial_id"].transform("first")
    again = owner[owner != cells["trial_id"]]
    wrong = pd.Series(outcomes.cells.index.isin(again.index), outcomes.cells.index)
    texts = [f"trial {name} has the same n, means and SDs on this instrument" for name in again]
    yield ask(outcomes, "n", wrong, texts, settle)
    healthy = trials.cells["population"] == "healthy"
    yield ask(
        trials,
        "overlaps_with",
        _overlapping(tables) & healthy,
        "both this trial and one it overlaps with are included",
        settle,
    )


def check_overlaps(tables: Tables) -> Iterator[pd.DataFrame]:
    """Included trials of patients that overlap with one another; overlaps with trials that are not there."""
    trials = tables["trials"]
    patients = trials.cells["population"] == "patients"
    wrong = _overlapping(tables) & patients
    text = (
        "a trial it overlaps with is included too, so people count twice; keep one with include = 1, or say counted_in"
    )
    yield report(trials, "overlaps_with", wrong, text)


def _overlapping(tables: Tables) -> pd.Series:
    trials = tables["trials"]
    counted = set(trials.cells.loc[trials.data["include"] == 1, "trial_id"])
    named, held = (
        {
            own: {part.strip() for part in cell.replace(",", ";").split(";")}
            for own, cell in zip(trials.cells["trial_id"], trials.cells[column], strict=True)
        }
        for column in ("overlaps_with", "counted_in")
    )
    both = [
        own in counted and any(other in counted - {own} - held[own] and own not in held[other] for other in named[own])
        for own in trials.cells["trial_id"]
    ]
    return pd.Series(both, trials.cells.index)


def _plain_name(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name)
    return "".join(c for c in letters if c.isalnum()).lower()
