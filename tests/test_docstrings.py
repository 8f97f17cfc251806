"""Every public name explains itself: what it does, every parameter, what it returns, what it raises."""

import inspect
import re

import pytest

import pillprocess as pp

NAMES = sorted(name for name in pp.__all__ if callable(getattr(pp, name)))


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_has_a_numpydoc_docstring(name):
    thing = getattr(pp, name)
    text = inspect.getdoc(thing)
    assert text, "no docstring"
    first = text.splitlines()[0]
    assert first.endswith("."), "the first line is a sentence"
    if not inspect.isfunction(thing):
        return
    signature = inspect.signature(thing)
    assert not [p for p in signature.parameters.values() if p.kind is p.VAR_KEYWORD], (
        "no **keywords in public functions"
    )
    if signature.parameters:
        assert "Parameters\n----------" in text
    parameters = text.partition("Parameters\n----------")[2].partition("\n-------")[0]
    missing = [p for p in signature.parameters if not re.search(rf"^[^ ].*\b{p}\b|^{p}\b", parameters, re.MULTILINE)]
    assert missing == [], "parameters that are not described"
    assert signature.return_annotation is None or "Returns\n-------" in text
    if re.search(r"^\s+raise ", inspect.getsource(thing), re.MULTILINE):
        assert "Raises\n------" in text
