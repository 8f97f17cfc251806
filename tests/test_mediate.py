"""From a table of participants to a folder of results, and the published analyses again."""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import pillprocess as pp
from pillprocess.mediate import run_mediate
from pillprocess.reproduce_mediation import reproduce_mediation


def simulated_trial(n: int = 160) -> pd.DataFrame:
    """Simulated, not real: a = 2, b = -1.5, c' = -1, no interaction."""
    rng = np.random.default_rng(3)
    treated = np.repeat([0, 1], n // 2)
    before = rng.normal(20, 3, n)
    meq = 3 + 2 * treated + rng.normal(0, 1, n)
    after = before - 4 - 1 * treated - 1.5 * meq + rng.normal(0, 2, n)
    arm = np.where(treated == 1, "<b>drug</b>", "placebo")
    return pd.DataFrame({"arm": arm, "meq30": meq, "madrs": after, "madrs_0": before})


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mediate")
    simulated_trial().to_csv(folder / "trial.csv", index=False)
    page = run_mediate(
        folder / "trial.csv", treatment="arm", reference="placebo", mediators=["meq30"], outcome="madrs", baseline="madrs_0",
        out=folder / "out", seed=1, draws=500, progress=False,
    )  # fmt: skip
    return page.parent


@pytest.mark.slow
def test_the_folder_holds_report_tables_figures_and_posterior(results):
    assert {p.name for p in results.iterdir()} == {"report.html", "run.json", "tables", "figures", "posterior"}
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in (results / "figures").glob("*.png"))
    posterior = xr.open_datatree(results / "posterior" / "mediation.nc", engine="h5netcdf")
    assert "posterior" in posterior.children
    posterior.close()


@pytest.mark.slow
def test_the_effects_are_those_that_were_simulated_and_add_up(results):
    effects = pd.read_csv(results / "tables" / "effects.csv").set_index("estimand")
    for name, truth in {"te": -4.0, "tnie": -3.0, "pnde": -1.0}.items():
        assert effects.loc[name, "ci_low"] < truth < effects.loc[name, "ci_high"], name
    assert effects.loc["te", "mean"] == pytest.approx(effects.loc[["pnde", "tnie"], "mean"].sum(), abs=1e-9)


@pytest.mark.slow
def test_the_reports_effects_are_the_tables_and_names_are_escaped(results):
    page = (results / "report.html").read_text(encoding="utf-8")
    assert "<b>drug</b>" not in page
    assert "&lt;b&gt;drug&lt;/b&gt;" in page
    effects = pd.read_csv(results / "tables" / "effects.csv").set_index("estimand")
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert f"{effects.loc['te', 'mean']:.3g}" in text
    assert not re.search(r'src="(?!data:)', page)


@pytest.mark.slow
def test_the_published_analyses_come_back(shared, tmp_path):
    for name in ("mediation_jobs/jobs.csv", "bmlm_blch9/BLch9.csv"):
        (tmp_path / Path(name).name).write_bytes(shared(f"cases/{name}").read_bytes())
    table = reproduce_mediation(folder=tmp_path, seed=1, draws=1000)
    compared = table.dropna(subset=["published", "reproduced"])
    assert len(compared) >= 5
    # posterior means against published point estimates: a third of the published half-width; .01 where none is printed (the
    # tipping correlation was published on a grid of .05, the direct effects come from 1,000 bootstrap draws)
    allowed = ((compared["published_high"] - compared["published_low"]) / 6).fillna(0.01)
    assert ((compared["reproduced"] - compared["published"]).abs() <= allowed).all()


def test_without_the_data_every_case_is_listed_with_the_reason(tmp_path):
    table = reproduce_mediation(folder=tmp_path)
    assert table["reproduced"].isna().all()
    assert table["published"].notna().any()
    assert table["note"].str.len().min() > 10


def test_the_overlap_of_the_arms_is_drawn(save_figure):
    people = pp.load_participants(
        simulated_trial(), treatment="arm", reference="placebo", mediators=["meq30"], outcome="madrs"
    )
    ax = pp.plot_overlap(people)
    assert ax.get_xlabel() == "meq30"
    save_figure(ax)
    plt.close(ax.figure)
    with pytest.raises(ValueError, match="luck"):
        pp.plot_overlap(people, mediator="luck")
