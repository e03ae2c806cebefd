import type { LedgerEntry } from '@nexus/domain';

let count = 0;

/** A record like any other; `own` says what is special about it. */
export function entry(
  own: Partial<LedgerEntry> & { readonly tokens?: readonly [number, number] } = {},
): LedgerEntry {
  count += 1;
  const { tokens: [inputTokens, outputTokens] = [10, 5], ...rest } = own;
  return {
    id: `req_${count}`,
    requestId: `client-${count}`,
    startedMs: Date.UTC(2026, 10, 3, 12),
    endedMs: Date.UTC(2026, 10, 3, 12, 0, 1),
    tenant: 'default',
    team: 'search',
    keyId: 'search-prod',
    model: 'gpt-4o-mini',
    status: 200,
    ending: 'whole',
    isCharged: true,
    usage: { inputTokens, outputTokens, cachedInputTokens: 0, reasoningTokens: 0, source: 'reported' },
    costNanoUsd: 4_500,
    ...rest,
  };
}
