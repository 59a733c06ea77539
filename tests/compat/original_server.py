"""Answers calls of the OCS ingester 3.2.0, each batch in a process with its own environment.

That ingester reads its settings when it is imported, and what it imports takes seconds; so
that is imported once here, and the ingester itself in a fork for each batch. A batch is a line
of JSON, and so is what is answered.
"""

import inspect
import io
import json
import os
import sys
import warnings
from importlib import import_module
from pathlib import Path

SLOW_IMPORTS = (
    "astropy.coordinates",
    "astropy.io.fits",
    "astropy.wcs",
    "boto3",
    "opentsdb_python_metrics.metric_wrappers",
    "requests",
)
FUNCTIONS = {
    "exists": "frame_exists",
    "record": "validate_fits_and_create_archive_record",
    "upload": "upload_file_to_file_store",
    "register": "ingest_archive_record",
    "ingest": "upload_file_and_ingest_to_archive",
}


def called(ingester, verb, named):
    if verb == "parameters":
        return {
            function: list(inspect.signature(getattr(ingester, function)).parameters)
            for function in FUNCTIONS.values()
        }
    function = getattr(ingester, FUNCTIONS[verb])
    if "fileobj" not in named:
        return function(**named)
    with Path(named.pop("fileobj")).open("rb") as file:
        return function(io.BytesIO(file.read()) if "path" in named else file, **named)


def answered(ingester, verb, named):
    try:
        return called(ingester, verb, named)
    except Exception as error:
        return type(error).__name__


def answer_batch(environment, calls):
    os.environ.clear()
    os.environ.update(environment)
    from ocs_ingester import ingester

    answers = [answered(ingester, verb, named) for verb, named in calls]
    print(json.dumps(answers, default=repr), flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for slow in SLOW_IMPORTS:
        import_module(slow)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            answer_batch(**json.loads(line))
            os._exit(0)
        if os.waitpid(child, 0)[1] != 0:
            sys.exit("a batch failed")
