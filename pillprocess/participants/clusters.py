"""Clusters of participants, such as therapists or sites: their labels, checked; which covariates moderate."""

import re
from collections.abc import Sequence

import pandas as pd

from pillprocess.participants.checked import Participants
from pillprocess.participants.coding import labels
from pillprocess.participants.people import PERSON
from pillprocess.participants.scales import plain_name

FEW_CLUSTERS = 6
"""Clusters below which a note says that their variance leans on its prior."""


def read_clusters(
    table: pd.DataFrame, columns: Sequence[str], arm: pd.Series, *, labelled: str | None
) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Read the label of every participant's cluster, one column per kind of cluster; missing where an arm has none.

    Parameters
    ----------
    table, arm
        Rows that are kept, and their arm.
    columns
        Columns of cluster labels, larger clusters first where they are nested.
    labelled
        ``"unique"``: a label is the same cluster everywhere; ``"within"``: labels are numbered anew within each cluster of the
        columns before; None: asked where it matters.

    Returns
    -------
    Labels, problems and notes.
    """
    read: dict[str, pd.Series] = {}
    problems: list[str] = []
    notes: list[str] = []
    for name in columns:
        label = labels(table[name])
        above = [
            c for c in read if (within := label.groupby(read[c]).nunique()).size > 1 and within.sum() > label.nunique()
        ]
        if above and labelled is None:
            outer = read[above[-1]]
            shared = label.groupby(label).agg(lambda rows, o=outer: o[rows.index].nunique())
            if (shared > 1).mean() > 0.5:
                problems.append(
                    f"column {name!r}: {int((shared > 1).sum())} of its {len(shared)} labels stand in several of {above[-1]!r}: are they "
                    f"one cluster in each (cluster_labels='within', --cluster-labels within), or the same one everywhere ('unique')?"
                )
        if above and labelled == "within":
            for outer in above:
                label = (read[outer] + ", " + label).where(read[outer].notna(), label)
        problems += _unfit(name, label, arm)
        bare = [str(a) for a, known in label.notna().groupby(arm) if not known.any()]
        if bare:
            notes.append(f"arm {', '.join(map(repr, bare))} has no {name}: its participants stand alone")
        count = label.nunique()
        if count < FEW_CLUSTERS:
            notes.append(f"{count} clusters of {name!r}: how much they differ leans on the prior of their SD")
        read[name] = label
    return pd.DataFrame(read, index=table.index), problems, notes


def _unfit(name: str, label: pd.Series, arm: pd.Series) -> list[str]:
    """Labels that are missing in part of an arm, or that make no clusters."""
    problems = []
    share = label.isna().groupby(arm).mean()
    for a in share.index[(share > 0) & (share < 1)]:
        rows = label.index[label.isna() & (arm == a)]
        shown = ", ".join(map(str, rows[:5])) + (f" and {len(rows) - 5} more" if len(rows) > 5 else "")
        problems.append(
            f"column {name!r}: blank on row {shown} of arm {a!r}, where others have a label; fill it in, or give each of "
            "these participants a label of their own if they had none"
        )
    if label.nunique() < 2:
        problems.append(
            f"column {name!r} as clusters has {label.nunique()} label; clusters differ from one another only if there are two"
        )
    elif label.notna().sum() == label.nunique():
        problems.append(f"column {name!r} as clusters: no two rows share a label, so it groups nobody")
    return problems


def moderator_problems(names: Sequence[str], before: Sequence[str], role: str) -> list[str]:
    """Moderators that are neither the baseline nor a covariate."""
    return [
        f"{role} names {name!r}, which is neither the baseline nor one of the covariates ({', '.join(before) or 'there are none'}); a "
        "moderator was measured before treatment and is named there too"
        for name in names
        if name not in before
    ]


def one_arm_problem(trial: str | None) -> str:
    """Say that nothing within a trial is compared, and what the column may be instead."""
    return (
        "no trial has two arms: nothing here compares the treatment with its reference within a trial. If whole clusters (schools, "
        f"therapists, sites) of one trial were given a treatment, name {trial!r} with clusters= (--cluster) instead of trial="
    )


def unmodelled(people: Participants, model: str) -> list[str]:
    """Say that a model takes neither clusters nor moderators, where participants have some."""
    given = [
        name for name, there in (
            ("clusters", len(people.clusters.columns)), ("treatment_moderators", people.treatment_moderators),
            ("mediator_moderators", people.mediator_moderators),
        ) if there
    ]  # fmt: skip
    if not given:
        return []
    return [
        f"{' and '.join(given)}: {model} takes none; load the participants without, and read its intervals as those of independent people"
    ]


def trial_noun(column: str | None) -> str:
    """What the labels of a column of trials are, by its name."""
    plain = plain_name(column or "")
    if PERSON.search(plain):
        return "people"
    return "sites" if re.search(r"(^|_)(site|centre|center|clinic|hospital|ward)(_|$)", plain) else "trials"
