import type { IncomingHttpHeaders } from 'node:http';
import { CREDENTIAL_HEADERS, type Identity, isCredentialHeader } from '../path/identify.ts';

/** Fields between two hops alone (RFC 9110 §7.6.1), with their forebears. */
export const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'expect',
];

/** What tells who and where the client is: the provider has no business with it. */
const CLIENT_PRIVATE = [
  'cookie',
  'forwarded',
  'via',
  'x-real-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'true-client-ip',
  'cf-connecting-ip',
  'fastly-client-ip',
];

/** Nexus sets these anew. */
const SET_ANEW = ['host', 'content-length'];

const NOT_SENT_UPSTREAM = new Set<string>([
  ...HOP_BY_HOP,
  ...CLIENT_PRIVATE,
  ...SET_ANEW,
  ...CREDENTIAL_HEADERS,
]);

/** What becomes of a header field on its way upstream. */
type Fate = 'pass' | 'drop' | 'credential' | 'coding';

const fates = new Map<string, Fate>();
const MOST_FATES_KEPT = 1_024;

/** The fate of a field by its name as the client spelled it: clients repeat themselves, so most names are looked up once. */
function fateOf(name: string): Fate {
  const known = fates.get(name);
  if (known !== undefined) return known;
  const fate = findFate(name.toLowerCase());
  if (fates.size < MOST_FATES_KEPT) fates.set(name, fate);
  return fate;
}

function findFate(lower: string): Fate {
  if (isCredentialHeader(lower)) return 'credential';
  if (NOT_SENT_UPSTREAM.has(lower) || lower.startsWith('x-nexus-') || lower.startsWith('x-forwarded-'))
    return 'drop';
  return lower === 'accept-encoding' ? 'coding' : 'pass';
}

/** What `Connection` may not name away: the fields that say whose request it is and what its body is. */
const KEPT_IN_SPITE_OF_CONNECTION =
  /^(?:authorization|x-api-key|api-key|x-goog-api-key|host|content-.*|x-request-id)$/;

const NONE: ReadonlySet<string> = new Set();

/** The fields that a `Connection` header names, in lower case. */
export function namedByConnection(connection: string | undefined): ReadonlySet<string> {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return NONE;
  const names = connection.split(',').map((name) => name.trim().toLowerCase());
  return new Set(names.filter((name) => !KEPT_IN_SPITE_OF_CONNECTION.test(name)));
}

/**
 * The credential for the upstream in the header that brought the client's: theirs as it came, or ours in its place. Undefined: none, since
 * theirs was issued by Nexus and is nobody else's business.
 */
function credentialUpstream(identity: Identity, headers: IncomingHttpHeaders): string | undefined {
  const { principal, header } = identity;
  if (principal.upstreamKey === undefined)
    return principal.isIssued === true ? undefined : String(headers[header]);
  return header === 'authorization' ? `Bearer ${principal.upstreamKey}` : principal.upstreamKey;
}

/**
 * The header fields for the upstream as a flat list of names and values, in the client's order and spelling: all but
 * hop-by-hop ones, the client's address and cookies, `x-nexus-*`, and credentials other than the one that was believed.
 */
export function headersUpstream(
  rawHeaders: readonly string[],
  headers: IncomingHttpHeaders,
  identity: Identity,
  options: {
    readonly metered: boolean;
    /** The field that carries the upstream's own key; absent: the credential that came, or its principal's. */
    readonly credential?: { readonly name: string; readonly value: string } | undefined;
  },
): string[] {
  const dropped = namedByConnection(headers.connection);
  const out: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i];
    const value = rawHeaders[i + 1];
    if (name === undefined || value === undefined) continue;
    const fate = fateOf(name);
    if (fate === 'drop' || (fate === 'coding' && options.metered)) continue;
    if (fate === 'credential') {
      const isBelieved = name.length === identity.header.length && name.toLowerCase() === identity.header;
      if (!isBelieved) continue;
      const own = options.credential;
      const credential = own ? own.value : credentialUpstream(identity, headers);
      if (credential !== undefined) out.push(own ? own.name : name, credential);
    } else if (dropped.size === 0 || !dropped.has(name.toLowerCase())) out.push(name, value);
  }
  // A metered answer is read on its way: an encoded one would have to be decoded first.
  if (options.metered) out.push('accept-encoding', 'identity');
  return out;
}
