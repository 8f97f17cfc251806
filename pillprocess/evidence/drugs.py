"""The drugs of an evidence base: what its ``reference_doses.csv`` gives a dose and its ``drugs.csv`` an experience."""

from pillprocess.evidence.tables import Evidence


def known_drugs(evidence: Evidence) -> tuple[str, ...]:
    """Return the drugs that have an experience or a reference dose, in the order of ``drugs.csv``, then the others in theirs."""
    return tuple(dict.fromkeys([*experiences_of(evidence), *evidence.reference_doses["drug"]]))


def drugs_of(evidence: Evidence) -> tuple[str, ...]:
    """Return the drugs that have a reference dose, in the order of every table and figure.

    Parameters
    ----------
    evidence
        From :func:`pillprocess.load_evidence`.

    Returns
    -------
    Names: those of ``drugs.csv`` in its order, then the others in the order of ``reference_doses.csv``. The embedded evidence
    has psilocybin, LSD, MDMA, ketamine and esketamine.

    Examples
    --------
    >>> import pillprocess as pp
    >>> evidence = pp.load_evidence()
    >>> pp.drugs_of(evidence)
    ('psilocybin', 'LSD', 'MDMA', 'ketamine', 'esketamine')
    """
    held = set(evidence.reference_doses["drug"])
    listed = [drug for drug in evidence.drugs["drug"] if drug in held]
    return tuple(dict.fromkeys([*listed, *evidence.reference_doses["drug"]]))


def experiences_of(evidence: Evidence) -> dict[str, str]:
    """Return the dimension of experience through which each drug's effect may run, for the drugs that have one."""
    rows = evidence.drugs.dropna(subset=["experience"])
    return {str(drug): str(dimension) for drug, dimension in rows[["drug", "experience"]].itertuples(index=False)}
