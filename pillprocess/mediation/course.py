"""A mediator that was measured in every session, its course: what does not suit it; known before PyMC is loaded."""

from collections.abc import Sequence


def course_problems(course: Sequence[str], mediators: Sequence[str], *, ordered: bool, parts: str = "") -> list[str]:
    """Mediators without an order in time, and names that they do not have, or have twice; ``parts`` says in which roles."""
    if not ordered:
        return [
            "a course over sessions needs mediators that follow one another: give their order, causes first (order=, --order), with every "
            "session's and what was measured between them"
        ]
    if not course or len(set(course)) < len(course) or not set(course) <= set(mediators):
        return [
            f"course of {', '.join(course) or 'nothing'}{parts}: name at least one mediator, and each of these at most once: "
            f"{', '.join(mediators)}"
        ]
    return []
