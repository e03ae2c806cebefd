import type { LedgerEntry } from '@nexus/domain';

/** What a table's column holds. */
export type ColumnKind = 'text' | 'count';

/** One column of the table of requests. */
export interface EntryColumn {
  readonly name: string;
  readonly kind: ColumnKind;
  /** Text that isn't there is empty; a count that isn't there is null. */
  readonly of: (entry: LedgerEntry) => string | number | null;
}

const text = (name: string, of: (entry: LedgerEntry) => string | undefined): EntryColumn => ({
  name,
  kind: 'text',
  of: (entry) => plain(of(entry)),
});

const count = (name: string, of: (entry: LedgerEntry) => number | undefined): EntryColumn => ({
  name,
  kind: 'count',
  of: (entry) => of(entry) ?? null,
});

/** No name that Nexus takes is longer. */
const LONGEST_TEXT = 256;

/** Text as a database keeps it: bounded, of whole characters, without control characters (PostgreSQL refuses U+0000). */
export function plain(value: string | undefined): string {
  if (value === undefined) return '';
  return value
    .slice(0, LONGEST_TEXT)
    .toWellFormed()
    .replace(/\p{Cc}/gu, '\ufffd');
}

/** All columns of the table of requests but `day`, which the time zone decides; the first is its key. */
export const ENTRY_COLUMNS: readonly EntryColumn[] = [
  text('id', (entry) => entry.id),
  text('request_id', (entry) => entry.requestId),
  count('started_ms', (entry) => entry.startedMs),
  count('ended_ms', (entry) => entry.endedMs),
  text('tenant', (entry) => entry.tenant),
  text('team', (entry) => entry.team),
  text('key_id', (entry) => entry.keyId),
  text('customer', (entry) => entry.customer),
  text('feature', (entry) => entry.feature),
  text('model', (entry) => entry.model),
  text('upstream', (entry) => entry.upstream),
  count('status', (entry) => entry.status),
  text('ending', (entry) => entry.ending),
  count('charged', (entry) => (entry.isCharged ? 1 : 0)),
  text('usage_source', (entry) => entry.usage.source),
  count('input_tokens', ({ usage }) => usage.inputTokens),
  count('cached_input_tokens', ({ usage }) => usage.cachedInputTokens),
  count('cache_write_tokens', ({ usage }) => usage.inputParts?.cacheWriteTokens ?? 0),
  count('cache_write_1h_tokens', ({ usage }) => usage.inputParts?.cacheWrite1hTokens ?? 0),
  count('input_audio_tokens', ({ usage }) => usage.inputParts?.audioTokens ?? 0),
  count('cached_input_audio_tokens', ({ usage }) => usage.inputParts?.cachedAudioTokens ?? 0),
  count('input_image_tokens', ({ usage }) => usage.inputParts?.imageTokens ?? 0),
  count('cached_input_image_tokens', ({ usage }) => usage.inputParts?.cachedImageTokens ?? 0),
  count('output_tokens', ({ usage }) => usage.outputTokens),
  count('reasoning_tokens', ({ usage }) => usage.reasoningTokens),
  count('output_audio_tokens', ({ usage }) => usage.outputParts?.audioTokens ?? 0),
  count('output_image_tokens', ({ usage }) => usage.outputParts?.imageTokens ?? 0),
  count('web_searches', ({ usage }) => usage.outputParts?.webSearches ?? 0),
  count('cost_nano_usd', (entry) => entry.costNanoUsd),
];
