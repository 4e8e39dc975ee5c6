// Decides how the Node clients of these tests reach the proxy: the SDKs (found by NODE_PATH), the base URL, the names, the time limit.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import dns from 'node:dns';

// `import` does not look at NODE_PATH, `require` does.
export const require = createRequire(import.meta.url);

export const job = () => JSON.parse(readFileSync(0, 'utf8'));

export const answer = (value) => process.stdout.write(JSON.stringify(value) + '\n');

/**
 * The options of an OFREP provider for a job.
 *
 * `fetch` sets Host from the URL and from nothing else. So a job's `host` header becomes the URL's name, as it is for a service in a
 * mesh, and the name is resolved to the job's address, as a line in /etc/hosts would: `Host: flags.runtime-control.local:PORT`.
 */
export function providerOptions({ baseUrl, headers = {}, timeoutSeconds = 5 }) {
  const others = Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'host');
  const host = Object.entries(headers).find(([name]) => name.toLowerCase() === 'host')?.[1];
  return {
    baseUrl: host ? named(baseUrl, host) : baseUrl,
    headers: others,
    timeoutMs: timeoutSeconds * 1000,
    // The server provider 0.1.3 knows no timeoutMs.
    fetchImplementation: (request, options) => fetch(request, { signal: AbortSignal.timeout(timeoutSeconds * 1000), ...options }),
  };
}

function named(baseUrl, host) {
  const url = new URL(baseUrl);
  resolve(host, url.hostname);
  url.hostname = host;
  return url.href.replace(/\/$/, '');
}

/** Every connection of this process to `name` goes to `address`. */
function resolve(name, address) {
  const lookup = dns.lookup;
  dns.lookup = (hostname, ...rest) => lookup(hostname === name ? address : hostname, ...rest);
}

/** Evaluation details with every field, so that a missing one shows as null. */
export const details = (found) => ({
  flag: found.flagKey,
  value: found.value ?? null,
  variant: found.variant ?? null,
  reason: found.reason ?? null,
  errorCode: found.errorCode ?? null,
  errorMessage: found.errorMessage ?? null,
  flagMetadata: found.flagMetadata ?? {},
});

/** The client's call for a type; OpenFeature's JavaScript has one for all numbers. */
export function evaluate(client, { flag, type, default: otherwise, context }) {
  switch (type) {
    case 'boolean':
      return client.getBooleanDetails(flag, otherwise, context);
    case 'string':
      return client.getStringDetails(flag, otherwise, context);
    case 'number':
      return client.getNumberDetails(flag, otherwise, context);
    case 'object':
      return client.getObjectDetails(flag, otherwise, context);
    default:
      throw new Error(`type ${type}: boolean, string, number or object`);
  }
}
