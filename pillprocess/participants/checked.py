"""Participants as every model takes them: columns by role, checked."""

from dataclasses import dataclass, field

import pandas as pd


@dataclass(frozen=True)
class Participants:
    """Checked participants; every table has one row per participant and the same index.

    Attributes
    ----------
    outcome
        Outcome, missing where it was not observed.
    event
        Where the outcome is a time to an event: 1 where it happened then, 0 where the person was last seen without it; else None.
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
    clusters
        One column of labels per kind of cluster (therapist, site); missing where an arm has none.
    treatment_moderators, mediator_moderators
        Covariates, by their column of the file, on which the effects of treatment, or the mediator's slope, depend.
    trial_noun
        What the labels of ``trial`` are, by the name of their column: ``"trials"``, ``"sites"`` or ``"people"``.
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
    clusters: pd.DataFrame = field(default_factory=pd.DataFrame)
    treatment_moderators: tuple[str, ...] = ()
    mediator_moderators: tuple[str, ...] = ()
    trial_noun: str = "trials"
    event: pd.Series | None = None

    def __len__(self) -> int:
        return len(self.outcome)


def count_missing(observed: pd.DataFrame, arm: pd.Series) -> pd.DataFrame:
    """Count the values of each column that are missing in each arm: ``column``, ``arm``, ``n``, ``missing``."""
    size = arm.value_counts()
    rows = [
        (str(column), a, int(size[a]), int(observed.loc[arm == a, column].isna().sum()))
        for column in observed for a in sorted(size.index)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["column", "arm", "n", "missing"])
