"""One is one, and many are many."""

from mpc_tamper.core.counted import counted


def test_numbers_agree_with_their_nouns() -> None:
    assert [counted(n, "run") for n in (0, 1, 2, 1584)] == ["0 runs", "1 run", "2 runs", "1,584 runs"]
    assert [counted(n, "gets", "get") for n in (1, 2)] == ["1 gets", "2 get"]
