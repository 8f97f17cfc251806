"""The house has walls: a wing imports only from wings above it in the list, no module imports in a circle, no stray files."""

import ast
import subprocess
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "pillprocess"
WINGS = (
    "output", "gaussian", "evidence", "inference", "comparison", "rows", "interchange", "participants", "decomposition", "bias",
    "timecourse", "dose", "mediation", "synthesis", "belief", "planning", "published", "calibration", "findings", "manuscript", "review",
    "trial",
)  # fmt: skip
"""From the ground up, as in ARCHITECTURE.md."""

TOP = {"__init__.py", "__init__.pyi", "__main__.py", "cli.py", "py.typed"}
AT_THE_ROOT = {
    ".gitignore", ".python-version", "ARCHITECTURE.md", "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "README.md",
    "constraints.txt", "pyproject.toml",
}  # fmt: skip


def imports(tree: ast.AST) -> set[str]:
    """Modules of the package that a module imports, wherever in it, for types only as well."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("pillprocess."):
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("pillprocess.")}
    return found


def graph() -> dict[str, set[str]]:
    """Every module of every wing, with the modules it imports."""
    trees = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): ast.parse(path.read_text(encoding="utf-8"))
        for path in PACKAGE.rglob("*.py")
    }
    return {name: imports(tree) & set(trees) - {name} for name, tree in trees.items()}


def upward(modules: dict[str, set[str]]) -> list[str]:
    """Imports from a wing that stands later in the list, or from the top."""

    def floor(module: str) -> int:
        parts = module.split(".")
        return WINGS.index(parts[1]) if len(parts) > 2 else len(WINGS)

    return [
        f"{name} imports {other}" for name, others in modules.items() for other in others if floor(other) > floor(name)
    ]


def test_no_wing_imports_from_a_later_one():
    assert upward(graph()) == []


def test_no_module_imports_in_a_circle():
    tuple(TopologicalSorter(graph()).static_order())


def test_every_wing_is_in_the_list_and_nothing_else_stands_in_the_package():
    folders = {p.name for p in PACKAGE.iterdir() if p.is_dir() and p.name not in ("__pycache__", "data")}
    assert folders == set(WINGS)
    assert {p.name for p in PACKAGE.iterdir() if p.is_file()} == TOP


def test_the_tests_mirror_the_wings():
    folders = {p.name for p in (ROOT / "tests").iterdir() if p.is_dir() and p.name not in ("__pycache__", "figures")}
    assert folders == set(WINGS)


def test_architecture_lists_the_wings_in_this_order():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    places = [text.find(f"`{wing}/`") for wing in WINGS]
    assert -1 not in places
    assert places == sorted(places)
    assert len(text.splitlines()) <= 80


def test_no_stray_file_stands_at_the_root():
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files"], capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout: an unpacked archive holds what its own list names")
    assert {name for name in listed.stdout.splitlines() if "/" not in name} <= AT_THE_ROOT


def test_the_checks_find_what_they_look_for():
    source = "def f():\n    from pillprocess.trial.run import run_mediate\n    import pillprocess.review.report\n"
    seen = imports(ast.parse(source))
    assert {"pillprocess.trial.run", "pillprocess.review.report"} <= seen
    assert upward(
        {"pillprocess.rows.arms": {"pillprocess.review.report"}, "pillprocess.trial.run": {"pillprocess.rows.arms"}}
    ) == ["pillprocess.rows.arms imports pillprocess.review.report"]
    assert upward({"pillprocess.rows.arms": {"pillprocess.cli"}})
    with pytest.raises(CycleError):
        tuple(TopologicalSorter({"a": {"b"}, "b": {"a"}}).static_order())
