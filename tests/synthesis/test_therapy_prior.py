import numpy as np
import pandas as pd
import pytest

from pillprocess.evidence.tables import embedded_folder
from pillprocess.synthesis.therapy_prior import pool_psychotherapy, therapy_prior


def test_prior_spans_the_pooled_effect_and_the_differences_between_trials():
    prior = therapy_prior("depression", "any control")
    assert prior["prior_mean"] == prior["mean"] < 0
    assert prior["prior_sd"] == pytest.approx(np.hypot(prior["se"], prior["tau"]))
    assert prior["source_url"].startswith("https://doi.org/")


def test_what_there_is_is_named_where_there_is_no_such_row():
    with pytest.raises(
        ValueError, match="no psychotherapy trials of 'gout' against 'waitlist'; there are: ptsd, waitlist;"
    ):
        therapy_prior("gout", "waitlist")


def test_the_embedded_table_follows_from_the_public_files(shared):
    folder = "evidence/public/metapsy_data-{}/data.csv"
    made = pool_psychotherapy(shared(folder.format("ptsd-psyctr")), shared(folder.format("total-response")))
    kept = pd.read_csv(embedded_folder() / "therapy_priors.csv")
    pd.testing.assert_frame_equal(made, kept[made.columns], check_dtype=False, atol=6e-5)
