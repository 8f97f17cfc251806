"""The examples in docstrings run, and what a newcomer calls first has one."""

import doctest

import pytest

import pillprocess as pp

FINDER = doctest.DocTestFinder(recurse=False)
EXAMPLES = {
    name: found[0]
    for name in pp.__all__
    if callable(thing := getattr(pp, name)) and (found := FINDER.find(thing, name)) and found[0].examples
}
FIRST = {
    "load_evidence", "evidence_map", "arm_changes", "contrasts", "set_aside", "decomposition_design", "fit", "relative_effects",
    "contributions", "heterogeneity", "effect_table", "identifiability", "compare", "forest_table", "in_points", "certainty_word",
    "load_participants", "bang_index", "named_designs", "design_ledger", "drugs_of", "to_docx", "to_latex",
}  # fmt: skip
"""What a newcomer calls first, and can run in a second. Of mediation and the synthesis, which sample, the notebooks are the examples."""


@pytest.fixture(scope="module")
def read_once():
    """The evidence and its rows are read once for all examples, and no model is fitted twice."""
    evidence = pp.load_evidence()
    arms = pp.arm_changes(evidence)
    contrasts = pp.contrasts(evidence, besides=arms)
    fit, fitted = pp.fit, {}

    def fit_once(design, *, seed):
        key = design.sizes["row"], tuple(design.attrs["terms"]), seed
        return fitted[key] if key in fitted else fitted.setdefault(key, fit(design, seed=seed))

    return {
        "load_evidence": lambda: evidence, "arm_changes": lambda evidence: arms, "contrasts": lambda evidence, besides: contrasts,
        "fit": fit_once,
    }  # fmt: skip


def test_what_a_newcomer_calls_first_has_an_example():
    assert set(EXAMPLES) >= FIRST


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_says_what_happens(name, monkeypatch, read_once):
    for function, kept in read_once.items():
        monkeypatch.setattr(pp, function, kept)
    said: list[str] = []
    failed, tried = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(EXAMPLES[name], out=said.append)
    assert failed == 0, "".join(said)
    assert tried
