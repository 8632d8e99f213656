"""Keras on TensorFlow: called, by `predict`, by `predict_on_batch`, as a graph, and compiled by XLA."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from bench.jobs import Activation, Forward, Job, LacksError, Ready

__all__ = ["build"]


def build(variant: str, job: Job, threads: int) -> Ready:
    """Return the job as Keras runs it; the variant is call, predict, predict_on_batch, function or xla."""
    if isinstance(job, Activation):
        return _activation(variant, job)
    return _forward(variant, job)


def _forward(variant: str, job: Forward) -> Ready:
    keras.backend.clear_session()
    model = keras.Sequential([keras.Input((job.x.shape[1],))])
    for _, bias, activation in job.layers:
        model.add(keras.layers.Dense(len(bias), activation=activation))
    model.set_weights([array for weight, bias, _ in job.layers for array in (weight, bias)])
    if variant == "predict":
        return Ready(lambda: model.predict(job.x, batch_size=len(job.x), verbose=0))  # in one go: its best
    if variant == "predict_on_batch":
        return Ready(lambda: model.predict_on_batch(job.x))
    return _tensors(variant, model, job.x)


def _activation(variant: str, job: Activation) -> Ready:
    try:
        function = keras.activations.get(job.name)
    except ValueError as error:
        raise LacksError(f"Keras has no {job.name}") from error
    required = {
        key: job.parameters[key]
        for key, parameter in inspect.signature(function).parameters.items()
        if parameter.default is parameter.empty and key in job.parameters
    }
    return _tensors(variant, functools.partial(function, **required) if required else function, job.x)


def _tensors(variant: str, function: Callable[[Any], Any], x: np.ndarray[Any, Any]) -> Ready:
    tensor = tf.constant(x)
    if variant == "call":
        run = function
    else:
        run = tf.function(lambda t: function(t), jit_compile=variant == "xla" or None)
    return Ready(lambda: run(tensor))
