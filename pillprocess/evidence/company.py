"""Figures by the company they keep: those of their arm, of their trial, and of the same comparison told twice."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from pillprocess.evidence.checks import Tables
from pillprocess.evidence.files import CsvTable
from pillprocess.evidence.questions import ask

SOURCE = "read the figure again at its source"
RATIOS = ("odds_ratio", "risk_ratio", "hazard_ratio")
OFF_CENTRE = 0.2
"""Share of an interval's half-width by which rounding and a t interval's asymmetry may move its middle."""


def included(tables: Tables, name: str) -> pd.Series:
    """Rows of a table that count: their own mark and their trial's."""
    trials, table = tables["trials"], tables[name]
    counted = table.cells["trial_id"].isin(trials.cells.loc[trials.data["include"] == 1, "trial_id"])
    return counted & (table.data["include"] == 1) if "include" in table.data else counted


def question_intervals(tables: Tables) -> Iterator[pd.DataFrame]:
    """Estimates that are not in the middle of their interval; intervals, SEs, SDs and p values that disagree."""
    settle = "see whether a sign or a digit of a limit was lost, or whether the interval is no normal one"
    outcomes, contrasts = tables["outcomes"], tables["contrasts"]
    middles = {
        "outcomes": ("change_ci_low", "change_mean", "change_ci_high"), "contrasts": ("ci_low", "estimate", "ci_high"),
        "mediation": ("indirect_ci_low", "indirect_effect", "indirect_ci_high"),
    }  # fmt: skip
    for name, (low, middle, high) in middles.items():
        table = tables[name]
        a, estimate, b = (table.data[column] for column in (low, middle, high))
        if name == "contrasts":
            ratio = table.cells["effect_type"].isin(RATIOS)
            a, estimate, b = (x.where(~ratio, np.log(x.where(x > 0))) for x in (a, estimate, b))
        half = (b - a) / 2
        limit = OFF_CENTRE * half + rounding(table, low, middle, high)
        limit *= 2.5 if name == "mediation" else 1.0
        wrong = included(tables, name) & (a <= estimate) & (estimate <= b) & ((estimate - (a + b) / 2).abs() > limit)
        rows = zip(table.cells[low][wrong], table.cells[high][wrong], strict=True)
        texts = [f"the estimate is not in the middle of its interval, {x} to {y}" for x, y in rows]
        yield ask(table, middle, wrong, texts, settle)
    data = outcomes.data
    from_se = data["change_se"] * np.sqrt(data["n"])
    from_ci = (data["change_ci_high"] - data["change_ci_low"]) / 3.92 * np.sqrt(data["n"])
    for column, sd, word in (("change_sd", data["change_sd"], "SD"), ("change_se", from_se, "SE")):
        for other, text in ((from_se, "the SE and n"), (from_ci, "the interval and n")):
            wrong = included(tables, "outcomes") & (np.log(sd / other).abs() > np.log(1.5)) & (sd is not other)
            texts = [
                f"{text} make the SD of the change {x:.3g}, this {word} makes it {y:.3g}"
                for x, y in zip(other[wrong], sd[wrong], strict=True)
            ]
            yield ask(outcomes, column, wrong, texts, SOURCE)
    data, cells = contrasts.data, contrasts.cells
    ratio = cells["effect_type"].isin(RATIOS)
    width = (data["ci_high"] - data["ci_low"]).where(
        ~ratio, np.log(data["ci_high"].where(data["ci_high"] > 0)) - np.log(data["ci_low"].where(data["ci_low"] > 0))
    )
    se = data["se"].fillna(width / 3.92)
    wrong = included(tables, "contrasts") & (np.log(data["se"] / (width / 3.92)).abs() > np.log(1.5))
    texts = [f"the interval makes the SE {x:.3g}" for x in (width / 3.92)[wrong]]
    yield ask(contrasts, "se", wrong, texts, SOURCE)
    estimate = data["estimate"].where(~ratio, np.log(data["estimate"].where(data["estimate"] > 0)))
    z = (estimate / se).abs()
    exact = cells["p_op"].isin(["=", ""])
    contradicts = ((data["p"] > 0.1) & (z > 2.6) & ~cells["p_op"].isin(["<", "<="])) | (
        (data["p"] < 0.01) & (z < 1.6) & ~cells["p_op"].eq(">") & (exact | (data["p"] > 0))
    )
    wrong = included(tables, "contrasts") & contradicts
    texts = [f"estimate and its error make z = {x:.2g}, which this p does not allow" for x in z[wrong]]
    yield ask(contrasts, "p", wrong, texts, SOURCE)


def rounding(table: CsvTable, *columns: str) -> pd.Series:
    """Half a unit of the last printed digit, the coarsest of the columns."""
    places = [table.cells[c].str.extract(r"\.(\d+)$")[0].str.len().fillna(0) for c in columns]
    return 10.0 ** -pd.concat(places, axis=1).min(axis=1)


def question_percentages(tables: Tables) -> Iterator[pd.DataFrame]:
    """Percentages that look like fractions, and percentages that their counts do not give."""
    settle = "write percentages from 0 to 100; see the count behind it"
    outcomes, expectancy, subjective = tables["outcomes"], tables["expectancy"], tables["subjective"]
    percent_score = subjective.cells["value_type"].isin(["percent_of_people", "percent_of_administrations"])
    for table, column, rows in (
        (outcomes, "response_pct", outcomes.data["n"].notna() | True), (outcomes, "remission_pct", outcomes.data["n"].notna() | True),
        (expectancy, "value", expectancy.cells["measure"].str.endswith("_pct").astype(bool)),
        (subjective, "mean", percent_score), (subjective, "percent_complete_mystical", percent_score | True),
        (tables["mediation"], "percent_mediated", tables["mediation"].data["percent_mediated"].notna()),
    ):  # fmt: skip
        value = table.data[column]
        wrong = rows & (value > 0) & (value <= 1)
        yield ask(table, column, wrong, "a fraction? the column holds percentages", settle)
    for count, column in (("responders", "response_pct"), ("remitters", "remission_pct")):
        share = 100 * outcomes.data[count] / outcomes.data["n"]
        wrong = (share - outcomes.data[column]).abs() > 2
        rows = zip(outcomes.cells[count][wrong], outcomes.cells["n"][wrong], share[wrong], strict=True)
        yield ask(outcomes, column, wrong, [f"{a} of {b} is {c:.3g} %" for a, b, c in rows], settle)
    wrong = outcomes.data["remitters"] > outcomes.data["responders"]
    texts = [f"more than the {x} responders" for x in outcomes.cells["responders"][wrong]]
    yield ask(outcomes, "remitters", wrong & included(tables, "outcomes"), texts, SOURCE)


def question_people(tables: Tables) -> Iterator[pd.DataFrame]:
    """Numbers of people that do not fit their trial, the trial's other arms, or one another."""
    trials, arms, outcomes = tables["trials"], tables["arms"], tables["outcomes"]
    settle = "see the flow diagram: randomised to the arm, analysed at this time"
    arm_in = included(tables, "arms") & (arms.data["include_arm"] == 1)
    facts = trials.data.drop_duplicates("trial_id").set_index("trial_id")
    randomised = arms.data["trial_id"].map(facts["n_randomised"]).astype(float)
    crossed = arms.data["trial_id"].map(facts["design"]) == "crossover"
    n = arms.data["n"].where(arm_in)
    total = n.groupby(arms.data["trial_id"]).transform("sum")
    wrong = arm_in & (n > randomised)
    yield ask(arms, "n", wrong, [f"more than the {x:g} randomised in the trial" for x in randomised[wrong]], settle)
    largest = n.groupby(arms.data["trial_id"]).transform("max")
    wrong = arm_in & ~crossed & (total > randomised) & (n == largest) & (n <= randomised)
    rows = zip(total[wrong], randomised[wrong], strict=True)
    yield ask(
        arms,
        "n",
        wrong,
        [f"the trial's arms have {a:g} people together, randomised were {b:g}" for a, b in rows],
        settle,
    )
    whole = arm_in.groupby(arms.data["trial_id"]).transform("sum") == arms.data["n"].where(arm_in).groupby(
        arms.data["trial_id"]
    ).transform("count")
    short = arm_in & whole & ~crossed & (total < 0.7 * randomised) & (n == largest)
    rows = zip(total[short], randomised[short], strict=True)
    yield ask(
        arms,
        "n",
        short,
        [f"the trial's arms have only {a:g} people together, randomised were {b:g}" for a, b in rows],
        settle,
    )
    others = (total - n) / (n.groupby(arms.data["trial_id"]).transform("count") - 1)
    wrong = arm_in & (n > 6 * others.clip(lower=10))
    yield ask(arms, "n", wrong, [f"the trial's other arms have {x:.3g} people" for x in others[wrong]], settle)
    wrong = arm_in & (n > 1000)
    yield ask(arms, "n", wrong, "no trial of these drugs had an arm of that size", settle)
    of_arm = arms.data.drop_duplicates(["trial_id", "arm_id"]).set_index(["trial_id", "arm_id"])["n"]
    for name in ("outcomes", "subjective", "associations", "expectancy"):
        table = tables[name]
        keys = pd.MultiIndex.from_frame(table.data[["trial_id", "arm_id"]])
        size = pd.Series(of_arm.reindex(keys).to_numpy(float), table.data.index)
        if name in ("associations", "expectancy"):
            in_trial = table.data["trial_id"].map(facts["n_randomised"]).astype(float)
            size = size.fillna(in_trial)
        wrong = included(tables, name) & (table.data["n"] > size)
        yield ask(table, "n", wrong, [f"the arm or trial has {x:g} people" for x in size[wrong]], settle)
        if name == "outcomes":
            wrong = included(tables, name) & (table.data["n"] < size / 3)
            yield ask(table, "n", wrong, [f"of {x:g} people in the arm" for x in size[wrong]], settle)
    on_scale = outcomes.data.where(included(tables, "outcomes"))
    median = on_scale["n"].groupby([outcomes.data["trial_id"], outcomes.data["arm_id"]]).transform("median")
    wrong = included(tables, "outcomes") & (on_scale["n"] > 3 * median)
    yield ask(outcomes, "n", wrong, [f"other rows of the arm have about {x:g}" for x in median[wrong]], settle)


def question_therapy(tables: Tables) -> Iterator[pd.DataFrame]:
    """Marks of therapy that its kind, its hours or the trial's other arms contradict."""
    arms = tables["arms"]
    data, cells = arms.data, arms.cells
    arm_in = included(tables, "arms") & (data["include_arm"] == 1)
    settle = "see what the article says of preparation, support and integration"
    kind = cells["psychotherapy"]
    none = kind.isin(["none", "education"])
    given = ~none & ~kind.isin(["", "not_reported", "computer_training"])
    wrong = arm_in & ((data["therapy"] == 0) & given | (data["therapy"] == 1) & none)
    yield ask(arms, "therapy", wrong, [f"psychotherapy says {word}" for word in kind[wrong]], settle)
    hours = data[["therapy_hours_prep", "therapy_hours_integration", "therapy_hours_nondrug"]].max(axis=1)
    wrong = arm_in & (data["therapy"] == 0) & (hours > 0)
    yield ask(arms, "therapy", wrong, [f"the arm has {x:g} hours of it outside dosing" for x in hours[wrong]], settle)
    parts = data[["therapy_hours_prep", "therapy_hours_integration"]].sum(axis=1, min_count=2)
    wrong = arm_in & ((parts - data["therapy_hours_nondrug"]).abs() > 1)
    yield ask(
        arms,
        "therapy_hours_nondrug",
        wrong,
        [f"preparation and integration make {x:g} hours" for x in parts[wrong]],
        settle,
    )
    blind = arm_in & cells["role"].isin(["active", "low_dose", "inert_placebo", "active_placebo"])
    differs = data["therapy"].where(blind).groupby(cells["trial_id"]).transform("nunique") > 1
    unsaid = kind.isin(["", "not_reported"])
    wrong = blind & differs & unsaid & data["therapy"].notna()
    yield ask(arms, "therapy", wrong, "the trial's arms differ in therapy and psychotherapy does not say how", settle)


def question_scores(tables: Tables) -> Iterator[pd.DataFrame]:
    """Acute scores, t values and mediated effects that their own parts contradict."""
    subjective, acute, mediation = tables["subjective"], tables["acute_contrasts"], tables["mediation"]
    width = subjective.data["scale_max"] - subjective.data["scale_min"]
    for column, part in (
        ("mean", (subjective.data["mean"] - subjective.data["scale_min"]) / width),
        ("sd", subjective.data["sd"] / width),
    ):
        told = subjective.data[f"{column}_fraction"]
        wrong = (
            included(tables, "subjective") & subjective.cells["value_type"].eq("score") & ((part - told).abs() > 0.02)
        )
        rows = zip(part[wrong], told[wrong], strict=True)
        yield ask(
            subjective,
            column,
            wrong,
            [f"on its scale it is {a:.3g} of the range, {column}_fraction says {b:g}" for a, b in rows],
            SOURCE,
        )
    dz = acute.data["t"] / np.sqrt(acute.data["n"])
    wrong = acute.cells["statistic"].eq("t_paired") & ((dz - acute.data["dz"]).abs() > 0.05 + 0.02 * dz.abs())
    yield ask(acute, "dz", wrong, [f"t / sqrt(n) is {x:.3g}" for x in dz[wrong]], SOURCE)
    data = mediation.data
    parts = data["direct_effect"] + data["indirect_effect"]
    wrong = included(tables, "mediation") & (
        (parts - data["total_effect"]).abs() > 0.25 * data["total_effect"].abs() + 0.1
    )
    yield ask(
        mediation, "total_effect", wrong, [f"direct and indirect effect make {x:.3g}" for x in parts[wrong]], SOURCE
    )
