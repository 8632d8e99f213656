"""A user's own formulas, whose words must hold for every argument: what the kernel gives is what NumPy gives."""

from __future__ import annotations

import types

import numpy as np
import pytest

from refnet.activations import REGISTRY, activation
from refnet.elementary import absolute, exp, exp_sum, exp_times, expm1, log1p, normal_cdf, normal_cdf_times, where

FORMULAS = {
    "log1p(exp(x))": lambda x: log1p(exp(x)),
    "exp(-|x|) == 0": lambda x: where(exp(-absolute(x)) == 0.0, 1.0, 0.0),
    "1e300 exp(-|x|)": lambda x: 1e300 * exp(-absolute(x)),
    "1e300 x exp(-|x|)": lambda x: 1e300 * exp_times(x, -absolute(x), 0.0),
    "1e300 exp(-|x| + low)": lambda x: 1e300 * exp_sum(-absolute(x), 1e-17),
    "1e-300 expm1(x)": lambda x: 1e-300 * expm1(x),
    "1e300 cdf(x)": lambda x: 1e300 * normal_cdf(x),
    "1e300 x cdf(x)": lambda x: 1e300 * normal_cdf_times(x, x),
    "x exp(-|x|)": lambda x: x * exp(-absolute(x)),
    "sigmoid": lambda x: where(x >= 0.0, 1.0, exp(-absolute(x))) / (1.0 + exp(-absolute(x))),
}
FAR = [0.0, 1e-30, 0.1, 1, 20, 30, 38, 700, 705, 709, 710, 720, 745, 746, 1000, 1490, 1e5, 3e38, np.inf]
X = np.array([*FAR, *(-value for value in FAR), np.nan], np.float32)


@pytest.fixture(params=FORMULAS)
def users(request):
    """Register an activation of a module that is not refnet's, for as long as the test takes."""
    formula = FORMULAS[request.param]
    named = types.FunctionType(formula.__code__, formula.__globals__, "users")
    yield activation(request.param, exact=lambda m, x: x, derivative=lambda m, x: 1 + 0 * x)(named)
    del REGISTRY["users"]


def test_kernel_and_numpy_agree_at_all_ends(users):
    with np.errstate(all="ignore"):
        np.testing.assert_array_max_ulp(np.abs(users(X)), np.abs(users.numpy(X)), 1)
        assert np.array_equal(np.isnan(users(X)), np.isnan(users.numpy(X)))
        assert np.array_equal(np.signbit(users(X[:-1])), np.signbit(users.numpy(X[:-1])))
