import { overIn } from './allowance.ts';
import type { Call } from './clients.ts';
import { type RequestLine, type Run, tokensOf } from './run.ts';

/**
 * The five sums that must come out after every fault. Gives back what doesn't, in words.
 *
 * S1 what was let through is allowed · S2 what was taken in Redis has been settled or given back, or is held with a time to live ·
 * S3 one log line a request · S4 the tokens settled are those that the upstream served, and those that the day's bucket shows ·
 * S5 every client saw a whole answer, a clean error or a visibly broken one.
 */
export function sums(run: Run): string[] {
  return [...allowed(run), ...settled(run), ...logged(run), ...counted(run), ...answered(run)];
}

function* allowed({ calls, lines, allowances, outage }: Run): Generator<string> {
  const alone = new Set(lines.filter(({ isAlone }) => isAlone).map(({ id }) => id));
  const byRedis = calls.filter(({ id }) => !alone.has(id));
  // A machine that stalls for long may let a call's time-out pass at any time; then that call is decided alone. What is allowed for that
  // isn't what is tried here.
  const isDuring = ({ sentMs }: Call) => outage && sentMs >= outage.fromMs && sentMs <= outage.toMs;
  const judged = calls.filter((call) => !alone.has(call.id) || isDuring(call));
  for (const allowance of allowances) {
    const { limit, bound } = allowance;
    const ofRedis = overIn(allowance, byRedis, outage?.forgets === true ? bound.burst : 0);
    if (ofRedis > 0) yield `S1: Redis let ${ofRedis} too many through ${limit}`;
    const inAll = overIn(allowance, judged, outage ? bound.burst : 0);
    if (inAll > 0) yield `S1: ${inAll} too many passed ${limit}`;
  }
}

/** Redis forgets ended requests after a minute. */
const REMEMBERED_MS = 45_000;

function* settled({ calls, lines, redis, keys, killed, outage, gatheredMs }: Run): Generator<string> {
  const lost = calls.filter(({ url, end }) => killed.has(url) && end !== 'whole' && end !== 'refused');
  const { open, ended, withoutEnd } = redis;
  if (open.size > lost.length)
    yield `S2: ${open.size} requests hold something, and at most ${lost.length} were broken off`;
  for (const { key, slotsHeld } of keys)
    if (slotsHeld > open.size) yield `S2: ${slotsHeld} slots of ${key} are held by ${open.size} requests`;
  for (const key of withoutEnd) yield `S2: ${key} has no time to live`;
  const recent = new Set(
    calls.filter(({ endedMs }) => endedMs > gatheredMs - REMEMBERED_MS).map(({ id }) => id),
  );
  for (const { id, ownId, decision, isAlone } of lines) {
    if (open.has(ownId)) yield `S2: ${id} is over, and holds something`;
    const isOfRedis = decision === 'admitted' && !isAlone && recent.has(id);
    if (isOfRedis && outage?.forgets !== true && !ended.has(ownId))
      yield `S2: ${id} was admitted, and neither settled nor given back`;
  }
}

function* logged({ calls, lines, killed }: Run): Generator<string> {
  const byId = new Map<string, RequestLine>();
  for (const line of lines) {
    if (byId.has(line.id)) yield `S3: more than one line about ${line.id}`;
    byId.set(line.id, line);
  }
  for (const { id, end, url, status } of calls) {
    const line = byId.get(id);
    if (line === undefined) {
      // Lines about refusals and other errors are bounded.
      if (status === 200 && !killed.has(url)) yield `S3: no line about ${id}, which was let through`;
      continue;
    }
    const { decision } = line;
    const due = status === 200 ? 'admitted' : end === 'refused' ? 'denied' : undefined;
    if (due !== undefined && decision !== due) yield `S3: ${id} ended ${end}, and its line says ${decision}`;
  }
}

function* counted(run: Run): Generator<string> {
  const { calls, lines, served, hits, killed } = run;
  const byId = new Map(lines.map((line) => [line.id, line]));
  const unlogged = calls.filter(({ id, url, end }) => killed.has(url) && end !== 'refused' && !byId.has(id));
  const reported = tokensOf(lines.filter(({ usageSource }) => usageSource === 'reported'));
  const told = served.reportedPromptTokens + served.reportedCompletionTokens;
  if (reported > told || (reported < told && unlogged.length === 0))
    yield `S4: the upstream reported ${told} tokens, the logs ${reported}`;
  for (const { id, end, tokens } of calls) {
    const line = byId.get(id);
    if (end === 'whole' && line && line.tokens !== tokens)
      yield `S4: ${id} used ${tokens} tokens, and its line says ${line.tokens}`;
  }
  if (hits > calls.length) yield `S4: ${calls.length} calls came to the upstream as ${hits}`;
  yield* countedInRedis(run, byId, unlogged);
}

function* countedInRedis(
  { calls, keys, outage }: Run,
  byId: ReadonlyMap<string, RequestLine>,
  unlogged: readonly Call[],
): Generator<string> {
  for (const { key, dayUsed } of keys) {
    if (dayUsed === undefined) continue;
    const own = calls.filter((call) => call.key === key);
    const linesOf = (some: readonly Call[]) => some.flatMap(({ id }) => byId.get(id) ?? []);
    const sum = tokensOf(linesOf(own));
    const forgotten = own.filter(({ endedMs }) => isForgotten(endedMs, outage));
    const least = sum - tokensOf(linesOf(forgotten));
    // What died with an instance is held, or was settled just before its line was written. What was settled about when Redis lost its
    // memory may be given back to it twice: the window is never taken for emptier than it is.
    const most =
      sum +
      tokensOf(linesOf(forgotten)) +
      unlogged.filter((call) => call.key === key).reduce((all, call) => all + call.asked, 0);
    if (dayUsed < least || dayUsed > most)
      yield `S4: of ${key} ${least} to ${most} tokens were settled, and its day shows ${dayUsed}`;
  }
}

/** What was settled shortly before Redis lost its memory, nobody may have seen; what ended shortly after, Redis may not have known. */
function isForgotten(endedMs: number, outage: Run['outage']): boolean {
  return outage?.forgets === true && endedMs >= outage.fromMs - SEEN_WITHIN_MS && endedMs <= outage.toMs;
}

/** Instances look at what was settled at every beat. */
const SEEN_WITHIN_MS = 4_000;

function* answered({ calls, killed }: Run): Generator<string> {
  for (const { id, end, status, code, url } of calls) {
    const isWrong =
      end === 'hung' ||
      end === 'truncated' ||
      (end === 'error' && (status !== 503 || code !== 'limiter_unavailable')) ||
      ((end === 'unreached' || end === 'broken') && !killed.has(url));
    if (isWrong) yield `S5: ${id} ended ${end} (${status} ${code})`;
  }
}
