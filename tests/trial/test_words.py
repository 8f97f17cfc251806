"""The words of every report follow whether treatment was randomised: neither kind of report borrows the other's."""

import dataclasses
import re
import warnings
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.text import Text

from pillprocess.belief import analysis as belief_analysis
from pillprocess.belief import moderation
from pillprocess.belief.coding import coded_guesses
from pillprocess.mediation import analysis as mediation_analysis
from pillprocess.participants.table import Participants, load_participants
from pillprocess.review.figures import drawings
from pillprocess.trial.belief_report import rests_on
from pillprocess.trial.report import MediationReport, draw_figures, render_mediation
from tests.mediation.trees import tree
from tests.participants.trials import two_sites

OF_RANDOMISED = (
    "rests on randomisation",
    "Treatment is randomised",
    "randomised at every level",
    "Randomisation, setting",
    "Total effect of",
)
OF_OBSERVATIONAL = (
    "not randomised",
    "Observational",
    "Allocation, setting",
    "Difference of",
    "only if nothing else that acts on",
)


@pytest.fixture(autouse=True)
def off_screen():
    backend = mpl.get_backend()
    mpl.use("Agg")
    yield
    plt.close("all")
    mpl.use(backend)


@pytest.fixture(autouse=True)
def by_hand(monkeypatch):
    """Replace the sampler by draws written down."""

    def drawn(model, **_) -> xr.DataTree:
        rng = np.random.default_rng(1)
        values = {}
        for variable in [*model.free_RVs, *model.deterministics]:
            shape = tuple(len(model.coords[d]) for d in model.named_vars_to_dims.get(variable.name, ()))
            values[variable.name] = -0.4 + 0.05 * rng.normal(size=(200, *shape))
        for name in values:
            if name.startswith(("sigma", "tau", "nu")):
                values[name] = 1 + np.abs(values[name])
        return tree(model, values)

    def same(model, idata, names, *, seed) -> xr.DataTree:
        idata["prior"] = idata["posterior"].dataset
        return idata

    passed = pd.DataFrame({"r_hat": [1.0]}, index=pd.Index(["a"], name="parameter"))
    for module in (belief_analysis, mediation_analysis, moderation):
        monkeypatch.setattr(module, "fit", drawn)
        monkeypatch.setattr(module, "check_fit", lambda _: passed)
        if hasattr(module, "with_prior"):
            monkeypatch.setattr(module, "with_prior", same)


def people(table: pd.DataFrame, mediators: list[str], randomised: bool) -> Participants:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return load_participants(
            table,
            treatment="arm",
            reference="placebo",
            outcome="madrs_6",
            mediators=mediators,
            baseline="madrs_0",
            randomised=randomised,
        )


def pages(tmp_path: Path, kind: str) -> tuple[str, str, str]:
    """Text of the report of a randomised and of an observational study, and the words of the figures."""
    rng = np.random.default_rng(4)
    table = (
        two_sites()
        .dropna()
        .assign(guess=lambda t: np.where(rng.random(len(t)) < 0.5, "placebo", "psilocybin"), hope=lambda t: t["age"])
    )
    coded = coded_guesses(table, guess="guess", treatment="arm", reference="placebo", active=None)
    mediators = {"mediation": ["meq30"], "guess": ["guess"], "both": ["guess", "meq30"], "expectation": []}[kind]
    both = [people(coded, mediators, randomised) for randomised in (True, False)]
    mediation = belief = None
    if kind == "mediation":
        mediation = mediation_analysis.analyse_mediation(both[0], seed=1)
    elif kind == "expectation":
        belief = moderation.analyse_expectancy(both[0], table["hope"], baseline="madrs_0", seed=1)
    else:
        belief = belief_analysis.analyse_belief(both[0], table["guess"], guess="guess", timing="endpoint", seed=1)
    path = tmp_path / "trial.csv"
    table.to_csv(path)
    figures, texts = {}, []
    for who in both:
        own = dataclasses.replace(mediation, people=who) if mediation else None
        report = MediationReport(who, own, belief)
        figures = figures or draw_figures(report)
        texts.append(
            re.sub(
                r"\s+", " ", re.sub(r"<[^>]+>", " ", render_mediation(report, drawings(figures), source=path, seed=1))
            )
        )
    drawn = " ".join(t.get_text() for figure in figures.values() for t in figure.findobj(Text))
    return texts[0], texts[1], drawn


@pytest.mark.parametrize("kind", ["mediation", "guess", "both", "expectation"])
def test_no_report_uses_the_words_of_the_other_kind(tmp_path, kind):
    randomised, observational, drawn = pages(tmp_path, kind)
    for word in OF_OBSERVATIONAL:
        assert word not in randomised, word
    for word in OF_RANDOMISED:
        assert word not in observational, word
    assert re.search("rests on randomisation|randomised at every level", randomised)
    assert "Treatment was not randomised: this is a difference between the arms given the covariates" in observational
    assert (
        "Design and source of data One trial; table trial.csv. Observational: treatment was not randomised."
        in observational
    )
    assert re.findall(r"(?<!not )randomi[sz]\w*", observational) == []
    assert re.search("How much of the difference in|Does the difference in", observational)
    assert "randomi" not in drawn


def test_the_sentence_names_what_was_adjusted_for(tmp_path):
    table = two_sites().dropna()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        bare = load_participants(
            table, treatment="arm", reference="placebo", outcome="madrs_6", mediators=["meq30"], randomised=False
        )
    assert "a difference between the arms, unadjusted, and an effect only if" in rests_on(bare)
