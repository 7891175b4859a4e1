from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from aether_compare.bisect.search import Answer, next_commit, suspects


@given(count=st.integers(1, 200), data=st.data())
def test_the_first_bad_commit_is_found_in_as_many_steps_as_halving_takes(count: int, data: st.DataObject) -> None:
    commits = [str(number) for number in range(count)]
    first_bad = data.draw(st.integers(0, count - 1))
    answers: dict[str, Answer] = {commits[-1]: "bad"}
    steps = 0
    while (commit := next_commit(commits, answers)) is not None:
        answers[commit] = "bad" if int(commit) >= first_bad else "good"
        steps += 1
    assert suspects(commits, answers) == (commits[first_bad],)
    assert steps <= math.ceil(math.log2(count))


@given(count=st.integers(1, 60), data=st.data())
def test_commits_that_cannot_be_judged_never_hide_the_first_bad_one(count: int, data: st.DataObject) -> None:
    commits = [str(number) for number in range(count)]
    first_bad = data.draw(st.integers(0, count - 1))
    skipped = data.draw(st.sets(st.sampled_from(commits)))
    answers: dict[str, Answer] = {commits[-1]: "bad"}
    while (commit := next_commit(commits, answers)) is not None:
        assert commit not in answers
        answers[commit] = "skip" if commit in skipped else "bad" if int(commit) >= first_bad else "good"
    left = suspects(commits, answers)
    assert commits[first_bad] in left
    # Whatever is left beside it could not be judged.
    assert set(left[:-1]) <= skipped


@given(answers=st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["good", "bad", "skip"])))
def test_answers_that_contradict_one_another_leave_a_suspect(answers: dict[str, Answer]) -> None:
    assert suspects("abcdef", answers)
