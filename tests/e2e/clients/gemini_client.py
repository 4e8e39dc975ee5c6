"""Google's Python library for Gemini. `client.py` says how it is called."""

import functools
import sys

from google import genai
from google.genai import errors, types

from client import run

# a proxy in the environment is not for what is next to the client
options = types.HttpOptions(base_url=sys.argv[1], timeout=30_000, client_args={"trust_env": False})
client = genai.Client(api_key="none", vertexai=False, http_options=options)

SCHEMA = {"type": "OBJECT", "properties": {"to": {"type": "STRING"}, "count": {"type": "INTEGER"}}}
NAMES = ["send_mail", "find_customer"]
TOOLS = [{"function_declarations": [{"name": name, "description": "Acts.", "parameters": SCHEMA} for name in NAMES]}]


def contents(prompt):
    """A talk that has gone on for a while: what was said before holds the same values."""
    return [
        {"role": "user", "parts": [{"text": f"Before: {prompt}"}]},
        {"role": "model", "parts": [{"text": f"I heard: {prompt}"}]},
        {"role": "user", "parts": [{"text": prompt}]},
    ]


def config(**more):
    # the library would call functions by itself
    calling = types.AutomaticFunctionCallingConfig(disable=True)
    system = "Answer with what you are told."
    return types.GenerateContentConfig(system_instruction=system, automatic_function_calling=calling, **more)


def told(response):
    """The answer without the HTTP headers, of which some say the time."""
    value = response.model_dump(mode="json", warnings=False)
    value.pop("sdk_http_response", None)
    return value


def generate(prompt, model="gemini-2.5-flash", **more):
    yield "final", told(client.models.generate_content(model=model, contents=contents(prompt), config=config(**more)))


def tool_result(prompt):
    call = {"function_call": {"name": NAMES[0], "args": {"to": prompt, "count": 1}}}
    result = {"function_response": {"name": NAMES[0], "response": {"result": prompt}}}
    talk = [
        {"role": "user", "parts": [{"text": prompt}]},
        {"role": "model", "parts": [call]},
        {"role": "user", "parts": [result]},
    ]
    yield "final", told(client.models.generate_content(model="gemini-2.5-flash", contents=talk, config=config(tools=TOOLS)))


def streamed(prompt, model="gemini-2.5-flash", **more):
    for chunk in client.models.generate_content_stream(model=model, contents=contents(prompt), config=config(**more)):
        yield "event", told(chunk)


def embeddings(prompt):
    yield "final", told(client.models.embed_content(model="gemini-embedding-001", contents=prompt))


SCENARIOS = {
    "chat": generate,
    "tools": functools.partial(generate, tools=TOOLS),
    "tool_result": tool_result,
    "stream": streamed,
    "stream_tools": functools.partial(streamed, tools=TOOLS),
    "error_400": functools.partial(generate, model="error-400"),
    "error_429": functools.partial(streamed, model="error-429"),
    "error_midstream": functools.partial(streamed, model="error-midstream"),
    "embeddings": embeddings,
}

if __name__ == "__main__":
    run(SCENARIOS, errors.APIError)
