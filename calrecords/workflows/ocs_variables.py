"""What is not taken over of the variables that the Observatory Control System reads, and why.

Every other variable of its ingester and its archive library is a setting here, under the same
name.
"""

from __future__ import annotations

from collections.abc import Mapping

_NO_METRICS = "calrecords sends no metrics to anybody; its log and its journal say what was done"

REFUSED: Mapping[str, str] = {
    "IGNORED_CHARS": "the originals read it and use it nowhere",
    "SUBMIT_METRICS_ASYNCHRONOUSLY": _NO_METRICS,
    "INGESTER_PROCESS_NAME": f"it is a label of metrics, and {_NO_METRICS}",
    "OPENTSDB_PYTHON_METRICS_TEST_MODE": _NO_METRICS,
    "OPENTSDB_HOSTNAME": _NO_METRICS,
    "OPENTSDB_PORT": _NO_METRICS,
}
"""Variables that have no effect here, each with the reason."""

OTHER_DEFAULTS: Mapping[str, str] = {
    "API_ROOT": "no archive is taken for granted: without one, `register` works",
    "AUTH_TOKEN": "a token that is written in published source is none",
    "BUCKET": "nobody's bucket is called testbucket by chance",
    "FILESTORE_TYPE": "the originals' default, dummy, throws every file away",
    "FILESYSTEM_STORAGE_BASE_URL": "no web server is taken for granted",
    "FILESYSTEM_STORAGE_ROOT_DIR": "the user's data folder, rather than the working folder",
    "S3_ENDPOINT_URL": "Amazon's address follows from the region",
}
"""Variables that mean the same here, but where unset has another effect, each with the reason."""


def refused_in(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that are set and have no effect here, each with the reason."""
    return {name: why for name, why in REFUSED.items() if environment.get(name, "") != ""}
