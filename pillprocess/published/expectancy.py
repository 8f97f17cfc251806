"""Published analyses of belief and of a crossover, beside what their public data give here."""

from pathlib import Path

import numpy as np
import pandas as pd

from pillprocess.published.datasets import fetch_ketamine_crossover, fetch_microdose
from pillprocess.published.random_intercept import random_intercept_reml

MICRODOSE = {
    "PANAS": (2.39, 1.10, 5.51),
    "intensity": (12.7, 3.5, 36.7),
    "mood": (4.92, 1.88, None),
    "energy": (5.45, 2.60, None),
    "creativity": (4.81, 1.95, None),
    "STAIT": (-1.54, -0.78, None),
}
"""Per scale: the condition's effect without and with the guess in the model, and the guess's own coefficient."""

ADJUSTED = {
    "PANAS": ("expectancy", "psychiatric_past"),
    "intensity": ("expectancy",),
    "mood": ("expectancy", "psychiatric_past"),
    "energy": ("expectancy", "psychiatric_past", "sex"),
    "creativity": ("expectancy", "psychiatric_past"),
    "STAIT": ("psychiatric_past", "suggestibility"),
}
"""Covariates of the script that the authors published with the data."""

KETAMINE_DAY_2 = -6.75


def reproduce_expectancy(
    *, microdose_folder: str | Path | None = None, ketamine_folder: str | Path | None = None
) -> pd.DataFrame:
    """Put published and reproduced figures side by side: the microdose trial's mixed models, the ketamine crossover.

    The guess-adjusted models are descriptions: the guess was made after dosing. `microdose_mediation` gives the mediator
    model's answer. The published condition effects come from models without covariates; the script beside the data adjusts
    for covariates, and those estimates follow with no published figure.

    Parameters
    ----------
    microdose_folder, ketamine_folder
        Folders that hold the data (see `fetch_microdose`, `fetch_ketamine_crossover`); by default they are fetched.

    Returns
    -------
    DataFrame: ``study``, ``outcome``, ``quantity``, ``model``, ``published`` (missing where no figure is), ``reproduced``,
    ``se``, ``difference_in_se``, ``n`` (rows, or pairs, or people), ``people``.

    Raises
    ------
    DatasetError
        The data could not be read.
    """
    microdose = fetch_microdose(folder=microdose_folder)
    rows = [row for scale in MICRODOSE for row in _microdose(microdose, scale, ())]
    rows += [row for scale in MICRODOSE for row in _microdose(microdose, scale, ADJUSTED[scale])]
    table = pd.DataFrame([*rows, *_ketamine(fetch_ketamine_crossover(folder=ketamine_folder))])
    table["difference_in_se"] = (table["reproduced"] - table["published"]) / table["se"]
    order = [
        "study",
        "outcome",
        "quantity",
        "model",
        "published",
        "reproduced",
        "se",
        "difference_in_se",
        "n",
        "people",
    ]
    return table[order]


def _microdose(table: pd.DataFrame, scale: str, covariates: tuple[str, ...]) -> list[dict[str, object]]:
    """Condition effect of one scale without and with the guess."""
    rows = table[table["scale"] == scale]
    published = (None, None, None) if covariates else MICRODOSE[scale]
    out = []
    for guess, wanted in (
        ([], {"condition": published[0]}),
        (["guess"], {"condition": published[1], "guess": published[2]}),
    ):
        columns = ["condition", *guess, *covariates]
        source = rows.assign(
            condition=(rows["treatment"] == "microdose").astype(float), guess=rows["guessed_microdose"]
        )
        X = pd.get_dummies(source[columns], drop_first=True, dtype=float)
        fit = random_intercept_reml(rows["score"], X, person=rows["person"])
        model = f"score ~ {' + '.join(columns)} + (1 | person)"
        for term, figure in wanted.items():
            quantity = f"{term} effect {'with' if guess else 'without'} guess in the model"
            estimate, se = fit.loc[term]
            out.append(
                {"study": "szigeti2021_microdose", "outcome": scale, "quantity": quantity, "model": model, "published": figure,
                 "reproduced": estimate, "se": se, "n": fit.attrs["n"], "people": fit.attrs["people"]}
            )  # fmt: skip
    return out


def _ketamine(table: pd.DataFrame) -> list[dict[str, object]]:
    """Paired and first-period contrasts of the depressed participants, and how the effect fades."""
    depressed = table[table["group"] == "MDD"]
    visits = depressed.dropna(subset=["treatment"]).pivot_table(
        index="person", columns=["treatment", "day"], values="MADRS"
    )
    baseline = depressed[depressed["day"] == 0].set_index("person")["MADRS"]
    estimates: list[tuple[str, str, float | None, pd.Series, pd.Series | None]] = []
    paired = "mean of within-person differences of scores; ignores carry-over"
    for day, published in ((2, KETAMINE_DAY_2), (10, None)):
        pairs = visits["ketamine", day] - visits["placebo", day]
        estimates.append((f"ketamine - placebo, day {day}, paired", paired, published, pairs, None))
    for day in (2, 10):
        first = depressed[(depressed["period"] == 1) & (depressed["day"] == day)].set_index("person")
        change = first["MADRS"] - baseline.reindex(first.index)
        arms = [change[first["treatment"] == arm] for arm in ("ketamine", "placebo")]
        quantity, model = (
            f"ketamine - placebo, day {day}, first period",
            "difference between people of mean changes from baseline",
        )
        estimates.append((quantity, model, None, arms[0], arms[1]))
    for arm in ("ketamine", "placebo"):
        fading = "mean of within-person differences; positive is improvement lost"
        estimates.append((f"day 10 - day 2 after {arm}", fading, None, visits[arm, 10] - visits[arm, 2], None))
    people = depressed["person"].nunique()
    return [
        {
            "study": "evans2018",
            "outcome": "MADRS",
            "quantity": quantity,
            "model": model,
            "published": published,
            "people": people,
        }
        | _mean_difference(one, other)
        for quantity, model, published, one, other in estimates
    ]


def _mean_difference(one: pd.Series, other: pd.Series | None) -> dict[str, float]:
    """Mean of one group, or its difference from another's, with its standard error."""
    groups = [g.dropna() for g in ([one] if other is None else [one, other])]
    means = [g.mean() for g in groups] + [0.0]
    se = np.sqrt(sum(g.var() / len(g) for g in groups))
    return {"reproduced": means[0] - means[1], "se": float(se), "n": sum(map(len, groups))}
