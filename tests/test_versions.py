"""The versions that are promised, and the set that was tested."""

import re
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]


def test_the_tested_set_is_plain_and_keeps_every_promise():
    lines = [x for x in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if not x.startswith("#")]
    pinned = {}
    for line in lines:
        assert re.fullmatch(r"[a-z0-9.-]+==[0-9][a-z0-9.]*( ; [a-z_]+ [=!]= '[A-Za-z0-9]+')?", line), line
        requirement = Requirement(line)
        pinned[requirement.name] = str(requirement.specifier).removeprefix("==")
    for wanted in map(Requirement, requires("pillprocess") or ()):
        assert wanted.specifier.contains(pinned[wanted.name]), f"{wanted} and the tested {pinned[wanted.name]}"
        assert any(part.operator in (">=", "==") for part in wanted.specifier), f"{wanted} has no lowest version"
