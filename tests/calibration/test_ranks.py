"""Simulation-based calibration: exact bands, journals that survive a kill, ranks that depend on nothing but the seed."""

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from typer.testing import CliRunner

from pillprocess.calibration import ranks as ranking
from pillprocess.calibration.bands import calibration_note, check_calibration
from pillprocess.calibration.journal import JOURNAL
from pillprocess.calibration.plot import plot_calibration
from pillprocess.calibration.ranks import RANKED, Case, Replicate, calibrate
from pillprocess.calibration.run import executor_called
from pillprocess.cli import app
from pillprocess.output import uniformity
from pillprocess.output.multiplicity import holm
from pillprocess.output.results import ResultsError

OUTSIDE = {
    "mediation-outcomes": [
        "te of ordinal_logit",
        "te of hazard_cloglog",
        "period_y of hazard_cloglog[2]",
        "log_likelihood of hazard_cloglog",
    ],
    "mediation-clusters": ["correlation_therapist[alpha_y ~ b[experience]]"],
    "mediation-crossover": ["a[insight, psilocybin]"],
    "decomposition": ["contribution[course]", "contribution[drug:therapy]"],
    "mediation-trials": ["tau[alpha_m[experience]]"],
    "synthesis": ["without_experience[LSD]", "a[ketamine]", "a[psilocybin]", "b[MDMA]", "b[ketamine]"],
    "time-course": ["effect[LSD, 1.0, 1.0]"],
    "unblinding": ["a_belief_raw[psilocybin]"],
}
"""Quantities outside their own 95 % band, which chance alone puts there once in twenty."""

REFERENCE = Path(__file__).parent / "reference"


def toy(fit: str) -> Case:
    """Mean of five normal values with a normal prior; the fit is right, too narrow, or forgets the data."""

    def run(rng: np.random.Generator) -> Replicate:
        mean = rng.normal()
        y = mean + rng.normal(size=5)
        sd = {"right": np.sqrt(1 / 6), "narrow": 0.5 * np.sqrt(1 / 6), "forgets": 1.0}[fit]
        posterior = (0.0 if fit == "forgets" else y.sum() / 6) + sd * rng.normal(size=(1, 400))

        def quantities(value: np.ndarray) -> xr.Dataset:
            density = -0.5 * ((y - value[..., None]) ** 2).sum(-1)
            return xr.Dataset({"mean": (("chain", "draw"), value), "log_likelihood": (("chain", "draw"), density)})

        return Replicate(quantities(np.array([[mean]])), quantities(posterior), 0)

    return Case({"fit": fit}, lambda: run)


def right() -> Case:
    return toy("right")


def narrow() -> Case:
    return toy("narrow")


def forgets() -> Case:
    return toy("forgets")


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("right", "narrow", "forgets"):
        monkeypatch.setitem(ranking.MODELS, name, f"{__name__}:{name}")


def uniform(n: int = 200, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, RANKED + 1, n)


def as_ranks(rank: np.ndarray, quantity: str = "te") -> pd.DataFrame:
    return pd.DataFrame({"replication": np.arange(len(rank)), "quantity": quantity, "rank": rank, "draws": RANKED})


# Bands


@pytest.mark.parametrize(("n", "draws"), [(3, 3), (4, 2)])
def test_the_p_value_is_the_share_of_all_possible_ranks_that_depart_as_far(n, draws):
    every = np.array(list(itertools.product(range(draws + 1), repeat=n)))
    tails = uniformity._tails(n, draws)
    points = np.arange(draws)
    statistic = np.array([tails[points, uniformity.counts_below(r, draws)].min() for r in every])
    for rank, own in zip(every, statistic, strict=True):
        assert uniformity.p_value(rank, draws) == pytest.approx((statistic <= own).mean(), abs=1e-12)


def test_an_ecdf_lies_in_the_band_exactly_when_its_p_value_is_above_one_in_twenty():
    low, high = uniformity.band(50, 19, 0.95)
    rng = np.random.default_rng(1)
    seen = set()
    for tilt in np.repeat([0.6, 0.8, 1.0, 1.3], 50):
        rank = (20 * rng.random(50) ** tilt).astype(int)
        count = uniformity.counts_below(rank, 19)
        inside = bool(((count >= low) & (count <= high)).all())
        assert inside == (uniformity.p_value(rank, 19) > 0.05)
        seen.add(inside)
    assert seen == {True, False}


def test_the_band_of_200_replications_holds_95_percent_of_uniform_ranks():
    low, high = uniformity.band(200, RANKED, 0.95)
    counts = np.array([uniformity.counts_below(uniform(seed=s), RANKED) for s in range(2000)])
    outside = ((counts < low) | (counts > high)).any(axis=1).sum()
    # Binomial(2000, .05) has mean 100 and SD 9.7; the seeds are fixed.
    assert 70 <= outside <= 130


@pytest.mark.parametrize(
    ("distort", "way"),
    [
        (lambda u: u**1.5, "too high"),
        (lambda u: 1 - (1 - u) ** 1.5, "too low"),
        (lambda u: np.where(u < 0.5, 2 * u**2, 1 - 2 * (1 - u) ** 2), "too narrow"),
        (lambda u: np.where(u < 0.5, np.sqrt(u / 2), 1 - np.sqrt((1 - u) / 2)), "too wide"),
    ],
)
def test_a_verdict_says_in_which_way_posteriors_are_wrong(distort, way):
    rank = (100 * distort((np.arange(200) + 0.5) / 200)).astype(int)
    verdict = check_calibration(as_ranks(rank)).iloc[0]
    assert not verdict["inside"]
    assert way in verdict["verdict"]
    assert "outside the 95% band" in verdict["verdict"]


def test_quantities_are_weighed_together():
    good = [as_ranks(uniform(seed=s), f"q{s}") for s in range(4)]
    table = check_calibration(pd.concat(good))
    assert table["quantity"].tolist() == ["q0", "q1", "q2", "q3"]
    assert table["verdict"].eq("inside the 95% band").all()
    assert "no sign of miscalibration" in calibration_note(table)
    few = pd.concat([good[0].assign(ess=500.0), good[1].assign(ess=[20.0, *[500.0] * 199])])
    assert "fewer effective draws than the rank needs in 1 of 200 fits" in calibration_note(check_calibration(few))
    bad = check_calibration(pd.concat([*good, as_ranks(uniform() // 2, "tau")]))
    assert "4 of 5 quantities lie inside" in calibration_note(bad)
    assert "NOT calibrated: tau, outside the 95% band" in calibration_note(bad)
    assert holm(np.array([0.04, 0.01, 0.5])) == pytest.approx([0.08, 0.03, 0.5])


def test_ranks_that_cannot_be_judged_are_refused():
    ranks = as_ranks(uniform(10))
    with pytest.raises(ValueError, match=r"probability = 95; it must lie between 0 and 1"):
        check_calibration(ranks, probability=95)
    with pytest.raises(ValueError, match="ranks need rows and the columns .* absent: draws"):
        check_calibration(ranks.drop(columns="draws"))
    with pytest.raises(ValueError, match="absent: rows"):
        check_calibration(ranks.iloc[:0])
    broken = ranks.assign(rank=ranks["rank"].where(ranks.index != 3, 120), draws=[99] * 9 + [150])
    with pytest.raises(
        ValueError, match=r"(?s)no verdict was given.*replication 3, te: rank 120 is not .*te: ranks among different"
    ):
        check_calibration(broken)


# Replications


@pytest.mark.usefixtures("toys")
def test_a_right_fit_passes_and_wrong_ones_are_found_the_one_that_forgets_its_data_by_the_log_likelihood_alone():
    verdicts = {
        name: check_calibration(calibrate(name)).set_index("quantity") for name in ("right", "narrow", "forgets")
    }
    assert verdicts["right"]["inside"].all()
    assert "too narrow" in verdicts["narrow"].loc["mean", "verdict"]
    assert verdicts["forgets"].loc["mean", "inside"]
    assert not verdicts["forgets"].loc["log_likelihood", "inside"]


@pytest.mark.usefixtures("toys")
def test_tied_ranks_are_broken_at_random():
    case = toy("right")

    def coin(rng: np.random.Generator) -> Replicate:
        side = rng.integers(0, 2, size=(1, 401)).astype(float)
        names = ("chain", "draw")
        return Replicate(xr.Dataset({"x": (names, side[:, :1])}), xr.Dataset({"x": (names, side[:, 1:])}), 0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "_ready", lambda model: coin)
        ranks = pd.DataFrame([ranking.replicate("right", 1, i) for i in range(200)])
    assert case.settings == {"fit": "right"}
    rank = np.array([r["x"] for r in ranks["ranks"]])
    assert uniformity.p_value(rank, RANKED) > 0.05
    assert len(np.unique(rank)) > 60


@pytest.fixture(scope="module")
def uninterrupted() -> pd.DataFrame:
    return calibrate("decomposition", replications=6)


def test_ranks_are_whole_numbers_between_0_and_the_number_of_draws(uninterrupted):
    assert uninterrupted["rank"].between(0, RANKED).all()
    assert (uninterrupted["draws"] == RANKED).all()
    assert uninterrupted.groupby("replication").size().nunique() == 1
    assert uninterrupted["replication"].unique().tolist() == list(range(6))
    wanted = {"tau", "kappa", "effect[psilocybin, 1.0]", "contribution[drug:therapy]", "log_likelihood"}
    assert wanted <= set(uninterrupted["quantity"])
    assert (uninterrupted["ess"] > RANKED).all()


def test_order_and_executor_do_not_change_a_rank(uninterrupted):
    with ThreadPoolExecutor(2) as pool:
        again = calibrate("decomposition", replications=2, executor=pool)
    pd.testing.assert_frame_equal(again, uninterrupted[uninterrupted["replication"] < 2])
    other = calibrate("decomposition", replications=1, seed=2)
    assert (other["rank"].to_numpy() != again.loc[again["replication"] == 0, "rank"].to_numpy()).any()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["process", "dask"])
def test_processes_and_a_dask_cluster_give_the_same_ranks(name, uninterrupted):
    with executor_called(name) as pool:
        again = calibrate("decomposition", replications=2, executor=pool)
    pd.testing.assert_frame_equal(again, uninterrupted[uninterrupted["replication"] < 2])


def test_a_killed_run_goes_on_and_gives_the_ranks_of_an_uninterrupted_one(tmp_path, uninterrupted):
    command = [sys.executable, "-m", "pillprocess", "calibrate", "decomposition", "--out", str(tmp_path), "--quiet"]
    journal = tmp_path / "decomposition" / JOURNAL
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=os.environ | {"MPLBACKEND": "Agg"}
    ) as run:
        deadline = time.monotonic() + 300
        while run.poll() is None and time.monotonic() < deadline:
            if journal.is_file() and journal.read_bytes().count(b"\n") > 2:
                break
            time.sleep(0.05)
        run.send_signal(signal.SIGKILL)
        run.wait()
    kept = journal.read_bytes()
    assert run.returncode == -signal.SIGKILL
    assert 3 <= kept.count(b"\n") < 7
    whole = kept[: kept.rindex(b"\n") + 1]
    journal.write_bytes(whole + b'{"replication":5,"dra')
    resumed = calibrate("decomposition", replications=6, folder=tmp_path / "decomposition")
    pd.testing.assert_frame_equal(resumed, uninterrupted)
    assert journal.read_bytes().startswith(whole)
    assert journal.read_bytes().count(b"\n") == 7


def test_the_command_writes_ranks_verdicts_and_figure(tmp_path, uninterrupted):
    result = CliRunner().invoke(
        app, ["calibrate", "decomposition", "--replications", "2", "--out", str(tmp_path / "c")], catch_exceptions=False
    )
    assert result.exit_code == 0
    assert re.search(r"2[234] of 24 quantities lie inside", result.output)
    folder = tmp_path / "c" / "decomposition"
    assert {p.name for p in folder.iterdir()} == {JOURNAL, "ranks.csv", "verdicts.csv", "calibration.png"}
    written = pd.read_csv(folder / "ranks.csv")
    pd.testing.assert_frame_equal(written, uninterrupted[uninterrupted["replication"] < 2])


@pytest.mark.usefixtures("toys")
def test_a_model_that_is_not_calibrated_ends_with_exit_status_1(tmp_path, monkeypatch):
    monkeypatch.setitem(ranking.MODELS, "mediation", f"{__name__}:narrow")
    for cached in (ranking._case, ranking._ready):
        cached.cache_clear()
    result = CliRunner().invoke(app, ["calibrate", "mediation", "--out", str(tmp_path), "--quiet"])
    for cached in (ranking._case, ranking._ready):
        cached.cache_clear()
    assert result.exit_code == 1
    assert "NOT calibrated: " in result.output


# Folders


@pytest.mark.usefixtures("toys")
def test_a_folder_of_another_calibration_is_refused_and_left_as_it_is(tmp_path):
    calibrate("right", replications=2, folder=tmp_path)
    before = (tmp_path / JOURNAL).read_bytes()
    with pytest.raises(ResultsError, match=r"belongs to another calibration: seed 1 \(now 2\); nothing was run"):
        calibrate("right", replications=2, seed=2, folder=tmp_path)
    with pytest.raises(ResultsError, match=r"model right \(now narrow\), fit right \(now narrow\); nothing was run"):
        calibrate("narrow", replications=2, folder=tmp_path)
    assert (tmp_path / JOURNAL).read_bytes() == before


@pytest.mark.usefixtures("toys")
def test_more_replications_may_be_asked_for_later_and_fewer_are_the_first_ones(tmp_path):
    steps: list[tuple[int, int]] = []
    calibrate("right", replications=3, folder=tmp_path)
    more = calibrate("right", replications=5, folder=tmp_path, step=lambda done, total: steps.append((done, total)))
    assert steps == [(4, 5), (5, 5)]
    pd.testing.assert_frame_equal(more, calibrate("right", replications=5))
    fewer = calibrate("right", replications=2, folder=tmp_path)
    pd.testing.assert_frame_equal(fewer, more[more["replication"] < 2])


@pytest.mark.usefixtures("toys")
def test_a_header_that_was_cut_off_is_written_again(tmp_path):
    (tmp_path / JOURNAL).write_bytes(b'{"model":"ri')
    ranks = calibrate("right", replications=2, folder=tmp_path)
    assert json.loads((tmp_path / JOURNAL).read_text().splitlines()[0])["model"] == "right"
    assert ranks["replication"].nunique() == 2


@pytest.mark.usefixtures("toys")
def test_folders_that_cannot_hold_a_calibration_are_refused(tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(ResultsError, match="file is not a folder; nothing was written"):
        calibrate("right", replications=1, folder=file)
    with pytest.raises(ResultsError, match="holds something other than a calibration; nothing was written"):
        calibrate("right", replications=1, folder=tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    damaged = tmp_path / "damaged"
    calibrate("right", replications=2, folder=damaged)
    lines = (damaged / JOURNAL).read_text().splitlines()
    (damaged / JOURNAL).write_text("\n".join([lines[0], lines[1][:30], lines[2], ""]))
    with pytest.raises(ResultsError, match=r"replications.jsonl line 2 is damaged; nothing was run"):
        calibrate("right", replications=2, folder=damaged)


def test_wrong_choices_are_named():
    with pytest.raises(ValueError, match=r"model = 'meditation'; it must be one of decomposition, .*; nothing was run"):
        calibrate("meditation")
    with pytest.raises(ValueError, match="replications = 0; at least 1 is needed; nothing was run"):
        calibrate("decomposition", replications=0)
    with (
        pytest.raises(ValueError, match="executor = 'mpi'; it must be serial, process or dask"),
        executor_called("mpi"),
    ):
        pass


def test_without_dask_its_executor_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(ValueError, match=r"needs Dask: pip install 'pillprocess\[distributed\]'"),
        executor_called("dask"),
    ):
        pass


def test_a_p_value_is_never_below_zero():
    assert 0 <= uniformity.p_value(np.arange(200) % (RANKED // 2), RANKED) < 1e-9


@pytest.mark.usefixtures("toys")
def test_the_figure_has_a_panel_per_quantity_and_marks_those_outside(save_figure):
    ranks = pd.concat([as_ranks(uniform(), "te"), as_ranks(uniform() // 2, "tau"), as_ranks(uniform(seed=6), "tnie")])
    figure = plot_calibration(ranks)
    panels = [ax for ax in figure.axes if ax.get_title(loc="left")]
    assert [ax.get_title(loc="left").split()[0] for ax in panels] == ["te", "tau", "tnie"]
    assert [ax.lines[0].get_color() for ax in panels] == ["#1F4E9C", "#C8501A", "#1F4E9C"]
    assert [ax.lines[0].get_linestyle() for ax in panels] == ["-", "--", "-"]
    save_figure(figure)
    narrow = plot_calibration(ranks, width="one_column", title="Is it calibrated?")
    assert narrow.get_figwidth() * 25.4 == pytest.approx(89)
    assert narrow.get_suptitle() == "Is it calibrated?"
    assert [ax.get_subplotspec().get_gridspec().ncols for ax in narrow.axes] == [2] * 4


# The real sampler, and the committed runs


@pytest.mark.slow
def test_refits_of_one_compiled_mediation_give_the_same_ranks_when_resumed(tmp_path):
    whole = calibrate("mediation", replications=4, folder=tmp_path / "whole")
    journal = (tmp_path / "whole" / JOURNAL).read_text().splitlines()
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / JOURNAL).write_text("\n".join(journal[:3]) + "\n")
    pd.testing.assert_frame_equal(calibrate("mediation", replications=4, folder=tmp_path / "part"), whole)
    assert {"te", "pnde", "tnie", "cde", "log_likelihood"} <= set(whole["quantity"])
    assert whole["rank"].between(0, RANKED).all()


@pytest.mark.parametrize("model", [name for name in ranking.MODELS if name != "decomposition"])
def test_a_replication_ranks_what_the_committed_run_ranked(model, monkeypatch):
    """The sampler is replaced by draws from the prior: everything but the fit is what the full run does."""
    from pillprocess.inference import refit

    compiled, compile_prior = [], refit.prior_sampler

    def remembered(built):
        compiled.append(compile_prior(built))
        return compiled[-1]

    def prior_instead(built, chain):
        assert chain.draws >= RANKED
        draw = compiled[-1] if compiled else compile_prior(built)
        assert {name for name in map(str, draw(np.random.default_rng(0)))} <= set(built.named_vars)
        return lambda data, rng: (xr.concat([draw(rng) for _ in range(RANKED + 1)], "draw"), 0)

    monkeypatch.setattr(refit, "refitter", prior_instead)
    monkeypatch.setattr(refit, "prior_sampler", remembered)
    ranking._ready.cache_clear()
    try:
        record = ranking.replicate(model, seed=3, index=0)
    finally:
        ranking._ready.cache_clear()
    committed = pd.read_csv(REFERENCE / f"{model}.csv", comment="#", index_col="replication", nrows=1)
    assert list(record["ranks"]) == [c for c in committed if c not in ("divergences", "lowest_ess")]
    assert all(0 <= rank <= RANKED for rank in record["ranks"].values())
    assert len(set(record["ranks"].values())) > 3


def test_ranks_are_committed_for_every_model():
    assert sorted(path.stem for path in REFERENCE.glob("*.csv")) == sorted(ranking.MODELS)


@pytest.mark.parametrize("model", ranking.MODELS)
def test_the_committed_ranks_of_a_model_are_uniform(model):
    wide = pd.read_csv(REFERENCE / f"{model}.csv", comment="#", index_col="replication")
    ranks = wide.drop(columns=["divergences", "lowest_ess"]).melt(
        var_name="quantity", value_name="rank", ignore_index=False
    )
    verdicts = check_calibration(ranks.reset_index().assign(draws=RANKED))
    assert (verdicts["replications"] == 200).all()
    assert (verdicts["p_corrected"] > 0.05).all(), calibration_note(verdicts)
    assert verdicts.loc[~verdicts["inside"], "quantity"].tolist() == OUTSIDE.get(model, [])
    assert "log_likelihood" in {quantity.split(" of ")[0] for quantity in verdicts["quantity"]}


def test_the_command_says_so_and_fails_where_a_model_is_not_calibrated(monkeypatch, tmp_path):
    from typer.testing import CliRunner

    from pillprocess.calibration import run
    from pillprocess.cli import app

    verdicts = pd.DataFrame({"quantity": ["te"], "inside": [False], "p": [0.0001]})
    monkeypatch.setattr(run, "run_calibrate", lambda *_, **__: (verdicts, "mediation is NOT calibrated: te"))
    result = CliRunner().invoke(app, ["calibrate", "mediation", "--out", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert "NOT calibrated: te" in result.output
