import { json, type WholeAnswer } from './answer.ts';
import { goDuration } from './go-duration.ts';
import { nominalVerdict, type TierRefusal } from './limits.ts';

/** The two families of APIs that the simulator speaks: they differ in headers and in the form of errors. */
export type Api = 'openai' | 'azure' | 'anthropic';

const SERVER_ERROR = 'The server had an error while processing your request. Sorry about that!';

/** What OpenAI's streams of chunks say when they fail after their head: no status is left to tell it by. */
export const STREAM_ERROR = `data: {"error":{"message":"${SERVER_ERROR}","type":"server_error","param":null,"code":"server_error"}}\n\n`;

export const ORGANIZATION = 'org-simulated';

function openaiError(
  status: number,
  message: string,
  type: string,
  code: string | null = null,
  param: string | null = null,
): WholeAnswer {
  return json(status, JSON.stringify({ error: { message, type, param, code } }, null, 2));
}

function anthropicError(status: number, type: string, message: string, requestId: string): WholeAnswer {
  return json(status, JSON.stringify({ type: 'error', error: { type, message }, request_id: requestId }));
}

/** What is wrong with a request, in the words of its API. Made for one request; `requestId` stands in Anthropic's bodies. */
export class ApiErrors {
  readonly #api: Api;
  readonly #requestId: string;

  constructor(api: Api, requestId: string) {
    this.#api = api;
    this.#requestId = requestId;
  }

  /** 400 on one parameter. */
  invalid(message: string, param: string | null = null, code: string | null = null): WholeAnswer {
    if (this.#api === 'anthropic')
      return anthropicError(400, 'invalid_request_error', message, this.#requestId);
    return openaiError(400, message, 'invalid_request_error', code, param);
  }

  missing(param: string): WholeAnswer {
    if (this.#api === 'anthropic') return this.invalid(`${param}: Field required`);
    return this.invalid(`Missing required parameter: '${param}'.`, param, 'missing_required_parameter');
  }

  badJson(): WholeAnswer {
    if (this.#api === 'anthropic') return this.invalid('The request body is not valid JSON');
    return this.invalid(
      "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON. If you have trouble figuring out how to fix this, please contact us through our help center at help.openai.com.)",
    );
  }

  /** 401; `credential` undefined: none came. OpenAI's real text shows a few characters of it, and so does this one. */
  unauthorized(credential: string | undefined): WholeAnswer {
    if (this.#api === 'anthropic') {
      const message = credential === undefined ? 'x-api-key header is required' : 'invalid x-api-key';
      return anthropicError(401, 'authentication_error', message, this.#requestId);
    }
    if (this.#api === 'azure') {
      const message =
        'Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.';
      return json(401, JSON.stringify({ error: { code: '401', message } }));
    }
    if (credential === undefined) {
      const message =
        "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY), or as the password field (with blank username) if you're accessing the API from your browser and are prompted for a username and password. You can obtain an API key from https://platform.openai.com/account/api-keys.";
      return openaiError(401, message, 'invalid_request_error');
    }
    return openaiError(401, incorrectKey(mask(credential)), 'invalid_request_error', 'invalid_api_key');
  }

  /** The 401 of a provider that quotes what it got, whole. */
  echoedKey(credential: string): WholeAnswer {
    if (this.#api === 'anthropic') {
      return anthropicError(401, 'authentication_error', `invalid x-api-key: ${credential}`, this.#requestId);
    }
    return openaiError(401, incorrectKey(credential), 'invalid_request_error', 'invalid_api_key');
  }

  unknownUrl(method: string, path: string): WholeAnswer {
    if (this.#api === 'anthropic')
      return anthropicError(404, 'not_found_error', 'Not Found', this.#requestId);
    return openaiError(404, `Invalid URL (${method} ${path})`, 'invalid_request_error');
  }

  wrongMethod(method: string, path: string): WholeAnswer {
    const message = `Not allowed to ${method} on ${path}. (HINT: Perhaps you meant to use a different HTTP method?)`;
    if (this.#api === 'anthropic')
      return anthropicError(405, 'invalid_request_error', message, this.#requestId);
    return openaiError(405, message, 'invalid_request_error', 'method_not_supported');
  }

  unknownModel(model: string): WholeAnswer {
    const message = `The model '${model}' does not exist`;
    return openaiError(404, message, 'invalid_request_error', 'model_not_found', 'model');
  }

  unknownFile(id: string): WholeAnswer {
    return openaiError(404, `No such File object: ${id}`, 'invalid_request_error', null, 'id');
  }

  tooLarge(): WholeAnswer {
    if (this.#api === 'anthropic') {
      const message = 'Request exceeds the maximum allowed number of bytes.';
      return anthropicError(413, 'request_too_large', message, this.#requestId);
    }
    return openaiError(413, 'Maximum content size limit exceeded.', 'invalid_request_error');
  }

  /** 429 by the tier's limits, in the wording of the published refusals. */
  refused(model: string, refusal: TierRefusal): WholeAnswer {
    const { type, title, limit, used, requested, waitMs } = refusal;
    if (this.#api === 'anthropic') {
      const message = `This request would exceed your organization's rate limit of ${limit} ${title.replace(/ \(.*/, '')} (model: ${model}).`;
      const answer = anthropicError(429, 'rate_limit_error', message, this.#requestId);
      return waitMs === 'never' ? answer : { ...answer, headers: retryHeaders(waitMs, false) };
    }
    const where = `for ${model} in organization ${ORGANIZATION} on ${title}: Limit ${limit}`;
    const more = 'Visit https://platform.openai.com/account/rate-limits to learn more.';
    if (waitMs === 'never') {
      const advice = 'The input or output tokens must be reduced in order to run successfully.';
      const message = `Request too large ${where}, Requested ${requested}. ${advice} ${more}`;
      return openaiError(429, message, type, 'rate_limit_exceeded');
    }
    const message = `Rate limit reached ${where}, Used ${used}, Requested ${requested}. Please try again in ${goDuration(waitMs)}. ${more}`;
    const answer = openaiError(429, message, type, 'rate_limit_exceeded');
    return { ...answer, headers: retryHeaders(waitMs, true) };
  }

  /** 429 without a limit behind it, as the fault tells it. */
  rateLimited(model: string, retryAfterMs: number): WholeAnswer {
    const limit = 200_000;
    const over = Math.max(1, Math.round((retryAfterMs / 60_000) * limit));
    const requested = Math.min(limit, Math.max(4_412, over));
    const used = limit + over - requested;
    const refusal: TierRefusal = {
      type: 'tokens',
      title: 'tokens per min (TPM)',
      limit,
      used,
      requested,
      waitMs: retryAfterMs,
    };
    const headers = retryHeaders(retryAfterMs, this.#api !== 'anthropic');
    const { requests } = nominalVerdict(1);
    const tokens = { limit, remaining: limit - used, resetMs: (used / limit) * 60_000 };
    return {
      ...this.refused(model, refusal),
      headers: [...headers, 'x-should-retry', 'true'],
      verdict: { requests, tokens },
    };
  }

  quotaExceeded(): WholeAnswer {
    if (this.#api === 'anthropic') {
      const message = 'Your credit balance is too low to access the Anthropic API.';
      return anthropicError(400, 'invalid_request_error', message, this.#requestId);
    }
    const message =
      'You exceeded your current quota, please check your plan and billing details. For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.';
    return openaiError(429, message, 'insufficient_quota', 'insufficient_quota');
  }

  serverError(): WholeAnswer {
    if (this.#api === 'anthropic')
      return anthropicError(500, 'api_error', 'Internal server error', this.#requestId);
    return openaiError(500, SERVER_ERROR, 'server_error');
  }

  unavailable(retryAfterMs: number): WholeAnswer {
    const message = 'The engine is currently overloaded, please try again later';
    const answer =
      this.#api === 'anthropic'
        ? anthropicError(503, 'api_error', message, this.#requestId)
        : openaiError(503, message, 'server_error', 'server_is_overloaded');
    return { ...answer, headers: retryHeaders(retryAfterMs, this.#api !== 'anthropic') };
  }

  overloaded(): WholeAnswer {
    return anthropicError(529, 'overloaded_error', 'Overloaded', this.#requestId);
  }
}

function incorrectKey(shown: string): string {
  return `Incorrect API key provided: ${shown}. You can find your API key at https://platform.openai.com/account/api-keys.`;
}

function mask(credential: string): string {
  if (credential.length <= 12)
    return `${credential.slice(0, 2)}${'*'.repeat(Math.max(0, credential.length - 2))}`;
  return `${credential.slice(0, 8)}${'*'.repeat(credential.length - 12)}${credential.slice(-4)}`;
}

function retryHeaders(waitMs: number, inMs: boolean): string[] {
  const headers = ['retry-after', `${Math.max(1, Math.ceil(waitMs / 1000))}`];
  if (inMs) headers.push('retry-after-ms', `${Math.max(1, Math.round(waitMs))}`);
  return headers;
}
