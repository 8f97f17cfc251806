"""Every error of the package is met by a test that expects its words.

A static check, so that a new ``raise`` without a test fails here: each message must share three words in a row with a
string of the tests; an error whose text comes from elsewhere must be expected by its type.
"""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import pillprocess

PACKAGE = Path(pillprocess.__file__).parent
TESTS = Path(__file__).parent
IN_A_ROW = 3


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9_]+", text.replace("\\", "").lower())


def strings(tree: ast.AST) -> list[str]:
    return [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def runs(text: str) -> set[str]:
    """Every run of three words of a text, or the whole of a shorter one."""
    found = words(text)
    return {" ".join(found[i : i + IN_A_ROW]) for i in range(max(len(found) - IN_A_ROW, 0) + 1)} - {""}


@cache
def expected() -> tuple[str, frozenset[str]]:
    """The words of all strings of the tests, one string a line; and the error types the tests expect."""
    trees = [
        ast.parse(path.read_text(encoding="utf-8")) for path in TESTS.rglob("*.py") if path.name != Path(__file__).name
    ]
    texts = "\n".join(" " + " ".join(words(text)) + " " for tree in trees for text in strings(tree))
    types = {
        node.id
        for tree in trees
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and ast.unparse(call.func) in ("pytest.raises", "raises")
        for argument in call.args
        for node in ast.walk(argument)
        if isinstance(node, ast.Name)
    }
    return texts, frozenset(types)


def raises() -> list[tuple[str, ast.Call]]:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                found.append((f"{path.relative_to(PACKAGE)}:{node.lineno}", node.exc))
    return found


def is_expected(call: ast.Call) -> bool:
    texts, types = expected()
    name = ast.unparse(call.func)
    if name in ("SystemExit", "typer.Exit"):
        wanted = " returncode == 1 " if name == "SystemExit" else "exit_code == 1"
        return wanted in "\n".join(path.read_text(encoding="utf-8") for path in TESTS.rglob("*.py"))
    fragments = {run for text in strings(call) for run in runs(text)}
    longest = max((len(run.split()) for run in fragments), default=0)
    if longest < 2:
        return name in types
    return any(f" {run} " in texts for run in fragments if len(run.split()) == longest)


@pytest.mark.parametrize(("place", "call"), [pytest.param(place, call, id=place) for place, call in raises()])
def test_the_words_of_every_error_are_expected_by_a_test(place, call):
    assert is_expected(call), f"no test expects the words of {place}: {ast.unparse(call)[:200]}"


def test_the_check_itself_refuses_an_error_that_no_test_expects():
    assert not is_expected(ast.parse("ValueError('gibberish frobnicates ' f'{x} sideways today')").body[0].value)
    assert not is_expected(ast.parse("UnheardOfError(problems)").body[0].value)
