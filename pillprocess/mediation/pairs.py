"""Any two arms: the coefficients of one against another, from those of each against the reference."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pillprocess.mediation.gcomputation import Coefficients

BY_ARM = ("a", "c", "theta", "a_x", "c_x")
"""Coefficients of an arm against the reference."""


def none_of(k: Coefficients) -> Coefficients:
    """Coefficients of the reference, against itself."""
    none: dict[str, Any] = {name: None if getattr(k, name) is None else 0 * getattr(k, name) for name in BY_ARM}
    return replace(
        k, cov_ab=0 * k.cov_ab, zeros=None if k.zeros is None else replace(k.zeros, c=0 * k.zeros.c),
        sigma_m=k.sigma_m if k.sigma_m_reference is None else k.sigma_m_reference, **none,
    )  # fmt: skip


def contrast(k: Coefficients, other: Coefficients) -> Coefficients:
    """Coefficients of one arm against another, of which both are known against the same reference."""
    difference: dict[str, Any] = {
        name: None if getattr(k, name) is None else getattr(k, name) - getattr(other, name) for name in BY_ARM
    }
    moderated: dict[str, Any] = {
        of: getattr(k, of) if getattr(other, by) is None else getattr(k, of) + getattr(other, by)
        for of, by in (("gamma_m", "a_x"), ("gamma_y", "c_x"))
    }
    zeros = k.zeros
    if zeros is not None and other.zeros is not None:
        zeros = replace(zeros, alpha=zeros.alpha + other.zeros.c, c=zeros.c - other.zeros.c)
    return replace(
        k, alpha_m=k.alpha_m + other.a, alpha_y=k.alpha_y + other.c, b=k.b + other.theta, cov_ab=k.cov_ab - other.cov_ab,
        zeros=zeros, sigma_m_reference=None if k.sigma_m_reference is None else other.sigma_m, **difference, **moderated,
    )  # fmt: skip


def of_pair(make: Callable[[str], Coefficients], arm: str, reference: str, base: str) -> Coefficients:
    """Coefficients of an arm against ``reference``, from those of each arm against ``base``."""
    return make(arm) if reference == base else contrast(make(arm), make(reference))
