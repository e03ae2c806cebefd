import type { IncomingHttpHeaders } from 'node:http';

/** The credential of a request: `Authorization: Bearer`, Anthropic's `x-api-key` or Azure's `api-key`. */
export function readCredential(headers: IncomingHttpHeaders): string | undefined {
  const { authorization } = headers;
  if (authorization !== undefined) {
    const token = /^bearer +(.+?) *$/i.exec(authorization)?.[1];
    if (token !== undefined) return token;
  }
  const key = headers['x-api-key'] ?? headers['api-key'];
  return typeof key === 'string' && key !== '' ? key : undefined;
}
