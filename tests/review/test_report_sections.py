"""Sections of the report for evidence that lacks what they show."""

from pillprocess.output.pages import estimate, render_page


def test_a_report_without_arms_to_split_says_so() -> None:
    context = {"tables": {"drug_effects": [], "hypotheses": []}, "comparison_note": "", "setting": {}}
    split = "Each bar splits an arm's expected change"
    for figures, told in (({"drug_effects": ""}, False), ({"drug_effects": "", "contributions": ""}, True)):
        page = render_page(
            "sections/results.html", context | {"figures": figures, "narrow": figures}, wing="review", writes=estimate
        )
        assert ("no change is split over the terms" in page, split.replace("'", "&#39;") in page or split in page) == (
            not told,
            told,
        )
