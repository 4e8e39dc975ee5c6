// OpenAI's Node library: chat completions, completions, embeddings, Responses. client.mjs says how it is called.
import { baseURL, gathered, require, run } from './client.mjs';

const { OpenAI, OpenAIError } = require('openai');
const client = new OpenAI({ baseURL: `${baseURL}/v1`, apiKey: 'sk-none', maxRetries: 0, timeout: 30_000 });

const parameters = {
  type: 'object',
  properties: { to: { type: 'string' }, count: { type: 'integer' } },
  required: ['to'],
};
const functions = ['send_mail', 'find_customer'];
const tools = functions.map((name) => ({ type: 'function', function: { name, description: 'Acts.', parameters } }));
const responsesTools = functions.map((name) => ({ type: 'function', name, parameters, strict: false }));

/** A talk that has gone on for a while: what was said before holds the same values. */
const messages = (prompt) => [
  { role: 'system', content: 'Answer with what you are told.' },
  { role: 'user', content: `Before: ${prompt}`, name: 'caller' },
  { role: 'assistant', content: `I heard: ${prompt}` },
  { role: 'user', content: [{ type: 'text', text: prompt }] },
];

/** A talk in which the model has called a tool, and the tool has answered. */
const withResult = (prompt) => {
  const call = { name: functions[0], arguments: JSON.stringify({ to: prompt, count: 1 }) };
  return [
    { role: 'user', content: prompt },
    { role: 'assistant', content: null, tool_calls: [{ id: 'call_1', type: 'function', function: call }] },
    { role: 'tool', tool_call_id: 'call_1', content: prompt },
  ];
};

const chat = (more) =>
  async function* (prompt) {
    yield ['final', await client.chat.completions.create({ model: 'gpt-5', messages: messages(prompt), ...more })];
  };

/** The chunks, and what the library's own helper gathers of them. */
const streamed = (more) =>
  async function* (prompt) {
    const stream_options = { include_usage: true };
    const stream = client.chat.completions.stream({ model: 'gpt-5', messages: messages(prompt), stream_options, ...more });
    yield* gathered(stream, 'chunk', () => stream.finalChatCompletion());
  };

/** The chunks as a caller reads them that gathers by itself. */
const chunksOnly = (more) =>
  async function* (prompt) {
    const stream = await client.chat.completions.create({ model: 'gpt-5', messages: messages(prompt), stream: true, ...more });
    for await (const chunk of stream) yield ['event', chunk];
  };

const items = (prompt) => [
  { role: 'user', content: `Before: ${prompt}` },
  { role: 'user', content: [{ type: 'input_text', text: prompt }] },
];

const respond = (input, more) =>
  async function* (prompt) {
    yield ['final', await client.responses.create({ model: 'gpt-5', input: input(prompt), ...more })];
  };

const responsesStreamed = (more) =>
  async function* (prompt) {
    const stream = client.responses.stream({ model: 'gpt-5', input: items(prompt), ...more });
    yield* gathered(stream, 'event', () => stream.finalResponse());
  };

const itemsWithResult = (prompt) => [
  { role: 'user', content: prompt },
  { type: 'function_call', call_id: 'call_1', name: functions[0], arguments: JSON.stringify({ to: prompt }) },
  { type: 'function_call_output', call_id: 'call_1', output: prompt },
];

const scenarios = {
  chat: chat({}),
  chat_n: chat({ n: 2 }),
  tools: chat({ tools }),
  async *tool_result(prompt) {
    yield ['final', await client.chat.completions.create({ model: 'gpt-5', messages: withResult(prompt), tools })];
  },
  stream: streamed({}),
  stream_n: streamed({ n: 2 }),
  stream_tools: streamed({ tools }),
  stream_chunks: chunksOnly({}),
  error_400: chat({ model: 'error-400' }),
  error_401: chat({ model: 'error-401' }),
  error_429: chat({ model: 'error-429' }),
  error_midstream: chunksOnly({ model: 'error-midstream' }),
  async *completions(prompt) {
    yield ['final', await client.completions.create({ model: 'gpt-3.5-turbo-instruct', prompt })];
  },
  async *completions_stream(prompt) {
    const stream = await client.completions.create({ model: 'gpt-3.5-turbo-instruct', prompt, stream: true });
    for await (const chunk of stream) yield ['event', chunk];
  },
  async *embeddings(prompt) {
    yield ['final', await client.embeddings.create({ model: 'text-embedding-3-small', input: [prompt, 'and this'] })];
  },
  responses: respond(items, { instructions: 'Say it again.' }),
  responses_text: respond((prompt) => prompt, {}),
  responses_tools: respond(items, { tools: responsesTools }),
  responses_tool_result: respond(itemsWithResult, { tools: responsesTools }),
  responses_stream: responsesStreamed({}),
  responses_stream_tools: responsesStreamed({ tools: responsesTools }),
  responses_error_midstream: responsesStreamed({ model: 'error-midstream' }),
};

await run(scenarios, OpenAIError);
