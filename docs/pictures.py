"""Draw the picture of README.md from measurements made now: ``make pictures``.

It shows how far Keras and refnet are from the true value, in ulp (units in the last place of float32), where the true
value is mpmath's. 0.5 is what rounding the true value itself costs, and no float32 result can always do better.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from parity import truth, ulp
from parity.runners import keras_activations, keras_setup
from refnet import activations

TARGET = Path(__file__).parent / "errors.png"
SHOWN = ("silu", "tanh", "softplus")
POINTS = 3000


def main() -> None:
    keras = keras_setup.load()
    x = np.sort(np.random.default_rng(0).uniform(-12.0, 12.0, POINTS)).astype(np.float32)
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(SHOWN))
    for panel, name in zip(panels, SHOWN, strict=True):
        activation = activations.get(name)
        high, low = truth.pair(activation, x)
        for who, y, colour in (
            (f"Keras {keras.__version__}, float32", keras_activations.call(activation, x), "tab:orange"),
            ("refnet", activation(x), "tab:blue"),
        ):
            errors = ulp.error(y, high, low)
            print(f"{name}: {who}: at most {np.abs(errors).max():.3f} ulp")
            panel.plot(x, errors, ".", markersize=2, color=colour, label=who)
        panel.axhline(0.5, color="black", linewidth=0.7, linestyle="--")
        panel.axhline(-0.5, color="black", linewidth=0.7, linestyle="--")
        panel.set(title=name, xlabel="x")
    panels[0].set_ylabel("error in ulp")
    panels[0].legend(loc="upper right", markerscale=5)
    beside = TARGET.with_name(".errors.png")
    figure.savefig(beside, dpi=120, format="png", metadata={"Software": None})
    beside.replace(TARGET)
    print(f"wrote {TARGET.name}")


if __name__ == "__main__":
    main()
