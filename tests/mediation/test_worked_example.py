"""The worked examples run as they stand on their pages, and their effects are those of the people they simulate."""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest

import pillprocess as pp
from tests.mediation.sessions import least_squares_course
from tests.mediation.trees import tree

DOCS = Path(__file__).resolve().parents[2] / "docs"
SESSIONS = ["insight_1", "insight_2", "insight_3"]


def blocks(page: str) -> list[str]:
    """The Python of a page of the documentation."""
    if not (DOCS / page).is_file():
        pytest.skip("docs/ is not here")
    return re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)


def least_squares(model, people):
    """In place of a fit: the least-squares coefficients of both equations, with severity's products."""
    T, x = people.treatment.to_numpy()[:, 0], people.covariates["severity"].to_numpy()
    m, y, one = people.mediators["depth"].to_numpy(), people.outcome.to_numpy(), np.ones(len(people))
    of_m, of_y = (
        np.linalg.lstsq(np.column_stack(columns), values, rcond=None)[0]
        for columns, values in (((one, T, x, T * x), m), ((one, T, x, m, T * m, T * x, m * x), y))
    )
    names = ("alpha_m", "a", "gamma_m", "a_x"), ("alpha_y", "c", "gamma_y", "b", "theta", "c_x", "b_x")
    values = (
        dict(zip(names[0], of_m, strict=True))
        | dict(zip(names[1], of_y, strict=True))
        | {"sigma_m": 10.0, "sigma_y": 5.0}
    )
    shape = {name: tuple(len(model.coords[d]) for d in model.named_vars_to_dims.get(name, ())) for name in values}
    return tree(model, {name: np.full((2, *shape[name]), value) for name, value in values.items()})


def test_the_page_of_baseline_severity_runs_and_gives_the_effects_it_promises(monkeypatch, capsys):
    names: dict[str, object] = {}
    monkeypatch.setattr(pp, "fit", lambda model, **_: least_squares(model, names["people"]))
    monkeypatch.setattr(pp, "check_fit", lambda _: None)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*it extrapolates", category=UserWarning)
        for block in blocks("baseline_severity.md"):
            exec(block, names)
        for value, true in ((27, -0.5), (32, -3.0), (37, -5.5)):
            effects = pp.natural_effects(names["idata"], at={"severity": value})
            assert float(effects["tnie"][0, 0]) == pytest.approx(true, abs=1.5)
    moderated = names["moderated"].set_index("estimand")
    assert moderated.loc["tnie_difference", "mean"] == pytest.approx(-5, abs=1.5)
    assert "tnie_difference" in capsys.readouterr().out


def test_the_page_of_sessions_runs_and_gives_the_effects_it_promises(monkeypatch):
    """With least squares in place of a fit, of the page's 240 people and, for the truth it names, of 200,000."""
    names: dict[str, object] = {}

    def fitted(model, **_):
        drug = (names["table"]["arm"] == "psilocybin").astype(float)
        table = names["table"].assign(arm=drug, x=np.arange(len(drug)) % 3 - 1.0)  # a covariate that does nothing
        draws = least_squares_course(table, tuple(model.coords["mediator"]))
        none = {"gamma_m": np.zeros((1, len(model.coords["mediator"]), 0)), "gamma_y": np.zeros((1, 0))}
        return tree(model, {name: np.repeat(value, 2, axis=0) for name, value in (draws | none).items()})

    monkeypatch.setattr(pp, "fit", fitted)
    monkeypatch.setattr(pp, "check_fit", lambda _: None)
    code = blocks("sessions.md")
    for block in code:
        exec(block, names)
    assert names["effects"]["iie"][0, 0, 2].item() == pytest.approx(-5.2, abs=0.6)
    exec(code[0].replace("240", "200_000"), names)
    model = pp.mediation(names["people"], order=names["course"])
    found = pp.trajectory_effects(fitted(model), mediators=SESSIONS, visits=["madrs_1", "madrs_2"])
    for name, truth in {"oe": (-5.0, -8.8, -9.4), "ide": (-2.0, -3.0, -3.1), "iie": (-3.0, -5.8, -6.3)}.items():
        assert found[name][0, 0].to_numpy() == pytest.approx(truth, abs=0.15)
    short = pp.load_participants(
        names["table"][:240], treatment="arm", reference="placebo", outcome="madrs_6", mediators=SESSIONS, higher_is_worse=True
    )  # fmt: skip
    without = pp.trajectory_effects(fitted(pp.mediation(short, order=SESSIONS)), mediators=SESSIONS)
    assert without["iie"][0, 0, 0].item() == pytest.approx(-8.7, abs=0.15)
