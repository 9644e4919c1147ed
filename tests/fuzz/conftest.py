"""Profiles of hypothesis: few inputs, the same in each run, or with `--hypothesis-profile=fuzz` many new ones.

`FUZZ_INPUTS` in the environment says how many new ones.
"""

import os

from hypothesis import HealthCheck, settings

_checks = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.large_base_example]
settings.register_profile("few", max_examples=20, derandomize=True, deadline=None, suppress_health_check=_checks)
_many = int(os.environ.get("FUZZ_INPUTS", "5000"))
settings.register_profile("fuzz", max_examples=_many, deadline=None, suppress_health_check=_checks, print_blob=True)
if settings.get_current_profile_name() == "default":  # no other one was asked for
    settings.load_profile("few")
