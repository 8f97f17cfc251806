r"""Mediation in a two-period crossover, within persons.

For person i in period p = 1, 2, with treatment :math:`T_{ip}`, period :math:`z_p = \mp\tfrac12` and covariates X,

.. math::
    M_{ip} &= \alpha_m + \pi_m z_p + a T_{ip} + \lambda_m T_{i1} [p = 2] + \gamma_m X_i + u_i + \epsilon_{ip} \\
    Y_{ip} &= \alpha_y + \pi_y z_p + c T_{ip} + \lambda_y T_{i1} [p = 2] + (b + \theta T_{ip}) M_{ip} + \gamma_y X_i + w_i + e_{ip}

:math:`(u_i, w_i)` are normal with any correlation and integrated out exactly, so a common cause that does not change between the
periods does not touch b, the slope within persons. Carry-over :math:`\lambda` is what the first period's treatment leaves in the
second; in two periods it is known only from comparisons between persons, so its prior counts.
"""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable

from pillprocess.mediation.data import add_constants
from pillprocess.mediation.stacked import cells_log_likelihood, collapse_cells
from pillprocess.mediation.sufficient import standardise
from pillprocess.participants.crossover import Crossover, both_periods, values_of

PERIOD = np.array([-0.5, 0.5])


def crossover_mediation(
    crossover: Crossover,
    *,
    interaction: bool = True,
    carry_over: bool = True,
    prior_a_sd: float = 2.0,
    prior_b_sd: float = 0.5,
    prior_c_sd: float = 0.7,
    prior_interaction_sd: float = 0.35,
    prior_period_sd: float = 0.5,
    prior_carry_over_sd: float = 0.35,
    prior_intercept_sd: float = 2.0,
    prior_covariate_sd: float = 1.0,
    prior_sigma_sd: float = 1.0,
    prior_person_sd: float = 1.0,
) -> pm.Model:
    """Build the within-person mediation model of a two-period crossover (Gaussian).

    `natural_effects` and `mediation_paths` take its fit: effects are differences of mean outcomes within persons, on average over the
    two periods, without carry-over. Identification: te by the randomised order, values missing at random given what was
    seen of the person, and carry-over as modelled; the others assume as well that nothing that changes between the periods affects both
    mediator and outcome, and that the first period's mediator does not affect the second's outcome but through the treatment's
    carry-over. The first period alone is ``mediation(crossover.first)``.

    Parameters
    ----------
    crossover
        From `load_crossover`.
    interaction
        Let the outcome's slope on the mediator differ between the arms.
    carry_over
        Model carry-over; False says that there is none.
    prior_a_sd, prior_b_sd, prior_c_sd, prior_interaction_sd, prior_intercept_sd, prior_covariate_sd, prior_sigma_sd
        As in `mediation`, in SD units.
    prior_period_sd, prior_carry_over_sd
        SDs of the normal priors of the difference between the periods and of carry-over, in SD units.
    prior_person_sd
        Half-normal scale of the SDs between persons, in SD units. The correlation of mediator and outcome between persons is
        uniform from -1 to 1.

    Returns
    -------
    ``pm.Model``. Variables in SD units end in ``_raw``; ``period_m``, ``period_y``, ``carry_over_m``, ``carry_over_y``, ``person_m``,
    ``person_y`` and ``person_correlation`` stand beside those of `mediation`; ``sigma_m`` and ``sigma_y`` are within persons.

    Raises
    ------
    ValueError
        Anything but a crossover was given.
    """
    if not isinstance(crossover, Crossover):
        raise ValueError(
            f"a crossover from load_crossover is needed; got a {type(crossover).__name__}. No model was built"
        )
    people = both_periods(crossover)
    mediators, arms = [str(m) for m in people.mediators.columns], [str(a) for a in people.treatment.columns]
    units = standardise(people, mediators=mediators, binary_mediator=False, binary_outcome=False)
    values = (values_of(crossover) - np.repeat([units.m_mean[0], units.y_mean], 2)) / np.repeat(
        [units.m_sd[0], units.y_sd], 2
    )
    n = len(crossover)
    coords = {"mediator": mediators, "arm": arms, "covariate": list(people.covariates.columns)}
    with pm.Model(coords=coords) as model:
        a, b, c, alpha_m, alpha_y, period_m, period_y = (
            pm.Normal(f"{name}_raw", 0, sd)
            for name, sd in {
                "a": prior_a_sd, "b": prior_b_sd, "c": prior_c_sd, "alpha_m": prior_intercept_sd, "alpha_y": prior_intercept_sd,
                "period_m": prior_period_sd, "period_y": prior_period_sd,
            }.items()
        )  # fmt: skip
        theta = pm.Normal("theta_raw", 0, prior_interaction_sd) if interaction else pt.zeros(())
        carried_m, carried_y = (
            pm.Normal(f"carry_over_{v}_raw", 0, prior_carry_over_sd) if carry_over else pt.zeros(()) for v in "my"
        )
        gamma_m, gamma_y = (pm.Normal(f"gamma_{v}_raw", 0, prior_covariate_sd, dims="covariate") for v in "my")
        sigma_m, sigma_y = (pm.HalfNormal(f"sigma_{v}_raw", prior_sigma_sd) for v in "my")
        person_m, person_y = (pm.HalfNormal(f"person_{v}_raw", prior_person_sd) for v in "my")
        rho = pm.Uniform("person_correlation", -1, 1)
        cells = collapse_cells(units.T[:n], units.X[:n], values)
        assert cells is not None  # a crossover whose outcome was never observed is refused when it is read
        first, means, loadings = cells.treatment[:, 0], [], []
        zero, each = pt.zeros(len(first)), (len(first), 1)
        common = rho * person_y, person_y * pt.sqrt(1 - rho**2)
        of_y: list[TensorVariable] = []
        root_y: list[TensorVariable] = []
        for p, T in enumerate((first, 1 - first)):
            own = alpha_m + period_m * PERIOD[p] + a * T + (carried_m * first if p else zero)
            mean_m = pt.concatenate([own[:, None], pt.tile(gamma_m[None], each)], axis=1)
            slope = (b + theta * T)[:, None]
            own = alpha_y + period_y * PERIOD[p] + c * T + (carried_y * first if p else zero)
            of_y.append(pt.concatenate([own[:, None], pt.tile(gamma_y[None], each)], axis=1) + slope * mean_m)
            within = [sigma_m * float(p == q) for q in range(2)]
            root_m = pt.tile(
                pt.stack([person_m, pt.zeros(()), *map(pt.as_tensor, within), pt.zeros(()), pt.zeros(())])[None], each
            )
            rest = [pt.as_tensor(sigma_y * float(p == q)) for q in range(2)]
            root_y.append(slope * root_m + pt.stack([*common, pt.zeros(()), pt.zeros(()), *rest]))
            means.append(mean_m)
            loadings.append(root_m)
        mean, root = pt.stack([*means, *of_y], axis=1), pt.stack([*loadings, *root_y], axis=1)
        pm.Potential("likelihood", cells_log_likelihood(cells, mean, root))
        m_sd, y_sd, shift = units.m_sd[0], units.y_sd, units.m_mean[0] / units.m_sd[0]
        x = units.x_mean / units.x_sd
        reported = {
            "alpha_m": ((units.m_mean[0] + m_sd * (alpha_m - pt.dot(gamma_m, x)))[None], ("mediator",)),
            "a": ((m_sd * a)[None, None], ("mediator", "arm")),
            "gamma_m": ((m_sd * gamma_m / units.x_sd)[None], ("mediator", "covariate")),
            "sigma_m": ((m_sd * sigma_m)[None], ("mediator",)),
            "alpha_y": (units.y_mean + y_sd * (alpha_y - b * shift - pt.dot(gamma_y, x)), ()),
            "c": ((y_sd * (c - theta * shift))[None], ("arm",)), "b": ((y_sd / m_sd * b)[None], ("mediator",)),
            "gamma_y": (y_sd * gamma_y / units.x_sd, ("covariate",)), "sigma_y": (y_sd * sigma_y, ()),
            "period_m": (m_sd * period_m, ()), "period_y": (y_sd * period_y, ()), "person_m": (m_sd * person_m, ()),
            "person_y": (y_sd * person_y, ()),
        }  # fmt: skip
        if interaction:
            reported["theta"] = ((y_sd / m_sd * theta)[None, None], ("mediator", "arm"))
        if carry_over:
            reported |= {"carry_over_m": (m_sd * carried_m, ()), "carry_over_y": (y_sd * carried_y, ())}
        for name, (value, dims) in reported.items():
            pm.Deterministic(name, value, dims=dims or None)
        add_constants(people, units, family_mediator="gaussian", family_outcome="gaussian")
    return model
