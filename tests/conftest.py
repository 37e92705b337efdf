"""Settings of all tests."""

from __future__ import annotations

import os

from hypothesis import settings

pytest_plugins = ["tests.cluster.plugin"]

# One thread for BLAS and OpenMP, as in a worker, set before NumPy is loaded. All tests share the cores.
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
# Credentials and endpoints of the developer never reach a test. SCOREMILL_TEST_* name the cluster to test on.
for name in [name for name in os.environ if name.startswith(("AWS_", "GOOGLE_", "SCOREMILL_"))]:
    if not name.startswith("SCOREMILL_TEST_"):
        del os.environ[name]
os.environ |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
# botocore must not wait for the metadata service of an instance.
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"

# Hypothesis never judges the duration of an example, because other tests run at the same time.
settings.register_profile("scoremill", deadline=None)
settings.load_profile("scoremill")
