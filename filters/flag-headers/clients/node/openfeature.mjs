// A service that asks for flags by OpenFeature, for a user that it knows itself. The proxy next to it answers; no flag server is asked.
//
//   npm install @openfeature/server-sdk @openfeature/core @openfeature/ofrep-provider @openfeature/ofrep-core
//   PORT=8080 node openfeature.mjs    0 (or nothing): a free port, which it prints
//   curl -H 'x-user-id: ada' localhost:8080
//   {"newUi":true,"reason":"TARGETING_MATCH","aiTimeoutSeconds":45}
//
// FLAGS_URL: where the proxy answers, if not by the name.
import { createServer } from 'node:http';
import { OpenFeature } from '@openfeature/server-sdk';
import { OFREPProvider } from '@openfeature/ofrep-provider';

const provider = new OFREPProvider({
  baseUrl: process.env.FLAGS_URL ?? 'http://flags.runtime-control.local',
  // A flag must not hold up a request: after this long it is its default.
  fetchImplementation: (request) => fetch(request, { signal: AbortSignal.timeout(500) }),
});
await OpenFeature.setProviderAndWait(provider);
const flags = OpenFeature.getClient();

const server = createServer(async (request, response) => {
  request.resume();
  const user = { targetingKey: request.headers['x-user-id'] ?? 'anonymous' };
  // With Express: app.get('/', async (request, response) => { ... }), and the same calls. None of them throws.
  const newUi = await flags.getBooleanDetails('new-ui-enabled', false, user);
  const aiTimeoutSeconds = await flags.getNumberValue('ai-timeout-seconds', 30, user);
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ newUi: newUi.value, reason: newUi.reason, aiTimeoutSeconds }) + '\n');
});
server.listen(Number(process.env.PORT ?? 0), () => console.log(`listening on ${server.address().port}`));
process.once('SIGTERM', () => process.exit());
