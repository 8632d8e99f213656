"""Functions for ``parity check module:function``."""

from __future__ import annotations

import keras


def good():
    layers = [keras.Input((4,)), keras.layers.Dense(8, "tanh", name="a"), keras.layers.Dense(3, "softmax", name="b")]
    return keras.Sequential(layers, name="good")


def with_lambda():
    return keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x * 2, name="twice")])


def convolution():
    return keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3, name="c")])


def leaving():
    raise SystemExit(0)


def failing():
    raise KeyError("nothing here")


def no_model():
    return 3
