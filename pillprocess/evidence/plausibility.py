"""Every question about a folder of tables, from every kind of company that a figure keeps."""

import numpy as np
import pandas as pd

from pillprocess.evidence.arms_apart import question_arms, question_bounds
from pillprocess.evidence.checks import Tables
from pillprocess.evidence.company import (
    question_intervals,
    question_people,
    question_percentages,
    question_scores,
    question_therapy,
)
from pillprocess.evidence.differences import question_contrasts
from pillprocess.evidence.field import (
    question_baselines,
    question_changes,
    question_doses,
    question_spread,
    question_times,
)
from pillprocess.evidence.questions import gather
from pillprocess.evidence.twins import (
    question_arms_compared,
    question_primary,
    question_same_people,
    question_twins,
    question_two_metrics,
)

KINDS = (
    question_intervals, question_percentages, question_people, question_therapy, question_scores, question_spread,
    question_changes, question_baselines, question_contrasts, question_times, question_doses, question_twins, question_two_metrics,
    question_arms_compared, question_primary, question_same_people, question_arms, question_bounds,
)  # fmt: skip


def list_questions(tables: Tables) -> pd.DataFrame:
    """All questions about the tables, each with the doubt that answers it or a blank."""
    with np.errstate(invalid="ignore", divide="ignore"):  # blanks and zeros compare as false
        asked = [part for kind in KINDS for part in kind(tables)]
    return gather(asked, tables["doubts"].data)
