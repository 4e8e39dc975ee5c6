// Evaluates a job's flags as a Node service would, one after the other: OpenFeature's server SDK over an OFREP provider.
//
//   NODE_PATH=$(tools/openfeature.sh)/node/node_modules node tests/openfeature/node/evaluate.mjs < job.json
//
// The job: {"baseUrl", "headers"?: {"host", ...}, "timeoutSeconds"?: 5, "provider"?: "published" | "core",
//           "evaluations": [{"flag", "type": boolean | string | number | object, "default", "context"?: {"targetingKey", ...}}]}
// The answer: {"evaluations": [{"flag", "value", "variant", "reason", "errorCode", "errorMessage", "flagMetadata"}]}
import { answer, details, evaluate, job, providerOptions, require } from './ofrep.mjs';

const { OpenFeature } = require('@openfeature/server-sdk');

/** The provider as it is published, 0.1.3. */
function published(options) {
  const { OFREPProvider } = require('@openfeature/ofrep-provider');
  return new OFREPProvider(options);
}

/**
 * What the provider has been since 0.2.2, but for its pause after a 429: these calls of ofrep-core 2, which encodes the key, has a
 * time limit, and takes an answer without a value for "use the default". The web provider brings that core.
 */
function core(options) {
  const { createRequire } = require('node:module');
  const { OFREPApi, handleEvaluationError, toResolutionDetails } = createRequire(
    require.resolve('@openfeature/ofrep-web-provider'),
  )('@openfeature/ofrep-core');
  const api = new OFREPApi(options, options.fetchImplementation);
  const resolve = async (flag, otherwise, context) => {
    const { httpStatus, value } = await api.postEvaluateFlag(flag, { context });
    return httpStatus === 200 ? toResolutionDetails(value, otherwise) : handleEvaluationError(value, otherwise);
  };
  return {
    metadata: { name: 'ofrep-core' },
    runsOn: 'server',
    resolveBooleanEvaluation: resolve,
    resolveStringEvaluation: resolve,
    resolveNumberEvaluation: resolve,
    resolveObjectEvaluation: resolve,
  };
}

const { provider = 'published', evaluations, ...connection } = job();
await OpenFeature.setProviderAndWait({ published, core }[provider](providerOptions(connection)));
const client = OpenFeature.getClient();
const found = [];
for (const evaluation of evaluations) {
  found.push(details(await evaluate(client, evaluation)));
}
answer({ evaluations: found });
