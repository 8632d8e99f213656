from __future__ import annotations

import numpy as np
import pytest

from parity import rows
from refnet import activations

U = 2.0**-24


def moved(name, z, error, rng):
    return activations.get(name).numpy(z + error * rng.choice([-1.0, 1.0, 0.0], z.shape))


@pytest.mark.parametrize("name", sorted(rows.RULES))
@pytest.mark.parametrize("size", [1e-7, 1e-3, 0.3, 5.0])
def test_inputs_within_their_error_give_results_within_the_spread(name, size):
    rng = np.random.default_rng(3)
    z = rng.standard_normal((20, 12)) * rng.choice([0.5, 3.0, 20.0], (20, 1))
    error = rng.uniform(0, size, z.shape)
    y = activations.get(name).numpy(z)
    spread, _ = rows.RULES[name](z, y, error, U)
    for _ in range(60):
        assert (np.abs(moved(name, z, error, rng) - y) <= spread * (1 + 1e-9) + 1e-13).all()


@pytest.mark.parametrize("name", sorted(rows.RULES))
def test_no_error_gives_no_spread(name):
    z = np.random.default_rng(4).standard_normal((5, 8))
    y = activations.get(name).numpy(z)
    spread, steps = rows.RULES[name](z, y, np.zeros(z.shape), U)
    assert not spread.any()
    assert (steps >= 0).all()


@pytest.mark.parametrize("width", [1, 2, 10, 300])
def test_the_textbooks_softmax_in_float32_is_within_the_steps(width):
    rng = np.random.default_rng(5)
    z = (rng.standard_normal((200, width)) * rng.choice([1.0, 10.0, 30.0], (200, 1))).astype(np.float32)
    truth = activations.get("softmax").numpy(z.astype(np.float64))
    term = np.exp(z - z.max(axis=-1, keepdims=True))
    plain = term / term.sum(axis=-1, keepdims=True)
    _, steps = rows.softmax(z.astype(np.float64), truth, np.zeros(z.shape), U)
    normal = truth > np.finfo(np.float32).tiny
    assert (np.abs(plain - truth)[normal] <= steps[normal]).all()


@pytest.mark.parametrize("width", [1, 2, 10, 300])
def test_the_textbooks_log_softmax_in_float32_is_within_the_steps(width):
    rng = np.random.default_rng(6)
    z = (rng.standard_normal((200, width)) * rng.choice([1.0, 10.0, 30.0], (200, 1))).astype(np.float32)
    truth = activations.get("log_softmax").numpy(z.astype(np.float64))
    gap = z - z.max(axis=-1, keepdims=True)
    plain = gap - np.log(np.exp(gap).sum(axis=-1, keepdims=True))
    _, steps = rows.log_softmax(z.astype(np.float64), truth, np.zeros(z.shape), U)
    assert (np.abs(plain - truth) <= steps).all()


def test_a_huge_error_does_not_overflow_the_bound_of_log_softmax():
    z = np.array([[1e5, 0.0]])
    spread, _ = rows.log_softmax(z, activations.get("log_softmax").numpy(z), np.full(z.shape, 1e4), U)
    assert np.isfinite(spread).all()


def test_rows_of_no_entries_are_taken():
    empty = np.zeros((3, 0))
    spread, _ = rows.softmax(empty, empty, empty, U)
    assert spread.shape == (3, 0)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_an_entry_that_underflows_but_may_come_back_is_not_forgotten(name):
    z, error = np.array([[0.0, -2000.0]]), np.array([[0.0, 3000.0]])
    y = activations.get(name).numpy(z)
    spread, _ = rows.RULES[name](z, y, error, U)
    assert (np.abs(activations.get(name).numpy(z + error) - y) <= spread * (1 + 1e-9)).all()
