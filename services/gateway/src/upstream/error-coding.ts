import type { Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import { GatewayError } from '@nexus/domain';
import type { AnswerFields } from '@nexus/http-client';

/** The codings that clients offer (RFC 9110 §8.4.1; br: RFC 7932, zstd: RFC 8878). */
const DECODERS: ReadonlyMap<string, () => Transform> = new Map<string, () => Transform>([
  ['gzip', createGunzip],
  ['x-gzip', createGunzip],
  ['deflate', createInflate],
  ['br', createBrotliDecompress],
  ['zstd', createZstdDecompress],
]);

function codingOf(fields: AnswerFields): string {
  const coding = fields.joined('content-encoding');
  return coding === undefined ? 'identity' : coding.trim().toLowerCase();
}

/** Whether an answer's body is not what its type says, but compressed. */
export function isCoded(fields: AnswerFields): boolean {
  const coding = codingOf(fields);
  return coding !== 'identity' && coding !== '';
}

/**
 * What decodes an answer in which a key may be quoted; undefined: it isn't coded.
 * @throws GatewayError `upstream_invalid` where the coding isn't known, so that nobody can say what the answer holds
 */
export function decoderFor(fields: AnswerFields): Transform | undefined {
  if (!isCoded(fields)) return undefined;
  const create = DECODERS.get(codingOf(fields));
  if (create === undefined) throw new GatewayError('upstream_invalid');
  return create();
}
