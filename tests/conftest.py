"""What holds for all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# A run must not depend on chance, nor on how busy the machine is. HYPOTHESIS_PROFILE=explore looks for new examples.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))
