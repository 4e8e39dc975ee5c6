// A service that lets the proxy decide: one flag switches a feature, one carries a setting. It has no flag SDK, asks nobody, and
// answers what it read:
//
//   PORT=8080 node service.mjs        0 (or nothing): a free port, which it prints
//   curl -H 'x-flag-new-ui-enabled: true' -H 'x-flagpayload-ai-timeout-seconds: 45' localhost:8080
//   {"newUi":true,"aiTimeoutSeconds":45,"source":null,"flags":{},"headers":{"x-flag-new-ui-enabled":"true", ...}}
import { createServer } from 'node:http';
import { all, enabled, number, source } from './flags.mjs';

/** What the service does with a request's flags. The defaults hold with no proxy in front. */
function settings(headers) {
  return {
    newUi: enabled(headers, 'new-ui-enabled', false),
    aiTimeoutSeconds: number(headers, 'ai-timeout-seconds', 30, { least: 1, most: 120 }),
    source: source(headers) ?? null,
    flags: Object.fromEntries(all(headers)),
  };
}

/** The flag headers as they came, for whoever looks at the answer. */
function flagHeaders(headers) {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => /^x-(flag|feature-flags)/.test(name)));
}

const server = createServer((request, response) => {
  request.resume();
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ ...settings(request.headers), headers: flagHeaders(request.headers) }) + '\n');
});
server.listen(Number(process.env.PORT ?? 0), () => console.log(`listening on ${server.address().port}`));
process.once('SIGTERM', () => process.exit());
