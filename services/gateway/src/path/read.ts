import type { IncomingMessage } from 'node:http';
import { GatewayError } from '@nexus/domain';
import { waitForTurnsEnd } from '@nexus/http-client';
import type { CallReader } from '@nexus/tokens';
import { askForBody, type Exchange, isCoded } from './exchange.ts';
import { deploymentIn } from './models-in-url.ts';

/**
 * Reads the whole body of a metered call, and from it what the limits must know. Other bodies stay streams.
 * @throws GatewayError `unsupported_encoding`, `body_too_large`, `invalid_body`
 */
export async function read(exchange: Exchange, reader: CallReader, bodyLimitBytes: number): Promise<void> {
  const { kind, req } = exchange;
  if (kind === undefined) return;
  if (isCoded(exchange)) throw new GatewayError('unsupported_encoding');
  if (Number(req.headers['content-length'] ?? 0) > bodyLimitBytes) throw tooLarge(bodyLimitBytes);
  askForBody(exchange);
  // A small body comes with its head: at the end of this turn of the event loop it is there.
  await turnsEnd();
  req.on('error', () => {}); // What breaks once the body is here shows on the answer.
  const body = req.complete
    ? bodyAsItCame(exchange, bodyLimitBytes)
    : await bodyToCome(exchange, bodyLimitBytes);
  exchange.body = body;
  const read = reader.read(kind, body);
  const reading = read instanceof Promise ? await read : read;
  exchange.reading = reading;
  exchange.model = deploymentIn(exchange.path) ?? reading.model;
}

function tooLarge(bodyLimitBytes: number): GatewayError {
  return new GatewayError('body_too_large', {
    message: `The request body is too large: at most ${bodyLimitBytes} bytes are taken.`,
  });
}

/** The body of a request that is whole, taken at once: to listen for its pieces and its end takes a tenth of a call's time (`npm run bench B1`, in memory). */
function bodyAsItCame(exchange: Exchange, bodyLimitBytes: number): Uint8Array {
  const { req } = exchange;
  const body: Buffer = req.read() ?? Buffer.alloc(0);
  exchange.bytesIn += body.length;
  if (body.length > bodyLimitBytes) throw tooLarge(bodyLimitBytes);
  return body;
}

/** Rejects with `client left` made into a GatewayError if the client goes before its body is whole. */
function bodyToCome(exchange: Exchange, bodyLimitBytes: number): Promise<Uint8Array> {
  const { req } = exchange;
  if (req.destroyed) return Promise.reject(brokenOff(exchange));
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const onData = (chunk: Buffer) => {
      exchange.bytesIn += chunk.length;
      if (exchange.bytesIn > bodyLimitBytes) done(() => reject(tooLarge(bodyLimitBytes)));
      else chunks.push(chunk);
    };
    const onEnd = () => done(() => resolve(joined(chunks)));
    const onBroken = () => done(() => reject(brokenOff(exchange)));
    const done = (then: () => void) => {
      stopListening(req, onData, onEnd, onBroken);
      then();
    };
    req.on('data', onData);
    req.once('end', onEnd);
    req.once('error', onBroken);
    req.once('close', onBroken);
  });
}

function brokenOff(exchange: Exchange): GatewayError {
  exchange.ending = 'client left';
  return new GatewayError('request_timeout', { message: 'The request body broke off.' });
}

function turnsEnd(): Promise<void> {
  return new Promise((resolve) => waitForTurnsEnd({ atTurnsEnd: resolve }));
}

function stopListening(
  req: IncomingMessage,
  onData: (chunk: Buffer) => void,
  onEnd: () => void,
  onBroken: () => void,
): void {
  req.off('data', onData);
  req.off('end', onEnd);
  req.off('error', onBroken);
  req.off('close', onBroken);
}

function joined(chunks: readonly Buffer[]): Uint8Array {
  const [only] = chunks;
  return chunks.length === 1 && only ? only : Buffer.concat(chunks);
}
