"""The worked example of baseline severity runs as it stands on its page, and its effects are those of the people it simulates."""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest

import pillprocess as pp
from tests.mediation.trees import tree

PAGE = Path(__file__).resolve().parents[2] / "docs" / "baseline_severity.md"


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
    if not PAGE.is_file():
        pytest.skip("docs/ is not here")
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    monkeypatch.setattr(pp, "fit", lambda model, **_: least_squares(model, names["people"]))
    monkeypatch.setattr(pp, "check_fit", lambda _: None)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*it extrapolates", category=UserWarning)
        for block in blocks:
            exec(block, names)
        for value, true in ((27, -0.5), (32, -3.0), (37, -5.5)):
            effects = pp.natural_effects(names["idata"], at={"severity": value})
            assert float(effects["tnie"][0, 0]) == pytest.approx(true, abs=1.5)
    moderated = names["moderated"].set_index("estimand")
    assert moderated.loc["tnie_difference", "mean"] == pytest.approx(-5, abs=1.5)
    assert "tnie_difference" in capsys.readouterr().out
