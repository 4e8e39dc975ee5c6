// Reads the flags that the proxy puts on a request. Copy it into a service: it needs nothing but the request's headers, as node:http
// and Express give them. A header that is missing, doubled or malformed is the default, never an error.

/** x-flag-<flag>: true or false. */
export function enabled(headers, flag, otherwise = false) {
  const value = headers[`x-flag-${flag.toLowerCase()}`];
  return value === 'true' ? true : value === 'false' ? false : otherwise;
}

/** x-flagvariant-<flag>: the variant's name. */
export function variant(headers, flag, otherwise) {
  return decoded(headers[`x-flagvariant-${flag.toLowerCase()}`]) ?? otherwise;
}

/** x-flagpayload-<flag>: a text. */
export function text(headers, flag, otherwise) {
  return decoded(payload(headers, flag)) ?? otherwise;
}

/** x-flagpayload-<flag>: a number from least to most; one outside is the default, as nobody can have meant it. */
export function number(headers, flag, otherwise, { least = -Infinity, most = Infinity } = {}) {
  const value = payload(headers, flag);
  if (value === undefined || !/^-?\d+(\.\d+)?([eE][-+]?\d+)?$/.test(value)) return otherwise;
  const found = Number(value);
  return Number.isFinite(found) && found >= least && found <= most ? found : otherwise;
}

/** x-flagpayload-<flag>: JSON. */
export function json(headers, flag, otherwise) {
  try {
    return JSON.parse(payload(headers, flag));
  } catch {
    return otherwise;
  }
}

/** x-flags-source: where the flags come from: live, stale, bootstrap or default; undefined where no proxy evaluated any. */
export function source(headers) {
  return headers['x-flags-source'];
}

/** x-feature-flags: all flags in one header, as W3C baggage: a map of {enabled, variant}. */
export function all(headers) {
  const found = new Map();
  for (const member of (headers['x-feature-flags'] ?? '').split(',')) {
    const [[flag, value], ...properties] = member.split(';').map((part) => part.split('=', 2).map((word) => word.trim()));
    if (value !== 'true' && value !== 'false') continue;
    const variant = properties.find(([name]) => name === 'variant')?.[1];
    found.set(decoded(flag) ?? flag, { enabled: value === 'true', variant: decoded(variant) });
  }
  return found;
}

function payload(headers, flag) {
  return headers[`x-flagpayload-${flag.toLowerCase()}`];
}

/** Undoes the proxy's %XX; undefined where there is nothing or what is no UTF-8. */
function decoded(value) {
  try {
    return value === undefined ? undefined : decodeURIComponent(value);
  } catch {
    return undefined;
  }
}
