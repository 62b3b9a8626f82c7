"""Token layout: what is fed, and who sees whom."""

from __future__ import annotations

import pytest
import torch

from backend.sequence import target_inputs, visibility


def test_each_position_is_fed_the_id_before_it() -> None:
    assert target_inputs(torch.tensor([[4, 5, 6]]), 9).tolist() == [[9, 4, 5]]


def test_prefix_sees_itself_whole_and_targets_see_no_later_one() -> None:
    seen = visibility(3, 6)
    assert seen[:3, :3].all()
    assert not seen[:3, 3:].any()
    assert torch.equal(seen[3:], torch.ones(6, 6, dtype=torch.bool).tril()[3:])


def test_prefix_longer_than_the_sequence_is_refused() -> None:
    with pytest.raises(ValueError, match="prefix of 7"):
        visibility(7, 6)
