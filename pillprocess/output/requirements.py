"""Which packages are missing, or of a version this one was not made for."""

from importlib.metadata import PackageNotFoundError, requires, version


def unmet_requirements() -> list[str]:
    """Say of every package that is not as this one's declaration wants it what is there and what would be right.

    Returns
    -------
    Sentences; an empty list where all is well, or where this package was not installed but copied.
    """
    from packaging.requirements import Requirement

    try:
        declared = [Requirement(text) for text in requires("pillprocess") or ()]
    except PackageNotFoundError:
        return []
    problems = []
    for wanted in declared:
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        name, versions = wanted.name, str(wanted.specifier)
        try:
            found = version(name)
        except PackageNotFoundError:
            problems.append(
                f"{name} is not installed; pillprocess needs {name}{versions}: pip install '{name}{versions}'"
            )
            continue
        if not wanted.specifier.contains(found, prereleases=True):
            problems.append(
                f"{name} {found} is installed; pillprocess needs {name}{versions}: pip install '{name}{versions}'"
            )
    return problems
