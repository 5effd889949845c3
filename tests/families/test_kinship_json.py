"""A kinship set as JSON, and with crops for pictures."""

from pathlib import Path

from kinblend.families.kinship_json import kinship_json, load_kinship_set
from kinblend.families.model import Family, KinshipSet, Member, NuclearFamily, Person
from kinblend.families.prepare.outputs import _with_crops


def test_which_photograph_a_picture_was_cut_from_survives_prepare(tmp_path: Path) -> None:
    pictures = {name: tmp_path / "set" / f"{name}_face0.jpg" for name in ("P1", "P2")}
    people = {name: Person(name, "f", (picture,)) for name, picture in pictures.items()}
    house = NuclearFamily("H", (Member("P1", "mother"), Member("P2", "child")))
    found = KinshipSet(tmp_path, (Family("F", people, (house,)),), photograph=lambda picture: picture.name[:2])
    crops = {picture: tmp_path / "out" / "crops" / picture.name for picture in pictures.values()}
    prepared = _with_crops(found, crops, tmp_path / "out")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "families.json").write_text(kinship_json(prepared, tmp_path / "out"))
    again = load_kinship_set(tmp_path / "out" / "families.json")
    assert again == prepared and again.photograph is not None
    assert [again.photograph(crop) for crop in crops.values()] == ["P1", "P2"]
    bare = kinship_json(_with_crops(KinshipSet(tmp_path, found.families), crops, tmp_path / "out"), tmp_path / "out")
    (tmp_path / "out" / "families.json").write_text(bare)
    assert load_kinship_set(tmp_path / "out" / "families.json").photograph is None
