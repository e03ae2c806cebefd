import type { Splice } from '@nexus/tokens';

/** A body with one splice: the only change that Nexus ever makes to one. */
export function spliced(body: Uint8Array, splice: Splice): Uint8Array {
  return Buffer.concat([body.subarray(0, splice.start), splice.insert, body.subarray(splice.end)]);
}
