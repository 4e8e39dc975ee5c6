"""Evaluates a job's flags as a Python service would, one after the other: OpenFeature's SDK over its OFREP provider.

    PYTHONPATH=$(tools/openfeature.sh)/python python3 tests/openfeature/python/evaluate.py < job.json

The job: {"baseUrl", "headers"?: {"host", ...}, "timeoutSeconds"?: 5,
          "evaluations": [{"flag", "type": boolean | string | number | object, "default", "context"?: {"targetingKey", ...}}]}
The answer: {"evaluations": [{"flag", "value", "variant", "reason", "errorCode", "errorMessage", "flagMetadata"}]}

Python tells integers from floats: a number is asked for as what its default is (30: integer, 30.0: float).
"""

import json
import logging
import sys

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext


def provider(job):
    """The provider for a job. requests takes a Host header as it is given: `Host: flags.runtime-control.local`, without a port."""
    headers = job.get("headers", {})
    made = OFREPProvider(job["baseUrl"], headers_factory=lambda: headers, timeout=job.get("timeoutSeconds", 5))
    # A proxy in the environment is not for what is next to the service.
    made.session.trust_env = False
    return made


def context(given):
    attributes = dict(given)
    return EvaluationContext(attributes.pop("targetingKey", None), attributes)


def call(client, kind, default):
    """The client's call for a type."""
    if kind == "number":
        kind = "float" if isinstance(default, float) else "integer"
    return getattr(client, f"get_{kind}_details")


def details(found):
    """Evaluation details with every field, so that a missing one shows as null."""
    return {
        "flag": found.flag_key,
        "value": found.value,
        "variant": found.variant,
        "reason": found.reason,
        "errorCode": found.error_code,
        "errorMessage": found.error_message,
        "flagMetadata": found.flag_metadata,
    }


def main():
    # What the SDK logs about a failed evaluation is in the answer too.
    logging.getLogger("openfeature").setLevel(logging.CRITICAL)
    job = json.load(sys.stdin)
    api.set_provider_and_wait(provider(job))
    client = api.get_client()
    evaluations = [
        details(
            call(client, wanted["type"], wanted["default"])(wanted["flag"], wanted["default"], context(wanted.get("context", {})))
        )
        for wanted in job["evaluations"]
    ]
    print(json.dumps({"evaluations": evaluations}))


main()
