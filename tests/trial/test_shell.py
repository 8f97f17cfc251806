"""The mediate command's values by name, and what the check says of clusters, moderators and scales."""

import numpy as np
import pandas as pd
import pytest
import typer

from pillprocess.participants.clusters import trial_noun
from pillprocess.participants.table import ParticipantError
from pillprocess.trial.choices import TrialChoices
from pillprocess.trial.inspection import check_trial
from pillprocess.trial.option_values import mediator_level, named_values, varying_paths


def test_values_are_read_by_name():
    assert named_values(["severity=20", "a=b=1.5"], "--at") == {"severity": 20.0, "a=b": 1.5}
    assert mediator_level(["3"]) == 3.0
    assert mediator_level(["meq=3", "awe=1"]) == {"meq": 3.0, "awe": 1.0}
    assert mediator_level([]) is None
    assert varying_paths(["a", "c"]) == ["a", "c"]
    assert varying_paths(["therapist=a", "site=b", "therapist=b"]) == {"therapist": ["a", "b"], "site": ["b"]}


@pytest.mark.parametrize("text", ["severity", "severity=high", "=3"])
def test_a_value_without_a_name_or_number_is_refused(text):
    with pytest.raises(typer.BadParameter, match="a name and a number are needed, such as --at severity=20"):
        named_values([text], "--at")


def test_a_level_that_is_no_number_is_refused():
    with pytest.raises(typer.BadParameter, match="a number is needed, or MEDIATOR=NUMBER for each mediator"):
        mediator_level(["much"])


@pytest.fixture
def source(tmp_path):
    rng = np.random.default_rng(2)
    i = np.arange(60)
    m = rng.normal(10 + 2 * (i % 2), 2)
    table = pd.DataFrame({"arm": i % 2, "bdi_0": rng.normal(30, 5, 60), "meq": m, "bdi": 30 - m + rng.normal(0, 3, 60)})
    table.assign(therapist=[f"t{x}" for x in i // 2 % 5]).to_csv(tmp_path / "trial.csv", index=False)
    return {
        "source": tmp_path / "trial.csv",
        "treatment": "arm",
        "outcome": "bdi",
        "mediators": ("meq",),
        "baseline": "bdi_0",
    }


def test_the_check_reads_clusters_and_moderators(source):
    said = check_trial(
        TrialChoices(**source, clusters=("therapist",), treatment_moderators=("bdi_0",)), vary=["a"], at={"bdi_0": 20}
    )
    assert any("5 clusters of 'therapist': how much they differ leans on the prior" in s for s in said)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"vary": ["x"]}, "'x' is no path"),
        ({"at": {"bdi0": 20}}, "at: no covariate bdi0; the design columns are bdi_0"),
        ({"scale": "log_odds_ratio"}, "log_rate_ratio for a count; this outcome is gaussian"),
        ({"of": {"at_least": 4}}, "at_least=VALUE, the chance of that value or more, for an ordinal outcome"),
        ({"family_outcome": "weibull"}, "needs to know whose follow-up ended before the event"),
    ],
)
def test_the_check_refuses_paths_values_and_scales_that_are_not_there(source, how, said):
    with pytest.raises(ParticipantError, match=said):
        check_trial(TrialChoices(**source, clusters=("therapist",)), **how)


@pytest.mark.parametrize(
    ("column", "noun"),
    [("site", "sites"), ("study_centre", "sites"), ("subject_id", "people"), ("trial", "trials"), (None, "trials")],
)
def test_the_labels_of_trials_have_the_right_noun(column, noun):
    assert trial_noun(column) == noun
