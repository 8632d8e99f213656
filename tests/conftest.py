"""Hypothesis draws the same examples on every run: a failure that CI finds is one that everybody finds."""

from __future__ import annotations

import hypothesis

hypothesis.settings.register_profile("refnet", deadline=None, derandomize=True)
hypothesis.settings.load_profile("refnet")
