"""Clipping, and parameters that a batch has nothing for."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from training.loop.gradients import clip, touch_all


def test_gradients_are_scaled_to_the_limit_and_their_norm_is_told() -> None:
    model = nn.Linear(2, 1)
    model.weight.grad, model.bias.grad = torch.tensor([[3.0, 0.0]]), torch.tensor([4.0])
    assert clip(model, 1.0) == pytest.approx(5.0)
    assert model.weight.grad[0, 0] == pytest.approx(0.6)
    assert clip(model, 5.0) == pytest.approx(1.0)
    assert model.bias.grad[0] == pytest.approx(0.8)


def test_what_nothing_depended_on_keeps_no_gradient() -> None:
    model = nn.Linear(2, 1)
    model.weight.grad, model.bias.grad = torch.ones(1, 2), torch.zeros(1)
    clip(model, 1.0)
    assert model.bias.grad is None


def test_a_gradient_that_is_not_finite_ends_the_run() -> None:
    model = nn.Linear(2, 1)
    model.weight.grad = torch.tensor([[float("nan"), 0.0]])
    with pytest.raises(ValueError, match="not finite"):
        clip(model, 1.0)


def test_touched_outputs_depend_on_every_parameter_and_do_not_change() -> None:
    class Half(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = nn.Linear(2, 1), nn.Linear(2, 1)

        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"rows": torch.arange(2), "made": self.used(x)}

    model, x = Half(), torch.randn(3, 2)
    before = model(x)["made"]
    touch_all(model)
    after = model(x)["made"]
    assert after.equal(before)
    after.sum().backward()
    assert model.unused.weight.grad is not None
    assert not model.unused.weight.grad.any()
    assert model.used.weight.grad is not None
