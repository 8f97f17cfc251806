"""Participants as every model takes them: columns by role, checked."""

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Participants:
    """Checked participants; every table has one row per participant and the same index.

    Attributes
    ----------
    outcome
        Outcome, missing where it was not observed.
    mediators
        One column per mediator, missing where it was not observed.
    treatment
        One column per active arm: 1 in that arm and 0 elsewhere; for a dose, one column that is 0 at the reference and
        1 at the active dose.
    covariates
        Numeric design columns, the baseline first; a factor has one 0/1 column per level other than its reference.
    trial, arm
        Labels.
    covariate_source
        Column of the file that each design column came from, indexed by design column.
    reference
        Label of the comparator arm, or the reference dose.
    higher_is_worse
        Whether high outcomes are bad; nothing is recoded.
    randomised
        Whether treatment was randomised; the words of the report follow.
    missing
        ``column``, ``arm``, ``n``, ``missing``: how many values are not observed.
    set_aside
        ``what``, ``n``, ``reason``: trials and rows that take no part.
    notes
        Sentences for the report: codings, reference levels, doubts.
    """

    outcome: pd.Series
    mediators: pd.DataFrame
    treatment: pd.DataFrame
    covariates: pd.DataFrame
    trial: pd.Series
    arm: pd.Series
    covariate_source: pd.Series
    reference: str
    higher_is_worse: bool
    missing: pd.DataFrame
    set_aside: pd.DataFrame
    notes: tuple[str, ...]
    randomised: bool = True

    def __len__(self) -> int:
        return len(self.outcome)
