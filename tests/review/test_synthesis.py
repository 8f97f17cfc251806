"""What the report says of the synthesis, from draws of the prior in place of the sampler's: every table, sentence and figure."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from pillprocess.output.pages import estimate, render_page
from pillprocess.review import synthesis as review
from pillprocess.review.figures import synthesis_axes
from pillprocess.synthesis.compiled import finish_synthesis, prior_of
from pillprocess.synthesis.plots import PATH_NAMES
from pillprocess.synthesis.words import synthesis_answer
from tests.synthesis.cases import small_evidence


def from_prior(model):
    """A stand-in for the compiled model: every fit is 1,000 draws of the prior."""
    prior = prior_of(model, seed=1, draws=1000)
    four = prior.isel(chain=0).coarsen(draw=250).construct(draw=("chain", "draw")).drop_vars("chain", errors="ignore")
    four = four.assign_coords(chain=range(4), draw=range(250)).transpose("chain", "draw", ...)
    four["causal_share"] = (("chain", "draw"), np.random.default_rng(1).uniform(size=(4, 250)))
    asked = []

    def refit(items=None, *, seed, draws=0, tune=0, chains=4, target_accept=0.95, checked=False, **chosen):
        given = model.items if items is None else items
        asked.append((checked, chosen))
        settings = json.loads(given.attrs["settings"]) | chosen
        settings["terms"] = sorted(settings["terms"])
        items = given.assign_attrs(settings=json.dumps(settings))
        return finish_synthesis(xr.DataTree.from_dict({"/posterior": four}), items, seed=seed)

    return refit, asked


@pytest.fixture(scope="module")
def found(build_evidence):
    evidence, kept = small_evidence(build_evidence), []
    patch = pytest.MonkeyPatch()
    patch.setattr(review, "check_fit", lambda _: pd.DataFrame(index=pd.Index([], name="parameter")))
    patch.setattr(review, "compile_synthesis", lambda model: kept.append(from_prior(model)) or kept[0][0])
    try:
        return review.analyse_synthesis(evidence, seed=1), kept[0][1]
    finally:
        patch.undo()


def test_no_table_rests_on_a_fit_that_nobody_checked(found):
    _, asked = found
    assert len(asked) > 20
    assert all(checked for checked, _ in asked[1:])  # the first is the headline, whose check is a table


def test_the_section_of_the_report_fills_from_the_tables_and_every_figure_is_drawn(found, save_figure):
    answer, _ = found
    tables = {name: table.to_dict("records") for name, table in answer.tables.items()}
    figures = dict.fromkeys(
        ("synthesis_effects", "synthesis_paths", "synthesis_pooling", "synthesis_curve", "synthesis_without"), ""
    )
    page = render_page(
        "sections/synthesis.html",
        {
            "tables": tables, "synthesis": synthesis_answer(answer.tables, answer.note, drug="psilocybin"),
            "synthesis_why": "", "path_names": PATH_NAMES,
            "drugs": ["psilocybin", "ketamine"], "main_drug": "psilocybin",
            "figures": figures, "narrow": figures, "setting": {0.0: "alone", 1.0: "with therapy"},
        },
        wing="review", writes=estimate,
    )  # fmt: skip
    assert ">comparison between drugs</th>" in page
    assert "own trials only" in page
    assert 'href="#comparisons"' in page, "the hypotheses stand with the other comparison"
    rows = pd.DataFrame({"study_drug": ["psilocybin"]})
    analysis = SimpleNamespace(tables=answer.tables, rows=rows, fits={"synthesis": answer.fit})
    for axes in synthesis_axes(analysis, width="two_column").values():
        save_figure(axes)


def test_every_table_of_the_answer_is_there_and_its_words_follow(found):
    answer, _ = found
    tables = answer.tables
    assert set(tables["synthesis_pooling"]["pooling"]) == {
        "pooled as far as the data say", "no pooling between drugs", "own trials only"
    }  # fmt: skip
    assert "comparison between drugs" in set(tables["synthesis_without"]["without"])
    assert tables["synthesis_informed"]["transport_name"].unique().tolist() == [
        "these trials alone",
        "0.05",
        "0.3",
        "1",
    ]
    assert {"p_most", "prior_p_most", "p_process", "prior_p_process"} <= set(tables["synthesis_share"])
    assert (tables["synthesis_hypotheses"]["mcse"] > 0).all()
    text = " ".join(synthesis_answer(tables, answer.note, drug="psilocybin"))
    assert tables["synthesis_power"].empty, "the committed simulations are of the embedded evidence, not of this"
    assert "Could this body of evidence have told" not in text
    assert "How much other drugs' trials move the first of these: ketamine " in text
    assert "which is no randomised comparison, the course from waiting lists): ketamine " in text
    assert "The Monte Carlo error of an elpd is at most" in text
