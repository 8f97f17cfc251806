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
