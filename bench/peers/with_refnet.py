"""refnet itself: the model called as a user calls it."""

from __future__ import annotations

import numpy as np

from bench.jobs import Activation, Forward, Job, Ready

__all__ = ["build"]


def build(variant: str, job: Job, threads: int) -> Ready:
    """Return the job as refnet runs it; the threads are pinned by ``REFNET_NUM_THREADS``."""
    return _activation(job) if isinstance(job, Activation) else _forward(job)


def _forward(job: Forward) -> Ready:
    import refnet

    model = refnet.Sequential([refnet.Input((job.x.shape[1],))])
    for _weight, bias, activation in job.layers:
        model.add(refnet.layers.Dense(units=len(bias), activation=activation))
    model.set_weights([array for weight, bias, _ in job.layers for array in (weight, bias)])
    x = job.x
    return Ready(lambda: model(x))


def _activation(job: Activation) -> Ready:
    from refnet import activations

    activation = activations.get(job.name).with_parameters(**job.parameters)
    x = job.x
    out = np.empty_like(activation(x))
    return Ready(lambda: activation(x, out=out))
