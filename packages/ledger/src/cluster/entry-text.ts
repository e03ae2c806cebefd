import type { InputParts, LedgerEntry, OutputParts, Usage } from '@nexus/domain';

/** The form of the text. One that has another number was written by another version of Nexus. */
const FORM = 1;

const ENDINGS = ['whole', 'client left', 'upstream broke'] as const;
const SOURCES = ['reported', 'counted', 'estimated', 'none'] as const;

/** A record as text: a JSON array, since the names of its fields would be half of it. */
export function entryText(entry: LedgerEntry): string {
  const { usage } = entry;
  const { inputParts, outputParts } = usage;
  return JSON.stringify([
    FORM,
    entry.id,
    entry.requestId,
    entry.startedMs,
    entry.endedMs,
    entry.tenant,
    entry.team ?? null,
    entry.keyId,
    entry.customer ?? null,
    entry.feature ?? null,
    entry.model ?? null,
    entry.upstream ?? null,
    entry.status,
    ENDINGS.indexOf(entry.ending),
    entry.isCharged ? 1 : 0,
    SOURCES.indexOf(usage.source),
    entry.costNanoUsd ?? null,
    [usage.inputTokens, usage.cachedInputTokens, usage.outputTokens, usage.reasoningTokens],
    inputParts
      ? [
          inputParts.cacheWriteTokens,
          inputParts.cacheWrite1hTokens,
          inputParts.audioTokens,
          inputParts.cachedAudioTokens,
          inputParts.imageTokens,
          inputParts.cachedImageTokens,
        ]
      : null,
    outputParts ? [outputParts.audioTokens, outputParts.imageTokens, outputParts.webSearches] : null,
  ]);
}

/** The record of a text; undefined: it is none, or one of another form. */
export function readEntry(text: string): LedgerEntry | undefined {
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(read)) return undefined;
  const values: readonly unknown[] = read;
  const [form, id, requestId, startedMs, endedMs, tenant] = values;
  const ending = ENDINGS[Number(values[13])];
  const usage = usageOf(values);
  const keyId = values[7];
  if (form !== FORM || typeof id !== 'string' || typeof requestId !== 'string' || typeof keyId !== 'string')
    return undefined;
  if (!isCount(startedMs) || !isCount(endedMs) || typeof tenant !== 'string') return undefined;
  const status = values[12];
  if (!isCount(status) || ending === undefined || usage === undefined) return undefined;
  const cost = values[16];
  if (cost !== null && !isCount(cost)) return undefined;
  return {
    id,
    requestId,
    startedMs,
    endedMs,
    tenant,
    team: name(values[6]),
    keyId,
    customer: name(values[8]),
    feature: name(values[9]),
    model: name(values[10]),
    upstream: name(values[11]),
    status,
    ending,
    isCharged: values[14] === 1,
    usage,
    costNanoUsd: cost ?? undefined,
  };
}

function usageOf(values: readonly unknown[]): Usage | undefined {
  const source = SOURCES[Number(values[15])];
  const tokens = counts(values[17], 4);
  const inputs = values[18] === null ? null : counts(values[18], 6);
  const outputs = values[19] === null ? null : counts(values[19], 3);
  if (source === undefined || tokens === undefined || inputs === undefined || outputs === undefined)
    return undefined;
  const [inputTokens = 0, cachedInputTokens = 0, outputTokens = 0, reasoningTokens = 0] = tokens;
  return {
    inputTokens,
    cachedInputTokens,
    outputTokens,
    reasoningTokens,
    source,
    ...(inputs && { inputParts: inputPartsOf(inputs) }),
    ...(outputs && { outputParts: outputPartsOf(outputs) }),
  };
}

function inputPartsOf(values: readonly number[]): InputParts {
  const [written = 0, written1h = 0, audio = 0, cachedAudio = 0, image = 0, cachedImage = 0] = values;
  return {
    cacheWriteTokens: written,
    cacheWrite1hTokens: written1h,
    audioTokens: audio,
    cachedAudioTokens: cachedAudio,
    imageTokens: image,
    cachedImageTokens: cachedImage,
  };
}

function outputPartsOf([audioTokens = 0, imageTokens = 0, webSearches = 0]: readonly number[]): OutputParts {
  return { audioTokens, imageTokens, webSearches };
}

function counts(value: unknown, many: number): readonly number[] | undefined {
  if (!Array.isArray(value) || value.length !== many) return undefined;
  const read: readonly unknown[] = value;
  const numbers = read.filter(isCount);
  return numbers.length === many ? numbers : undefined;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function name(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
