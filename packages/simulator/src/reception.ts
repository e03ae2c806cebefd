import { Buffer } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Answer, WholeAnswer } from './answer.ts';
import { faultyAnswer } from './answer-faults.ts';
import { readBody } from './body.ts';
import { readCredential } from './credential.ts';
import { deliver } from './delivery.ts';
import { echoWebSocket } from './endpoints/realtime.ts';
import { ApiErrors } from './errors.ts';
import type { Exchange, House } from './exchange.ts';
import type { FaultQueue } from './faults.ts';
import { nominalVerdict } from './limits.ts';
import type { Recording } from './recording.ts';
import { locate, type Place, route } from './routes.ts';
import { plainSteering, type Steering, steer } from './steering.ts';
import { playWireFault } from './wire-faults.ts';

const NOTHING = Buffer.alloc(0);

/** Takes requests in and sees each to its answer. */
export class Reception {
  hits = 0;
  readonly #house: House;
  readonly #faults: FaultQueue;
  readonly #recording: Recording | undefined;

  constructor(house: House, faults: FaultQueue, recording: Recording | undefined) {
    this.#house = house;
    this.#faults = faults;
    this.#recording = recording;
  }

  /** body → what is wrong with the whole → wait → fault or answer → wire. */
  receive(req: IncomingMessage, res: ServerResponse): void {
    const startedAtMs = Date.now();
    const { requestId, place, steering, errors, record } = this.#open(req);
    const { method = 'GET' } = req;
    readBody(req, this.#house.settings.bodyLimitBytes, ({ end, body }) => {
      if (record !== undefined) {
        this.#recording?.setBody(record, body);
        if (end === 'aborted') record.aborted = true;
      }
      if (end === 'aborted') return;
      const exchange: Exchange = {
        house: this.#house,
        req,
        res,
        api: place.api,
        errors,
        requestId,
        startedAtMs,
        pathId: place.pathId,
        deployment: place.deployment,
        credential: readCredential(req.headers),
        steering: typeof steering === 'string' ? plainSteering(this.#house.settings, undefined) : steering,
        body: end === 'whole' ? body : NOTHING,
        verdict: method === 'POST' ? nominalVerdict(1) : undefined,
        broken: false,
      };
      if (record !== undefined) {
        res.once('close', () => {
          if (!res.writableFinished && !exchange.broken) record.aborted = true;
        });
      }
      if (typeof steering === 'string') deliver(exchange, errors.invalid(steering));
      else if (end === 'too-large') deliver(exchange, errors.tooLarge());
      else waitForTurn(exchange, () => answer(exchange, method, place));
    });
  }

  /** An upgrade to a WebSocket: the echo at `/realtime`, the plain errors elsewhere. */
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { requestId, place, steering, errors } = this.#open(req);
    const refuse = ({ status, body, headers = [] }: WholeAnswer) => {
      const lines = [`HTTP/1.1 ${status} Refused`, 'content-type: application/json', 'connection: close'];
      for (let i = 0; i < headers.length; i += 2) lines.push(`${headers[i]}: ${headers[i + 1]}`);
      lines.push(`x-request-id: ${requestId}`, `content-length: ${Buffer.byteLength(body)}`, '', '');
      socket.write(lines.join('\r\n'));
      socket.end(body);
    };
    if (typeof steering === 'string') {
      refuse(errors.invalid(steering));
      return;
    }
    const credential = readCredential(req.headers);
    const { fault } = steering;
    if (fault !== undefined && playWireFault(fault.name, req.socket)) return;
    const wrong = faultyAnswer({ steering, errors, credential, body: NOTHING, deployment: undefined });
    if (wrong !== undefined) refuse(wrong);
    else if (!this.#knows(credential)) refuse(errors.unauthorized(credential));
    else if (place.path === '/realtime' || place.target === '/openai/realtime') {
      echoWebSocket(req, socket, head, requestId);
    } else refuse(errors.unknownUrl(req.method ?? 'GET', place.target));
  }

  #open(req: IncomingMessage) {
    this.hits++;
    const { method = 'GET', url = '/' } = req;
    const requestId = `req_${this.hits.toString(16).padStart(32, '0')}`;
    const place = locate(url);
    const steering: Steering | string = steer(
      req.headers,
      req.rawHeaders,
      this.#house.settings,
      this.#faults,
    );
    const errors = new ApiErrors(place.api, requestId);
    return { requestId, place, steering, errors, record: this.#recording?.open(method, url, req.rawHeaders) };
  }

  #knows(credential: string | undefined): boolean {
    const { apiKeys } = this.#house.settings;
    return apiKeys === undefined || (credential !== undefined && apiKeys.has(credential));
  }
}

function waitForTurn(exchange: Exchange, then: () => void): void {
  const { latencyMs } = exchange.steering;
  if (latencyMs === 0) {
    then();
    return;
  }
  const timer = setTimeout(then, latencyMs);
  exchange.res.once('close', () => clearTimeout(timer));
}

function answer(exchange: Exchange, method: string, place: Place): void {
  const { steering, req, errors } = exchange;
  if (steering.fault !== undefined) {
    if (playWireFault(steering.fault.name, req.socket)) {
      // A client that leaves a stalled request has left; one that was reset hasn't.
      exchange.broken = steering.fault.name !== 'stall-before';
      return;
    }
    const wrong = faultyAnswer(exchange);
    if (wrong !== undefined) {
      deliver(exchange, wrong);
      return;
    }
  }
  let made: Answer;
  try {
    made = endpointAnswer(exchange, method, place);
  } catch (error) {
    // Deep nesting and answers longer than a string can be end here; a stand-in for an upstream outlives what it is sent.
    if (!(error instanceof RangeError)) throw error;
    made = errors.serverError();
  }
  deliver(exchange, made);
}

function endpointAnswer(exchange: Exchange, method: string, place: Place): Answer {
  const { credential, errors, house } = exchange;
  const { apiKeys } = house.settings;
  if (apiKeys !== undefined && (credential === undefined || !apiKeys.has(credential))) {
    return errors.unauthorized(credential);
  }
  const endpoint = route(method, place);
  if (endpoint === 'unknown') return errors.unknownUrl(method, place.target);
  if (endpoint === 'wrong-method') return errors.wrongMethod(method, place.target);
  return endpoint(exchange);
}
