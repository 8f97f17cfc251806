"""Folders of evidence, simulated."""

from pathlib import Path

TRIALS = "trial_id,design,blinding,condition,population,include,study_drugs,source_url\n"
ARMS = "trial_id,arm_id,role,drug,study_drug,dose,dose_unit,route,therapy,n,include_arm,dose_mg_equiv,source_url\n"
OUTCOMES = (
    "trial_id,arm_id,instrument,construct,primary,time_days,n,include,baseline_mean,baseline_sd"
    ",post_mean,post_sd,change_sd,source_url\n"
)


def small_folder(folder: Path, names: tuple[str, ...] = ("one", "two", "three")) -> Path:
    """Simulated evidence of a few trials; instruments and reference doses are the embedded ones."""
    text = {"trials": TRIALS, "arms": ARMS, "outcomes": OUTCOMES}
    for j, name in enumerate(names):
        text["trials"] += f'"{name}",parallel,double,MDD,patients,1,psilocybin,simulated\n'
        text["arms"] += f'"{name}",drug,active,psilocybin,psilocybin,25,mg,oral,{j % 2},20,1,25,simulated\n'
        text["arms"] += f'"{name}",placebo,inert_placebo,placebo,psilocybin,,,oral,{j % 2},20,1,,simulated\n'
        text["outcomes"] += f'"{name}",drug,MADRS,depression,1,21,20,1,30,6,{18 + j % 5},9,8,simulated\n'
        text["outcomes"] += f'"{name}",placebo,MADRS,depression,1,21,20,1,31,6,{26 - j % 3},9,8,simulated\n'
    folder.mkdir(exist_ok=True)
    for table, content in text.items():
        (folder / f"{table}.csv").write_text(content, encoding="utf-8")
    return folder


NEIGHBOUR_FIGURES = {
    "SPL026 DMT phase 2a": ("-7.35", "-13.62", "-1.08", "34"), "GH001 phase 2b 5-MeO-DMT": ("-15.5", "81"),
    "placebo 25 %": ("-5.19", ".02", "24"), "placebo 50 %": ("-7.00", ".001", "24"), "MISTIC ibogaine + magnesium": ("2.80", "30"),
}  # fmt: skip
"""Published figures of drugs that the embedded evidence does not have, by the words that find their line in the list of finds."""


def neighbours_folder(folder: Path) -> Path:
    """Published figures of DMT, 5-MeO-DMT, nitrous oxide and ibogaine, and what a folder needs beside them.

    The differences, intervals, p values, people and the within-arm d are those of ``NEIGHBOUR_FIGURES``. Simulated, as the finds do
    not hold them: doses, the split of people over arms, the standard error of 5-MeO-DMT, and the SD of 8 that turns d into points.
    """
    trials = {
        "spl026": ("parallel", "double", "MDD", "DMT", 2026), "gh001_2b": ("parallel", "double", "TRD", "5-MeO-DMT", 2025),
        "nagele2021": ("crossover", "double", "TRD", "nitrous_oxide", 2021),
        "mistic2024": ("single_arm", "open", "other", "ibogaine", 2024),
    }  # fmt: skip
    arms = [
        ("spl026", "dmt", "active", "DMT", "DMT", 20, "mg", "iv", 1, 17, 20, ""),
        ("spl026", "placebo", "inert_placebo", "placebo", "DMT", "", "", "iv", 1, 17, "", ""),
        ("gh001_2b", "mebufotenin", "active", "5-MeO-DMT", "5-MeO-DMT", 12, "mg", "inhaled", 0, 40, 12, ""),
        ("gh001_2b", "placebo", "inert_placebo", "placebo", "5-MeO-DMT", "", "", "inhaled", 0, 41, "", ""),
        ("nagele2021", "n2o_50", "active", "nitrous_oxide", "nitrous_oxide", 50, "%", "inhaled", 0, 24, "", "placebo"),
        ("nagele2021", "n2o_25", "active", "nitrous_oxide", "nitrous_oxide", 25, "%", "inhaled", 0, 24, "", "placebo"),
        ("nagele2021", "placebo", "inert_placebo", "placebo", "nitrous_oxide", "", "", "inhaled", 0, 24, "", ""),
        ("mistic2024", "ibogaine", "single_arm", "ibogaine", "ibogaine", 800, "mg", "oral", 1, 30, 800, ""),
    ]  # fmt: skip
    differences = [
        ("spl026", "dmt", "placebo", "MADRS", 14, -7.35, -13.62, -1.08, "", "", ""),
        ("gh001_2b", "mebufotenin", "placebo", "MADRS", 8, -15.5, "", "", 2.1, "", ""),
        ("nagele2021", "n2o_25", "placebo", "HAMD21", 14, -5.19, "", "", "", ".02", "="),
        ("nagele2021", "n2o_50", "placebo", "HAMD21", 14, -7.00, "", "", "", ".001", "="),
    ]
    doses = [("DMT", "iv", 20, "mg", "dose_mg_equiv"), ("5-MeO-DMT", "inhaled", 12, "mg", "dose_mg_equiv"),
             ("nitrous_oxide", "inhaled", 50, "%", "dose"), ("ibogaine", "oral", 800, "mg", "dose_mg_equiv")]  # fmt: skip
    tables = {
        "trials": [
            "trial_id,design,blinding,condition,population,include,study_drugs,year,source_url",
            *(f"{name},{d},{b},{c},patients,1,{drug},{year},see the finds" for name, (d, b, c, drug, year) in trials.items()),
        ],
        "arms": [
            "trial_id,arm_id,role,drug,study_drug,dose,dose_unit,route,therapy,n,dose_mg_equiv,same_people_as,include_arm,source_url",
            *(",".join(map(str, arm)) + ",1,see the finds" for arm in arms),
        ],
        "contrasts": [
            "trial_id,arm_id,reference_arm_id,instrument,time_days,estimate,ci_low,ci_high,se,p,p_op,level,construct,outcome_type,"
            "effect_type,direction,include,primary,basis,source_url",
            *(
                ",".join(map(str, row))
                + ",between_arm,depression,continuous,mean_difference,negative_favours_arm,1,1,published,see the finds"
                for row in differences
            ),
        ],
        "outcomes": [
            "trial_id,arm_id,instrument,construct,primary,time_days,n,include,change_mean,change_sd,source_url",
            "mistic2024,ibogaine,MADRS,depression,1,30,30,1,-22.4,8,see the finds",
        ],
        "reference_doses": [
            "drug,route,dose,dose_unit,dose_column,source_url", *(",".join(map(str, dose)) + ",simulated" for dose in doses),
        ],
        "drugs": [
            "drug,experience,experience_also,score_route,scores_of,notes", "DMT,mystical,,iv,,", "5-MeO-DMT,mystical,,inhaled,,",
            "nitrous_oxide,dissociative,,inhaled,,", "ibogaine,oneiric,,oral,,",
        ],
        "vocabulary": ["column,word,meaning", "dimension,oneiric,waking dreams"],
    }  # fmt: skip
    folder.mkdir(exist_ok=True)
    for table, lines in tables.items():
        (folder / f"{table}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder
