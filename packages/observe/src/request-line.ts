import type { UsageSource } from '@nexus/domain';
import { errorJson } from './error-json.ts';
import { isoTime, jsonMs, jsonNumber, jsonString } from './json-text.ts';
import type { LogLevel } from './log-level.ts';
import { redact, redactShapes } from './redact.ts';

/** How a request ended, in the fixed words of its line. */
export type RequestEnd = 'request completed' | 'request denied' | 'request failed' | 'client left';

/**
 * What the log says about one request, at its end. It is an allow-list: there is no place in it for a key, a header value or a
 * body. docs/logs.md lists the fields as they are written.
 */
export interface RequestLine {
  readonly message: RequestEnd;
  readonly requestId: string;
  /** The public name of the key; absent if the caller is not known. */
  readonly keyId?: string | undefined;
  /** The address of the client, where it is logged at all. */
  readonly team?: string | undefined;
  /** The key owner's own end user. */
  readonly customer?: string | undefined;
  /** The tier that the customer had. */
  readonly customerTier?: string | undefined;
  readonly feature?: string | undefined;
  readonly client?: string | undefined;
  readonly method: string;
  /** The request target; from a `?` or `#` on it is left out. */
  readonly path: string;
  /** The model that the request asked for. */
  readonly model?: string | undefined;
  /** Whether the client asked for a stream. */
  readonly stream: boolean;
  /** The status that the client got, or would have got. */
  readonly status: number;
  /** The upstream that was called last, where there are several. */
  readonly upstream?: string | undefined;
  /** How many times the request was sent, or was to be. */
  readonly attempts?: number | undefined;
  readonly upstreamStatus?: number | undefined;
  /** The upstream's own id of the request: what its support asks for. */
  readonly upstreamRequestId?: string | undefined;
  /** `none`: it ended before the limits were asked. */
  readonly decision: 'admitted' | 'denied' | 'none';
  /** The limits were decided without their shared store. */
  readonly degraded?: boolean | undefined;
  /** Limits that are only tried and would have refused, as owner/name, with blanks between them. */
  readonly shadow?: string | undefined;
  /** The limit that refused, as owner/name: `key:search-prod/requests_per_second`. */
  readonly limit?: string | undefined;
  /** The size of that limit's bucket, in the units that it counts. */
  readonly limitSize?: number | undefined;
  /** Units in use before this request. */
  readonly used?: number | undefined;
  /** Units that this request asked for. */
  readonly requested?: number | undefined;
  readonly retryAfterMs?: number | 'never' | undefined;
  readonly errorCode?: string | undefined;
  /** What ended the request. Only its class, code, message and causes are written, and from status 500 on its stack. */
  readonly error?: unknown;
  /** What was reserved, in tokens. */
  readonly estimate?: { readonly inputTokens: number; readonly outputTokens: number } | undefined;
  /** What was settled, in tokens, and how it is known. */
  readonly usage?:
    | {
        readonly inputTokens: number;
        readonly outputTokens: number;
        readonly cachedInputTokens: number;
        readonly reasoningTokens: number;
        readonly source: UsageSource;
      }
    | undefined;
  /** What it cost in US dollars, by the price of its model: `0.000123`. */
  readonly costUsd?: string | undefined;
  /** From the request's arrival to the end of its answer. */
  readonly durationMs: number;
  /** From the request's arrival to the first byte of the answer's body. */
  readonly firstByteMs?: number | undefined;
  /** Waiting for the limiter's decision. */
  readonly limiterMs?: number | undefined;
  /** Waiting for its turn, once admitted. */
  readonly waitedMs?: number | undefined;
  /** From handing the request to the upstream to the end of its answer. */
  readonly upstreamMs?: number | undefined;
  /** Bytes of the request's body. */
  readonly bytesIn: number;
  /** Bytes of the answer's body. */
  readonly bytesOut: number;
}

/** The longest path that is written whole, in characters. */
const PATH_LENGTH = 256;
/** The longest other text of a line that is written whole, in characters. */
const TEXT_LENGTH = 128;

/** Denials and 4xx are the caller's affair: `info`. Degraded limits are a `warn`, 5xx an `error`; a client that leaves is neither. */
export function requestLevel(line: RequestLine): LogLevel {
  if (line.status >= 500 && line.message !== 'client left') return 'error';
  return line.degraded === true ? 'warn' : 'info';
}

/**
 * The reason under which a line counts as one of a flood, or undefined for a line that is always written. What was
 * admitted is always written, unless it ended in a 4xx; what was not costs its sender next to nothing, so it may come
 * in any number.
 */
export function floodReason(line: RequestLine): string | undefined {
  if (line.status < 400) return undefined;
  if (line.decision === 'admitted' && (line.status >= 500 || line.message === 'client left'))
    return undefined;
  return line.limit ?? line.errorCode ?? `status_${line.status}`;
}

function visibleText(text: string, maxLength: number): string {
  if (text.length <= maxLength) return redact(text);
  // The end of what was cut may be half a credential, which is not known as one: it is looked at but never shown.
  const clean = redact(text.slice(0, maxLength * 2));
  return `${clean.slice(0, Math.max(0, Math.min(maxLength, clean.length - maxLength)))}…`;
}

/** Texts remembered of each kind. Behind a key or a path of a line there are millions of requests, mostly. */
const REMEMBERED = 256;
/** A longer text isn't remembered. */
const LONGEST_REMEMBERED = 256;

/** The same function, which looks up what it made of the last texts instead of making it again. */
function remembering(make: (text: string) => string): (text: string) => string {
  const known = new Map<string, string>();
  return (text) => {
    const before = known.get(text);
    if (before !== undefined) return before;
    const made = make(text);
    if (text.length > LONGEST_REMEMBERED) return made;
    if (known.size >= REMEMBERED) known.clear();
    known.set(text, made);
    return made;
  };
}

const nameJson = remembering((name) => jsonString(redactShapes(name.slice(0, TEXT_LENGTH * 2))));
const textJson = (text: string) => jsonString(visibleText(text, TEXT_LENGTH));
const clientJson = remembering(textJson);
const methodJson = remembering(textJson);
const modelJson = remembering(textJson);
const codeJson = remembering(textJson);

const PLAIN_PATH = /^[\x21-\x7e]*$/;
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

function visiblePath(target: string): string {
  const end = target.search(/[?#]/);
  const path = visibleText(end === -1 ? target : target.slice(0, end), PATH_LENGTH);
  return PLAIN_PATH.test(path) ? path : path.replace(INVISIBLE, '\ufffd');
}

const BEHIND_TIME: Readonly<Record<LogLevel, string>> = {
  debug: '","level":"debug","message":"',
  info: '","level":"info","message":"',
  warn: '","level":"warn","message":"',
  error: '","level":"error","message":"',
};
const BEHIND_LEVEL: Readonly<Record<RequestEnd, string>> = {
  'request completed': 'request completed","request_id":',
  'request denied': 'request denied","request_id":',
  'request failed': 'request failed","request_id":',
  'client left': 'client left","request_id":',
};
const DECISION: Readonly<Record<RequestLine['decision'], string>> = {
  admitted: ',"decision":"admitted"',
  denied: ',"decision":"denied"',
  none: ',"decision":"none"',
};
const SOURCE: Readonly<Record<UsageSource, string>> = {
  reported: ',"usage_source":"reported"',
  counted: ',"usage_source":"counted"',
  estimated: ',"usage_source":"estimated"',
  none: ',"usage_source":"none"',
};
const pathJson = remembering((target) => jsonString(visiblePath(target)));

/**
 * The request as one JSON object on one line, with its newline.
 * @param suppressed Lines like this one that were left out since the last of them.
 */
export function requestLineJson(
  line: RequestLine,
  level: LogLevel,
  nowMs: number,
  suppressed: number,
): string {
  let json = `{"time":"${isoTime(nowMs)}${BEHIND_TIME[level]}${BEHIND_LEVEL[line.message]}${textJson(line.requestId)}`;
  if (line.keyId !== undefined) json += `,"key_id":${nameJson(line.keyId)}`;
  if (line.team !== undefined) json += `,"team":${nameJson(line.team)}`;
  if (line.customer !== undefined) json += `,"customer":${nameJson(line.customer)}`;
  if (line.customerTier !== undefined) json += `,"customer_tier":${nameJson(line.customerTier)}`;
  if (line.feature !== undefined) json += `,"feature":${nameJson(line.feature)}`;
  if (line.client !== undefined) json += `,"client":${clientJson(line.client)}`;
  json += `,"method":${methodJson(line.method)},"path":${pathJson(line.path)}`;
  if (line.model !== undefined) json += `,"model":${modelJson(line.model)}`;
  json += `${line.stream === true ? ',"stream":true,"status":' : ',"stream":false,"status":'}${jsonNumber(line.status)}`;
  if (line.upstream !== undefined) json += `,"upstream":${nameJson(line.upstream)}`;
  if (line.attempts !== undefined) json += `,"attempts":${jsonNumber(line.attempts)}`;
  if (line.upstreamStatus !== undefined) json += `,"upstream_status":${jsonNumber(line.upstreamStatus)}`;
  if (line.upstreamRequestId !== undefined)
    json += `,"upstream_request_id":${textJson(line.upstreamRequestId)}`;
  json += DECISION[line.decision];
  if (line.degraded !== undefined) json += `,"degraded":${line.degraded === true}`;
  if (line.shadow !== undefined) json += `,"shadow":${nameJson(line.shadow)}`;
  if (line.limit !== undefined) json += `,"limit":${nameJson(line.limit)}`;
  if (line.limitSize !== undefined) json += `,"limit_size":${jsonNumber(line.limitSize)}`;
  if (line.used !== undefined) json += `,"used":${jsonNumber(line.used)}`;
  if (line.requested !== undefined) json += `,"requested":${jsonNumber(line.requested)}`;
  if (line.retryAfterMs !== undefined) {
    json += `,"retry_after_ms":${line.retryAfterMs === 'never' ? '"never"' : jsonMs(line.retryAfterMs)}`;
  }
  if (line.errorCode !== undefined) json += `,"error_code":${codeJson(line.errorCode)}`;
  if (line.estimate !== undefined) {
    json += `,"estimated_input_tokens":${jsonNumber(line.estimate.inputTokens)},"estimated_output_tokens":${jsonNumber(line.estimate.outputTokens)}`;
  }
  if (line.usage !== undefined) {
    const { inputTokens, outputTokens, cachedInputTokens, reasoningTokens, source } = line.usage;
    json += `,"input_tokens":${jsonNumber(inputTokens)},"output_tokens":${jsonNumber(outputTokens)},"cached_input_tokens":${jsonNumber(cachedInputTokens)},"reasoning_tokens":${jsonNumber(reasoningTokens)}${SOURCE[source]}`;
  }
  if (line.costUsd !== undefined) json += `,"cost_usd":${nameJson(line.costUsd)}`;
  json += `,"duration_ms":${jsonMs(line.durationMs)}`;
  if (line.firstByteMs !== undefined) json += `,"first_byte_ms":${jsonMs(line.firstByteMs)}`;
  if (line.limiterMs !== undefined) json += `,"limiter_ms":${jsonMs(line.limiterMs)}`;
  if (line.waitedMs !== undefined) json += `,"waited_ms":${jsonMs(line.waitedMs)}`;
  if (line.upstreamMs !== undefined) json += `,"upstream_ms":${jsonMs(line.upstreamMs)}`;
  json += `,"bytes_in":${jsonNumber(line.bytesIn)},"bytes_out":${jsonNumber(line.bytesOut)}`;
  if (line.error !== undefined)
    json += `,"error":${errorJson(line.error, { withStack: line.status >= 500 })}`;
  if (suppressed > 0) json += `,"suppressed":${suppressed}`;
  return `${json}}\n`;
}
