// Anthropic's Node library: the Messages API. client.mjs says how it is called.
import { baseURL, gathered, require, run } from './client.mjs';

const { Anthropic, AnthropicError } = require('@anthropic-ai/sdk');
const client = new Anthropic({ baseURL, apiKey: 'none', maxRetries: 0, timeout: 30_000 });

const input_schema = {
  type: 'object',
  properties: { to: { type: 'string' }, count: { type: 'integer' } },
  required: ['to'],
};
const functions = ['send_mail', 'find_customer'];
const tools = functions.map((name) => ({ name, description: 'Acts.', input_schema }));
const thinking = { type: 'enabled', budget_tokens: 1024 };
// what the server signs; sent back as it came
const thought = { type: 'thinking', thinking: 'They want it back.', signature: 'EqoBCkgIARABGAIiQA==' };

/** A talk that has gone on for a while: what was said before holds the same values. */
const asked = (prompt, more) => ({
  model: 'claude-test',
  max_tokens: 2048,
  system: [{ type: 'text', text: 'Answer with what you are told.' }],
  messages: [
    { role: 'user', content: `Before: ${prompt}` },
    { role: 'assistant', content: [{ type: 'text', text: `I heard: ${prompt}` }] },
    { role: 'user', content: [{ type: 'text', text: prompt, cache_control: { type: 'ephemeral' } }] },
  ],
  ...more,
});

/** A talk in which the model has thought and called a tool, and the tool has answered. */
const withResult = (prompt) => {
  const call = { type: 'tool_use', id: 'toolu_1', name: functions[0], input: { to: prompt, count: 1 } };
  const result = { type: 'tool_result', tool_use_id: 'toolu_1', content: [{ type: 'text', text: prompt }] };
  const messages = [
    { role: 'user', content: prompt },
    { role: 'assistant', content: [thought, call] },
    { role: 'user', content: [result] },
  ];
  return asked(prompt, { tools, thinking, messages });
};

const create = (more) =>
  async function* (prompt) {
    yield ['final', await client.messages.create(asked(prompt, more))];
  };

/** The events, and what the library's own helper gathers of them. */
const streamed = (more) =>
  async function* (prompt) {
    const stream = client.messages.stream(asked(prompt, more));
    yield* gathered(stream, 'streamEvent', () => stream.finalMessage());
  };

/** The events as a caller reads them that gathers by itself. */
const eventsOnly = (more) =>
  async function* (prompt) {
    const stream = await client.messages.create({ ...asked(prompt, more), stream: true });
    for await (const event of stream) yield ['event', event];
  };

const scenarios = {
  chat: create({}),
  tools: create({ tools }),
  async *tool_result(prompt) {
    yield ['final', await client.messages.create(withResult(prompt))];
  },
  thinking: create({ thinking }),
  stream: streamed({}),
  stream_tools: streamed({ tools }),
  stream_thinking: streamed({ thinking, tools }),
  stream_events: eventsOnly({}),
  error_400: create({ model: 'error-400' }),
  error_401: create({ model: 'error-401' }),
  error_429: create({ model: 'error-429' }),
  error_midstream: eventsOnly({ model: 'error-midstream' }),
};

await run(scenarios, AnthropicError);
