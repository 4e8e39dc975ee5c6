"""Anthropic's Python library: the Messages API. `client.py` says how it is called."""

import functools
import sys

import anthropic

from client import run

# a proxy in the environment is not for what is next to the client
http = anthropic.DefaultHttpxClient(trust_env=False)
client = anthropic.Anthropic(base_url=sys.argv[1], api_key="none", max_retries=0, timeout=30, http_client=http)

# The events that come over the wire; the library's helper makes more of them.
WIRE = {"message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop"}
SCHEMA = {"type": "object", "properties": {"to": {"type": "string"}, "count": {"type": "integer"}}, "required": ["to"]}
NAMES = ["send_mail", "find_customer"]
TOOLS = [{"name": name, "description": "Acts.", "input_schema": SCHEMA} for name in NAMES]
THINKING = {"type": "enabled", "budget_tokens": 1024}
# what the server signs; sent back as it came
THOUGHT = {"type": "thinking", "thinking": "They want it back.", "signature": "EqoBCkgIARABGAIiQA=="}


def asked(prompt, model="claude-test", **more):
    """A talk that has gone on for a while: what was said before holds the same values."""
    messages = [
        {"role": "user", "content": f"Before: {prompt}"},
        {"role": "assistant", "content": [{"type": "text", "text": f"I heard: {prompt}"}]},
        {"role": "user", "content": [{"type": "text", "text": prompt, "cache_control": {"type": "ephemeral"}}]},
    ]
    system = [{"type": "text", "text": "Answer with what you are told."}]
    return {"model": model, "max_tokens": 2048, "system": system, "messages": messages, **more}


def with_result(prompt):
    """A talk in which the model has thought and called a tool, and the tool has answered."""
    call = {"type": "tool_use", "id": "toolu_1", "name": NAMES[0], "input": {"to": prompt, "count": 1}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": prompt}]}
    messages = [
        {"role": "user", "content": prompt},
        {"role": "assistant", "content": [THOUGHT, call]},
        {"role": "user", "content": [result]},
    ]
    return {**asked(prompt, tools=TOOLS, thinking=THINKING), "messages": messages}


def create(prompt, **more):
    yield "final", client.messages.create(**asked(prompt, **more))


def tool_result(prompt):
    yield "final", client.messages.create(**with_result(prompt))


def streamed(prompt, **more):
    """The events, and what the library's own helper gathers of them."""
    with client.messages.stream(**asked(prompt, **more)) as stream:
        for event in stream:
            if event.type in WIRE:
                yield "event", event
        yield "final", stream.get_final_message()


def events_only(prompt, **more):
    """The events as a caller reads them that gathers by itself."""
    for event in client.messages.create(stream=True, **asked(prompt, **more)):
        yield "event", event


SCENARIOS = {
    "chat": create,
    "tools": functools.partial(create, tools=TOOLS),
    "tool_result": tool_result,
    "thinking": functools.partial(create, thinking=THINKING),
    "stream": streamed,
    "stream_tools": functools.partial(streamed, tools=TOOLS),
    "stream_thinking": functools.partial(streamed, thinking=THINKING, tools=TOOLS),
    "stream_events": events_only,
    "error_400": functools.partial(create, model="error-400"),
    "error_401": functools.partial(create, model="error-401"),
    "error_429": functools.partial(create, model="error-429"),
    "error_midstream": functools.partial(events_only, model="error-midstream"),
}

if __name__ == "__main__":
    run(SCENARIOS, anthropic.AnthropicError)
