// Evaluates a job's flags as a web page would, all with one request for each context: OpenFeature's web SDK over its OFREP provider.
// Each step sets a context; the same targetingKey again sends the last ETag, another one does not.
//
//   NODE_PATH=$(tools/openfeature.sh)/node/node_modules node tests/openfeature/node/bulk.mjs < job.json
//
// The job: {"baseUrl", "headers"?, "timeoutSeconds"?, "steps": [{"context": {"targetingKey", ...}}],
//           "evaluations": [{"flag", "type", "default"}]}
// The answer: {"steps": [{"requests": [{"url", "ifNoneMatch", "status", "etag"}], "events": ["READY", ...],
//             "evaluations": [{"flag", "value", ...}]}]}
import { answer, details, evaluate, job, providerOptions, require } from './ofrep.mjs';

const { OpenFeature, ProviderEvents } = require('@openfeature/web-sdk');
const { OFREPWebProvider } = require('@openfeature/ofrep-web-provider');

const { steps, evaluations, ...connection } = job();
let requests = [];
let events = [];

/** Notes what goes over the wire. */
function watched(options) {
  const fetchImplementation = async (request, init) => {
    const seen = { url: request.url, ifNoneMatch: request.headers.get('if-none-match'), status: null, etag: null };
    requests.push(seen);
    const response = await options.fetchImplementation(request, init);
    seen.status = response.status;
    seen.etag = response.headers.get('etag');
    return response;
  };
  return { ...options, fetchImplementation };
}

for (const [name, event] of Object.entries({
  READY: ProviderEvents.Ready,
  ERROR: ProviderEvents.Error,
  STALE: ProviderEvents.Stale,
  CONFIGURATION_CHANGED: ProviderEvents.ConfigurationChanged,
})) {
  OpenFeature.addHandler(event, () => events.push(name));
}

const client = OpenFeature.getClient();
const done = [];
for (const [index, { context }] of steps.entries()) {
  await OpenFeature.setContext(context);
  if (index === 0) {
    // A provider that cannot start says so in the events; every evaluation then gives its default.
    await OpenFeature.setProviderAndWait(new OFREPWebProvider(watched(providerOptions(connection)))).catch(() => {});
  }
  done.push({ requests, events, evaluations: evaluations.map((evaluation) => details(evaluate(client, evaluation))) });
  requests = [];
  events = [];
}
answer({ steps: done });
await OpenFeature.close();
