"""What is kept goes when it should, and names tell nobody anything."""

from kinblend.web.store import ContentIds, LruStore


class Thing:
    def __init__(self, size: int = 1) -> None:
        self.size, self.left = size, 0

    def on_evict(self) -> None:
        self.left += 1


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_things_go_some_time_after_their_last_use() -> None:
    clock = Clock()
    shelf, thing = LruStore(9, 99, 900.0, clock), Thing()
    shelf.put("a", "x", thing)
    clock.now = 899
    assert shelf.get("a", "x") is thing
    clock.now = 1798
    assert shelf.get("a", "x") is thing
    clock.now = 2698
    assert shelf.get("a", "x") is None and thing.left == 1 and len(shelf) == 0


def test_an_owner_sees_and_forgets_only_their_own() -> None:
    shelf, ours, theirs = LruStore(9, 99, 900.0), Thing(), Thing()
    shelf.put("a", "x", ours)
    shelf.put("b", "x", theirs)
    assert shelf.get("a", "x") is ours and shelf.get("c", "x") is None
    assert shelf.clear("a") == 1
    assert shelf.get("a", "x") is None and shelf.get("b", "x") is theirs
    assert (ours.left, theirs.left) == (1, 0)


def test_the_longest_unused_gives_way() -> None:
    shelf = LruStore(2, 10, 900.0)
    for name in "xyz":
        shelf.put("a", name, Thing())
        shelf.get("a", "x")
    assert [shelf.get("a", name) is not None for name in "xyz"] == [True, False, True]
    shelf.put("b", "large", Thing(9))
    assert shelf.size <= 10 and shelf.get("b", "large") is not None


def test_one_that_is_too_large_for_the_shelf_stays_alone() -> None:
    shelf = LruStore(9, 10, 900.0)
    shelf.put("a", "small", Thing())
    shelf.put("a", "huge", Thing(99))
    assert [thing.size for thing in shelf] == [99]


def test_putting_again_lets_the_old_one_go() -> None:
    shelf, old = LruStore(9, 99, 900.0), Thing()
    shelf.put("a", "x", old)
    shelf.put("a", "x", Thing())
    assert old.left == 1 and len(shelf) == 1


def test_names_follow_from_owner_and_content_within_one_process() -> None:
    names = ContentIds()
    assert names.of("a", b"photo", "1") == names.of("a", b"photo", "1")
    others = {names.of("b", b"photo", "1"), names.of("a", b"other", "1"), ContentIds().of("a", b"photo", "1")}
    assert len(others | {names.of("a", b"photo", "1"), names.of("a", b"photo1", "")}) == 5
