"""A fit written to a file comes back as it was, and nothing else is read as one."""

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import pillprocess as pp
from pillprocess.inference import stored


@pytest.fixture(scope="module")
def fitted(arm_row) -> xr.DataTree:
    rows = [
        arm_row(trial, arm, y, 0.2, dose=dose, drug_given="psilocybin" if dose else "none")
        for trial, arm, y, dose in (("t1", "drug", -1.0, 1.0), ("t1", "placebo", -0.3, 0.0), ("t2", "dröge", -0.8, 1.0))
    ]
    return pp.fit(pp.decomposition_design(pd.DataFrame(rows), terms=frozenset({"drug"})), seed=1, draws=50, chains=2)


@pytest.fixture
def path(fitted, tmp_path):
    pp.save_fit(fitted, tmp_path / "fit.nc")
    return tmp_path / "fit.nc"


def test_a_fit_comes_back_as_it_was_and_every_function_takes_it(fitted, path):
    back = pp.load_fit(path)
    assert set(back.children) == set(fitted.children)
    for name, node in fitted.children.items():
        xr.testing.assert_equal(back[name].to_dataset(), node.to_dataset())
    assert {k: str(back.attrs[k]) for k in fitted.attrs} == {k: str(v) for k, v in fitted.attrs.items()}
    pd.testing.assert_frame_equal(
        pp.effect_table(pp.relative_effects(back)), pp.effect_table(pp.relative_effects(fitted))
    )
    assert pp.identifiability(back).equals(pp.identifiability(fitted))


def test_every_kind_of_value_survives_the_way_there_and_back(tmp_path):
    values = xr.Dataset(
        {"flag": ("x", [True, False]), "n": ("x", [1, 2]), "label": ("x", ["a", "ü"]), "v": ("x", [np.nan, -0.0])},
        coords={"x": ["one", "two"]}, attrs={"terms": ["drug"], "more": ["a", "b"], "k": 0.1, "text": "", "n": 3},
    )  # fmt: skip
    tree = xr.DataTree.from_dict({"/posterior": values, "/empty": xr.Dataset({"e": ("y", np.array([]))})})
    pp.save_fit(tree, tmp_path / "a.nc")
    back = pp.load_fit(tmp_path / "a.nc")
    xr.testing.assert_equal(back["posterior"].to_dataset(), values)
    pp.save_fit(back, tmp_path / "b.nc")
    xr.testing.assert_equal(pp.load_fit(tmp_path / "b.nc")["posterior"].to_dataset(), values)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no NetCDF-4 file"),
        (b"CDF\x01" + bytes(50), "is no NetCDF-4 file; nothing was read. A fit is written by save_fit"),
        (b"\x80\x04\x95cos\nsystem", "is no NetCDF-4 file"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "was not written by pillprocess, or was changed or cut off"),
        (stored.sealed(b"\x89HDF\r\n\x1a\n" + bytes(100)), "is damaged; nothing was read"),
    ],
)
def test_a_file_that_is_no_netcdf_is_refused_in_words(tmp_path, content, message):
    (tmp_path / "fit.nc").write_bytes(content)
    with pytest.raises(pp.FitFileError, match=message):
        pp.load_fit(tmp_path / "fit.nc")


def test_a_file_that_cannot_be_read_is_said_so(tmp_path):
    with pytest.raises(pp.FitFileError, match="cannot be read as a fit: No such file"):
        pp.load_fit(tmp_path / "none.nc")
    with pytest.raises(pp.FitFileError, match="cannot be read as a fit: Is a directory"):
        pp.load_fit(tmp_path)


def test_a_netcdf_of_another_program_is_refused(tmp_path):
    xr.Dataset({"a": ("x", [1.0])}).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    with pytest.raises(pp.FitFileError, match="was not written by pillprocess, or was changed or cut off since"):
        pp.load_fit(tmp_path / "other.nc")


def test_a_file_of_another_layout_is_refused_and_one_of_another_version_is_read_with_a_warning(
    fitted, tmp_path, monkeypatch
):
    monkeypatch.setattr(stored.pillprocess, "__version__", "0.0.7")
    pp.save_fit(fitted, tmp_path / "older.nc")
    monkeypatch.setattr(stored, "FORMAT", 2)
    pp.save_fit(fitted, tmp_path / "later.nc")
    monkeypatch.undo()
    with pytest.warns(UserWarning, match=r"was written by pillprocess 0\.0\.7, and this is .*: its numbers are those"):
        pp.load_fit(tmp_path / "older.nc")
    with pytest.raises(pp.FitFileError, match=r"was written by pillprocess 0\.0\.7 in a layout that this version"):
        pp.load_fit(tmp_path / "later.nc")


def test_a_fit_that_was_changed_is_refused(path):
    with h5py.File(path, "r+") as file:
        file["posterior/delta"][0, 0] += 1e-9
    with pytest.raises(pp.FitFileError, match="the checksum at its end is missing or does not fit; nothing was read"):
        pp.load_fit(path)


def test_an_attribute_that_was_changed_is_noticed_too(path):
    with h5py.File(path, "r+") as file:
        file.attrs["seed"] = 2
    with pytest.raises(pp.FitFileError, match="was changed or cut off since"):
        pp.load_fit(path)


def seal_again(path):
    content = path.read_bytes()
    path.write_bytes(stored.sealed(content[: content.rfind(stored.SEAL)] if stored.SEAL in content else content))


def test_other_programs_read_the_file_too(path, fitted):
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        xr.testing.assert_equal(tree["posterior"].to_dataset(), fitted["posterior"].to_dataset())


def test_a_file_that_points_to_others_is_refused(path, tmp_path):
    (tmp_path / "secret").write_bytes(bytes(80))
    with h5py.File(path, "r+") as file:
        file["posterior/outside"] = h5py.ExternalLink("other.h5", "/x")
        file["posterior"].create_dataset("raw", (10,), "f8", external=[(str(tmp_path / "secret"), 0, 80)])
    seal_again(path)
    with pytest.raises(pp.FitFileError, match=r"points to data outside itself \(/posterior/outside, /posterior/raw\)"):
        pp.load_fit(path)


def test_a_small_file_that_claims_to_hold_much_is_refused(path):
    with h5py.File(path, "r+") as file:
        file.create_dataset("bomb", (10**12,), "f8", chunks=(10**6,), compression="gzip")
    seal_again(path)
    with pytest.raises(pp.FitFileError, match="bytes and claims to hold 8,000,"):
        pp.load_fit(path)


def test_a_fit_cut_off_or_changed_in_any_byte_is_refused(path):
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for i in range(60):
        content = bytearray(whole)
        if i % 3 == 0:
            del content[int(rng.integers(len(whole))) :]
        else:
            content[int(rng.integers(len(whole)))] ^= 1 << int(rng.integers(8))
        path.write_bytes(content)
        with pytest.raises(pp.FitFileError):
            pp.load_fit(path)


def test_a_write_that_fails_leaves_the_earlier_file_and_nothing_beside(fitted, path, monkeypatch):
    before = path.read_bytes()
    monkeypatch.setattr(stored.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        pp.save_fit(fitted, path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["fit.nc"]
