"""OpenAI's Python library: chat completions, completions, embeddings, Responses. `client.py` says how it is called."""

import functools
import json
import sys

import openai

from client import run

# a proxy in the environment is not for what is next to the client
http = openai.DefaultHttpxClient(trust_env=False)
client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="sk-none", max_retries=0, timeout=30, http_client=http)

PARAMETERS = {
    "type": "object",
    "properties": {"to": {"type": "string"}, "count": {"type": "integer"}},
    "required": ["to"],
}
NAMES = ["send_mail", "find_customer"]
TOOLS = [{"type": "function", "function": {"name": name, "description": "Acts.", "parameters": PARAMETERS}} for name in NAMES]
RESPONSES_TOOLS = [{"type": "function", "name": name, "parameters": PARAMETERS, "strict": False} for name in NAMES]


def messages(prompt):
    """A talk that has gone on for a while: what was said before holds the same values."""
    return [
        {"role": "system", "content": "Answer with what you are told."},
        {"role": "user", "content": f"Before: {prompt}", "name": "caller"},
        {"role": "assistant", "content": f"I heard: {prompt}"},
        {"role": "user", "content": [{"type": "text", "text": prompt}]},
    ]


def with_result(prompt):
    """A talk in which the model has called a tool, and the tool has answered."""
    function = {"name": NAMES[0], "arguments": json.dumps({"to": prompt, "count": 1})}
    return [
        {"role": "user", "content": prompt},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": function}]},
        {"role": "tool", "tool_call_id": "call_1", "content": prompt},
    ]


def ask(prompt, model="gpt-5", **more):
    return client.chat.completions.create(model=model, messages=messages(prompt), **more)


def chat(prompt):
    yield "final", ask(prompt)


def chat_n(prompt):
    yield "final", ask(prompt, n=2)


def tools(prompt):
    yield "final", ask(prompt, tools=TOOLS)


def tool_result(prompt):
    yield "final", client.chat.completions.create(model="gpt-5", messages=with_result(prompt), tools=TOOLS)


def streamed(prompt, **more):
    """The chunks, and what the library's own helper gathers of them."""
    options = {"include_usage": True}
    with client.chat.completions.stream(model="gpt-5", messages=messages(prompt), stream_options=options, **more) as stream:
        for event in stream:
            if event.type == "chunk":
                yield "event", event.chunk
        yield "final", stream.get_final_completion()


def chunks_only(prompt, **more):
    """The chunks as a caller reads them that gathers by itself."""
    for chunk in ask(prompt, stream=True, **more):
        yield "event", chunk


def error(prompt, name):
    yield "final", ask(prompt, model=name)


def completions(prompt):
    yield "final", client.completions.create(model="gpt-3.5-turbo-instruct", prompt=prompt)


def completions_stream(prompt):
    for chunk in client.completions.create(model="gpt-3.5-turbo-instruct", prompt=prompt, stream=True):
        yield "event", chunk


def embeddings(prompt):
    yield "final", client.embeddings.create(model="text-embedding-3-small", input=[prompt, "and this"])


def items(prompt):
    return [
        {"role": "user", "content": f"Before: {prompt}"},
        {"role": "user", "content": [{"type": "input_text", "text": prompt}]},
    ]


def respond(prompt, **more):
    yield "final", client.responses.create(model="gpt-5", instructions="Say it again.", input=items(prompt), **more)


def respond_to_text(prompt):
    yield "final", client.responses.create(model="gpt-5", input=prompt)


def respond_to_result(prompt):
    call = {"type": "function_call", "call_id": "call_1", "name": NAMES[0], "arguments": json.dumps({"to": prompt})}
    result = {"type": "function_call_output", "call_id": "call_1", "output": prompt}
    given = [{"role": "user", "content": prompt}, call, result]
    yield "final", client.responses.create(model="gpt-5", input=given, tools=RESPONSES_TOOLS)


def responses_streamed(prompt, model="gpt-5", **more):
    with client.responses.stream(model=model, input=items(prompt), **more) as stream:
        for event in stream:
            yield "event", event
        yield "final", stream.get_final_response()


SCENARIOS = {
    "chat": chat,
    "chat_n": chat_n,
    "tools": tools,
    "tool_result": tool_result,
    "stream": streamed,
    "stream_n": functools.partial(streamed, n=2),
    "stream_tools": functools.partial(streamed, tools=TOOLS),
    "stream_chunks": chunks_only,
    "error_400": functools.partial(error, name="error-400"),
    "error_401": functools.partial(error, name="error-401"),
    "error_429": functools.partial(error, name="error-429"),
    "error_midstream": functools.partial(chunks_only, model="error-midstream"),
    "completions": completions,
    "completions_stream": completions_stream,
    "embeddings": embeddings,
    "responses": respond,
    "responses_text": respond_to_text,
    "responses_tools": functools.partial(respond, tools=RESPONSES_TOOLS),
    "responses_tool_result": respond_to_result,
    "responses_stream": responses_streamed,
    "responses_stream_tools": functools.partial(responses_streamed, tools=RESPONSES_TOOLS),
    "responses_error_midstream": functools.partial(responses_streamed, model="error-midstream"),
}

if __name__ == "__main__":
    # the helper for Responses raises the latter where a stream ends too early
    run(SCENARIOS, (openai.OpenAIError, RuntimeError))
