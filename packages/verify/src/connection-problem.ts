import { VerifyProblem } from './problem.ts';

const UNTRUSTED = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_UNTRUSTED',
]);

/** The code of an error, or of the error behind it: `ECONNREFUSED`, `CERT_HAS_EXPIRED`. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  if ('code' in error && typeof error.code === 'string') return error.code;
  return error.cause === undefined ? error.name : codeOf(error.cause);
}

/** Why an address can't be reached, and what to do. */
export function connectionProblem(url: string, error: unknown): VerifyProblem {
  return new VerifyProblem(`${url} ${reason(codeOf(error))}`, { cause: error });
}

function reason(code: string): string {
  if (UNTRUSTED.has(code)) {
    return `has a certificate that is not trusted here (${code}). Name the authority that signed it, or the certificate itself: --ca FILE`;
  }
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return 'has a certificate that has expired. Renew it.';
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return 'has a certificate for another name. Use the name that stands in it.';
    case 'ECONNREFUSED':
      return 'refuses connections: nothing listens there. Start Nexus, or correct the address and port.';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'has a name that cannot be resolved. Correct it, or look at your DNS.';
    case 'ECONNRESET':
    case 'UND_ERR_SOCKET':
    case 'EPROTO':
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
      return `ended the connection (${code}). Is it https where you wrote http, or the other way round?`;
    case 'HPE_INVALID_CONSTANT':
      return 'does not speak HTTP. Is it https where you wrote http?';
    default:
      return `cannot be reached (${code}). Correct the address, or open the way to it.`;
  }
}
