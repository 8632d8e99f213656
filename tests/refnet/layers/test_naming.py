from __future__ import annotations

import threading

import pytest

import refnet
from refnet import layers
from refnet.layers.naming import auto_name, clear_session, to_snake_case


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Dense", "dense"),
        ("ReLU", "re_lu"),
        ("LeakyReLU", "leaky_re_lu"),
        ("PReLU", "p_re_lu"),
        ("ELU", "elu"),
        ("InputLayer", "input_layer"),
        ("Sequential", "sequential"),
        ("GlorotUniform", "glorot_uniform"),
    ],
)
def test_snake_case_is_keras(name, expected):
    assert to_snake_case(name) == expected


def test_each_class_counts_for_itself():
    made = [layers.Dense(1), layers.ReLU(), layers.Dense(1), refnet.Sequential(), layers.Dense(1), refnet.Sequential()]
    assert [layer.name for layer in made] == ["dense", "re_lu", "dense_1", "sequential", "dense_2", "sequential_1"]


def test_given_names_are_not_counted():
    layers.Dense(1, name="dense")
    assert layers.Dense(1).name == "dense"


def test_clear_session_starts_again():
    layers.Dense(1)
    clear_session()
    assert layers.Dense(1).name == "dense"


def test_names_from_many_threads_differ():
    names: list[str] = []
    threads = [threading.Thread(target=lambda: names.extend(auto_name("Dense") for _ in range(200))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(names)) == 1600
