"""Whether the columns of a trial can be told apart: each varies, was seen with the others, and follows from none of them."""

import pandas as pd

from pillprocess.participants.checks import constant_problems, rank_problems
from pillprocess.participants.coding import numbers
from pillprocess.participants.dependence import dependence_problems, product_problems
from pillprocess.participants.people import never_together
from pillprocess.participants.roles import Roles


def told_apart(
    table: pd.DataFrame,
    roles: Roles,
    treatment: pd.DataFrame,
    arm: pd.Series,
    covariates: pd.DataFrame,
    trial: pd.Series,
) -> list[str]:
    """Columns that do not vary, were never seen together, or determine each other."""
    M, y = numbers(table[list(roles.mediators)]), numbers(table[[roles.outcome]])[roles.outcome]
    problems = constant_problems(y, M, covariates, arm, trial) + rank_problems(treatment, covariates)
    problems += never_together(y, M)
    problems = problems or dependence_problems(y, M, treatment, covariates)
    checked = dict.fromkeys(roles.mediators, "mediator") | dict.fromkeys(roles.before, "covariate")
    if roles.treatment_kind != "dose":
        problems += product_problems(table, checked | {roles.outcome: "outcome"}, arm)
    return problems
