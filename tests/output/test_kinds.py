"""An object of the wrong kind ends in one sentence that says what was needed, not in a Python error."""

import pandas as pd
import pytest
import xarray as xr

from pillprocess.comparison.compare import compare
from pillprocess.inference.fit import check_fit
from pillprocess.mediation.effects import natural_effects
from pillprocess.mediation.plots import plot_effects, plot_overlap
from pillprocess.mediation.sensitivity import mediation_sensitivity
from pillprocess.output.tables import effect_table
from pillprocess.participants.description import describe_columns


@pytest.mark.parametrize(
    "wrong", [None, 3, "fit.nc", [1, 2], {"a": 1}, pd.DataFrame({"x": [1]}), xr.Dataset(), xr.DataTree()], ids=repr
)
@pytest.mark.parametrize(
    "function",
    [
        check_fit,
        natural_effects,
        mediation_sensitivity,
        effect_table,
        plot_overlap,
        plot_effects,
        describe_columns,
        compare,
    ],
)
def test_a_wrong_object_is_refused_in_one_sentence(function, wrong):
    if (function is describe_columns and isinstance(wrong, pd.DataFrame)) or (
        function is effect_table and isinstance(wrong, xr.Dataset)
    ):
        return  # these are what is needed
    with pytest.raises(ValueError, match=r"(needed|fits are compared by name): .*; (got a|this table lacks)"):
        function(wrong)


def test_a_mapping_of_what_are_no_fits_is_refused():
    with pytest.raises(ValueError, match="fits are compared by name: .*; got a int"):
        compare({"a": 1, "b": 2})
