import { readCsv } from './csv.ts';
import { isDay } from './days.ts';
import type { ModelDay } from './usage-query.ts';

/** What a provider says that was used, or what is wrong with its file. */
export type ProviderExport = { readonly days: readonly ModelDay[] } | { readonly wrong: string };

/**
 * Reads OpenAI's usage export: pages of `GET /v1/organization/usage/completions` (or embeddings) with `group_by=model` and `bucket_width=1d` or
 * shorter, as JSON, several in a list or one a line; or the dashboard's CSV with the same names as columns. Its days are UTC's.
 */
export function readProviderExport(text: string): ProviderExport {
  const start = text.replace(/^\ufeff/, '').trimStart();
  if (start === '') return { wrong: 'it is empty' };
  return start[0] === '{' || start[0] === '[' ? readJson(start) : readTable(text);
}

const NO_MODEL = 'it does not say the model: export it grouped by model (group_by=model)';

function readJson(text: string): ProviderExport {
  const pages = parsePages(text);
  if (pages === undefined) return { wrong: 'it is no JSON' };
  const days: ModelDay[] = [];
  for (const page of pages) {
    const buckets = page.data ?? (page.results === undefined ? undefined : [page]);
    if (!Array.isArray(buckets)) return { wrong: 'it holds no pages of the usage API: `data` is missing' };
    for (const bucket of buckets.filter(isRecord)) {
      const day = dayOf(bucket.start_time ?? bucket.start_time_iso);
      if (day === undefined || !Array.isArray(bucket.results))
        return { wrong: 'one of its buckets has no `start_time` or no `results`' };
      for (const result of bucket.results.filter(isRecord)) {
        const read = modelDay(day, (name) => result[name]);
        if ('wrong' in read) return read;
        days.push(read);
      }
    }
  }
  return { days };
}

function parsePages(text: string): Record<string, unknown>[] | undefined {
  const parse = (one: string): unknown => {
    try {
      return JSON.parse(one);
    } catch {
      return undefined;
    }
  };
  const whole = parse(text);
  const pages: unknown[] =
    whole === undefined
      ? text
          .split('\n')
          .filter((line) => line.trim() !== '')
          .map(parse)
      : Array.isArray(whole)
        ? whole
        : [whole];
  return pages.every(isRecord) ? pages.filter(isRecord) : undefined;
}

function readTable(text: string): ProviderExport {
  const [head = [], ...lines] = readCsv(text);
  const names = head.map((name) => name.trim().toLowerCase());
  const dayColumn = ['start_time_iso', 'start_time', 'date', 'day'].find((name) => names.includes(name));
  if (dayColumn === undefined || !names.includes('input_tokens'))
    return { wrong: 'it is neither JSON nor a table with the columns start_time, model and input_tokens' };
  const days: ModelDay[] = [];
  for (const [index, line] of lines.entries()) {
    const at = (name: string) => line[names.indexOf(name)];
    const day = dayOf(at(dayColumn));
    if (day === undefined) return { wrong: `its line ${index + 2} has no time` };
    const read = modelDay(day, at);
    if ('wrong' in read) return { wrong: `its line ${index + 2}: ${read.wrong}` };
    days.push(read);
  }
  return { days };
}

function modelDay(day: string, at: (name: string) => unknown): ModelDay | { readonly wrong: string } {
  const model = at('model');
  if (typeof model !== 'string' || model === '') return { wrong: NO_MODEL };
  const counts = ['num_model_requests', 'input_tokens', 'input_cached_tokens', 'output_tokens'].map((name) =>
    countOf(at(name)),
  );
  const [requests, inputTokens, cachedInputTokens, outputTokens] = counts;
  if (
    requests === undefined ||
    inputTokens === undefined ||
    cachedInputTokens === undefined ||
    outputTokens === undefined
  )
    return { wrong: 'one of its counts is no whole number' };
  return { day, model, requests, inputTokens, cachedInputTokens, outputTokens };
}

/** What isn't there is 0: embeddings have no output. */
function countOf(value: unknown): number | undefined {
  if (value === undefined || value === null || value === '') return 0;
  const count = Number(value);
  return Number.isSafeInteger(count) && count >= 0 ? count : undefined;
}

/** The day of UTC of seconds since 1970, or of a text that begins with a day. */
function dayOf(time: unknown): string | undefined {
  if (typeof time === 'number' || (typeof time === 'string' && /^\d{9,11}(\.0+)?$/.test(time))) {
    const date = new Date(Number(time) * 1_000);
    return Number.isNaN(date.getTime()) ? undefined : date.toISOString().slice(0, 10);
  }
  const day = typeof time === 'string' ? time.slice(0, 10) : '';
  return isDay(day) ? day : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
