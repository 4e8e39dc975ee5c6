"""What the Python clients share: which scenarios are run, and how what the library makes of an answer is told.

    PYTHONPATH=$(tools/ai-clients.sh)/python python3 tests/e2e/clients/openai_client.py BASE_URL PROMPT SCENARIO...

Each line of the output is {"scenario", "kind": "event" | "final" | "error", "value"}: every event of a stream, what the library
gathers of it, and what it raises, as it sees them.
"""

import json
import sys


def plain(value):
    """An object of the library with all its fields, also those that it does not know."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", warnings=False)
    return value


def run(scenarios, errors):
    """Runs the scenarios that the command line names; each is a function of the prompt that gives (kind, value)s.
    What is raised of `errors` is told, too."""
    prompt, names = sys.argv[2], sys.argv[3:]
    for name in names:
        def tell(kind, value):
            print(json.dumps({"scenario": name, "kind": kind, "value": plain(value)}))

        try:
            for kind, value in scenarios[name](prompt):
                tell(kind, value)
        except errors as error:
            status = getattr(error, "status_code", getattr(error, "code", None))
            body = getattr(error, "body", getattr(error, "details", None))
            tell("error", {"type": type(error).__name__, "status": status, "message": str(error), "body": body})
