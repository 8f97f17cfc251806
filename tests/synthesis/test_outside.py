"""What trials elsewhere say of the process terms."""

import numpy as np
import pandas as pd
import pytest

from pillprocess.evidence.tables import embedded_folder
from pillprocess.synthesis.outside import (
    belief_prior,
    course_prior,
    informed_effects,
    outside_evidence,
    transport_ledger,
)
from tests.synthesis.cases import small_items
from tests.synthesis.stand_in import fit_with


@pytest.fixture(scope="module")
def items(build_evidence):
    return small_items(build_evidence)


def test_points_become_reference_sds_per_unit_of_belief():
    sd = pd.read_csv(embedded_folder() / "instruments.csv").set_index("instrument").loc["HAMD17", "reference_sd"]
    prior = belief_prior()
    assert prior["prior_mean"] == pytest.approx(-1.3 / sd / 0.5)
    assert prior["prior_sd"] == pytest.approx((2.51 - 0.07) / 3.919928 / sd / 0.5, rel=1e-6)
    course = course_prior()
    assert (course["prior_mean"], course["prior_sd"]) == pytest.approx((-0.505, 0.468 / 3.919928), rel=1e-6)
    assert belief_prior("open-label placebo")["prior_mean"] == pytest.approx(-0.35)


def test_every_figure_has_the_address_it_was_read_at_and_its_interval_holds_it():
    table = pd.read_csv(embedded_folder() / "process_priors.csv")
    assert table["source_url"].str.startswith("http").all()
    assert ((table["ci_low"] < table["mean"]) & (table["mean"] < table["ci_high"])).all()
    assert table["gap"].between(0, 1, inclusive="right").all()
    assert set(outside_evidence()) == {"therapy", "belief", "course"}


def test_what_was_not_read_is_not_there():
    with pytest.raises(
        ValueError,
        match="nothing on belief was read for the manipulation 'hypnosis'; there are: drug announced, open-label placebo",
    ):
        belief_prior("hypnosis")


def test_answers_alone_and_informed_stand_side_by_side(items):
    seen = []

    def refit(_, *, informed, prior_transport_sd, checked, **__):
        assert checked
        seen.append((sorted(informed), prior_transport_sd))
        return fit_with(items, (-0.1, -0.1))

    table = informed_effects(fit_with(items, (-0.3, -0.3)), seed=1, refit=refit, scales=(0.1, 0.3))
    assert seen == [(["belief", "course", "therapy"], 0.1), (["belief", "course", "therapy"], 0.3)]
    one = table[(table["path"] == "direct") & (table["drug"] == "ketamine") & (table["therapy"] == 0)]
    assert one["transport"].isna().tolist() == [True, False, False]
    assert one["mean"].tolist() == pytest.approx([-0.3, -0.1, -0.1])


def test_the_ledger_gives_outside_evidence_its_share_of_information_and_says_what_conflicts(items):
    draws = fit_with(items, (-0.3, -0.3))
    posterior = draws["posterior"].dataset
    rng = np.random.default_rng(1)
    new = {
        name: (("chain", "draw"), rng.normal(mean, 0.2, (1, 400))) for name, mean in (("epsilon", 1.5), ("omega", 0.0))
    }
    new["mu"] = (("chain", "draw", "course"), rng.normal(-0.5, 0.2, (1, 400, 1)))
    draws["posterior"] = posterior.assign(new).assign_coords(course=["depression"])
    told = {"belief": (-0.5, 0.2), "course": (-0.5, 0.1)}
    ledger = transport_ledger(draws, told, scale=0.3).set_index("term")
    here = float(ledger.loc["belief", "here_sd"])
    outside = 1 / (0.2**2 + 0.3**2)
    assert ledger.loc["belief", "information_elsewhere"] == pytest.approx(outside / (outside + here**-2))
    assert ledger["verdict"].to_dict() == {"belief": "they conflict", "course": "no conflict seen"}
    assert ledger.loc["belief", "kind"] == "trials of these drugs"
    surer = transport_ledger(draws, told, scale=0.001).set_index("term")
    assert surer.loc["course", "kind"] == "randomised elsewhere, transported"
