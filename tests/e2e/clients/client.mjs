// What the Node clients share: which scenarios are run, and how what the library makes of an answer is told.
//
//   NODE_PATH=$(tools/ai-clients.sh)/node/node_modules node tests/e2e/clients/openai_client.mjs BASE_URL PROMPT SCENARIO...
//
// The lines of the output are those of client.py. A node of 22 or newer; the directory has one: node/node.
import { createRequire } from 'node:module';

/** Imports do not look in NODE_PATH; require does. */
export const require = createRequire(import.meta.url);

export const [baseURL, prompt, ...names] = process.argv.slice(2);

/** Runs the scenarios that the command line names; each is a generator over [kind, value]s, of the prompt. */
export async function run(scenarios, ErrorType) {
  for (const scenario of names) {
    const tell = (kind, value) => process.stdout.write(JSON.stringify({ scenario, kind, value }) + '\n');
    try {
      for await (const [kind, value] of scenarios[scenario](prompt)) tell(kind, value);
    } catch (error) {
      if (!(error instanceof ErrorType)) throw error;
      tell('error', { type: error.constructor.name, status: error.status ?? null, message: error.message, body: error.error ?? null });
    }
  }
}

/** What a library's helper gathers of a stream, after the events as they came: the helper goes on to write in them. */
export async function* gathered(stream, eventName, final) {
  const events = [];
  stream.on(eventName, (event) => events.push(['event', structuredClone(event)]));
  const [end] = await Promise.allSettled([final()]);
  yield* events;
  if (end.status === 'rejected') throw end.reason;
  yield ['final', end.value];
}
