import { Buffer } from 'node:buffer';
import { Writable } from 'node:stream';
import { createGzip, gzipSync } from 'node:zlib';
import type { Answer, EventAnswer, WholeAnswer } from './answer.ts';
import type { Exchange } from './exchange.ts';
import { DEFAULT_AFTER_CHUNKS, type FaultDetail } from './faults.ts';
import { writeHead } from './head.ts';
import { play, tallyEnd, tallyWhole } from './play.ts';

/** More than any broken body holds, so that content-length always lies. */
const LYING_BYTES = 1_000_000;

const HEARTBEAT = ': keep-alive\n\n';
const HEARTBEAT_MS = 50;
const SLOW_MS = 2;

/** Sizes of the writes of half-events: none a multiple of another's, so cuts fall everywhere. */
const ODD_SIZES = [1, 7, 2, 13, 3, 29, 5];

/** Delivers an answer in the way of its fault; false if the fault leaves the delivery alone. */
export function deliverBroken(exchange: Exchange, answer: Answer, fault: FaultDetail): boolean {
  return answer.kind === 'whole'
    ? wholeBroken(exchange, answer, fault)
    : eventsBroken(exchange, answer, fault);
}

function wholeBroken(exchange: Exchange, answer: WholeAnswer, { name }: FaultDetail): boolean {
  const { res } = exchange;
  const body = Buffer.from(answer.body);
  const half = body.subarray(0, body.length >> 1);
  switch (name) {
    case 'reset-midstream':
    case 'reset-midbody':
    case 'stall-midstream':
    case 'stall-heartbeat':
      writeHead(exchange, answer, name === 'reset-midbody' ? body.length + LYING_BYTES : body.length);
      if (half.length > 0) res.write(half);
      else res.flushHeaders();
      if (name === 'reset-midstream') breakOff(exchange, 'reset');
      if (name === 'reset-midbody') breakOff(exchange, 'end');
      return true;
    case 'malformed-sse':
      writeHead(exchange, answer, half.length);
      res.end(half);
      return true;
    case 'gzip': {
      const packed = gzipSync(body);
      writeHead(exchange, answer, packed.length, ['content-encoding', 'gzip']);
      res.end(packed);
      break;
    }
    case 'slow':
    case 'half-events':
      writeHead(exchange, answer, body.length);
      drip(exchange, name === 'slow').end(body);
      break;
    case 'close-delimited':
      res.useChunkedEncodingByDefault = false;
      writeHead(exchange, answer);
      res.end(body);
      break;
    default:
      return false;
  }
  tallyWhole(exchange, answer);
  return true;
}

function eventsBroken(exchange: Exchange, answer: EventAnswer, fault: FaultDetail): boolean {
  const { res, house } = exchange;
  const after = answer.after.join('');
  const cutAt = Math.min(fault.afterChunks ?? DEFAULT_AFTER_CHUNKS, answer.pieces);
  const tell = (sink: Writable, pieces: number, end: () => void, dress?: (event: string) => string) => {
    house.tally.begin(answer.tokens.prompt);
    const start = dress === undefined ? answer.before.join('') : answer.before.map(dress).join('');
    play(exchange, answer, sink, { pieces, start, dress }, end);
  };
  const tellAll = (sink: Writable, dress?: (event: string) => string) => {
    const end = () => {
      tallyEnd(exchange, answer);
      sink.end(dress === undefined ? after : answer.after.map(dress).join(''));
    };
    tell(sink, answer.pieces, end, dress);
  };
  switch (fault.name) {
    case 'reset-midstream':
      writeHead(exchange, answer);
      tell(res, cutAt, () => breakOff(exchange, 'reset'));
      return true;
    case 'reset-midbody':
      writeHead(exchange, answer, LYING_BYTES);
      tell(res, cutAt, () => breakOff(exchange, 'end'));
      return true;
    case 'stall-midstream':
      writeHead(exchange, answer);
      tell(res, cutAt, () => undefined);
      return true;
    case 'stall-heartbeat':
      writeHead(exchange, answer);
      tell(res, cutAt, () => {
        const timer = setInterval(() => res.write(HEARTBEAT), HEARTBEAT_MS);
        res.once('close', () => clearInterval(timer));
      });
      return true;
    case 'error-midstream':
      writeHead(exchange, answer);
      tell(res, cutAt, () => res.end(answer.error(cutAt)));
      return true;
    case 'malformed-sse': {
      writeHead(exchange, answer);
      const next = answer.piece(Math.max(0, cutAt - 1)).trimEnd();
      const broken = `${next.slice(0, -9)}\n\ndata: {"id":\n\ndata\n\n:\n\n${next.slice(0, next.length >> 1)}`;
      tell(res, cutAt, () => res.end(broken));
      return true;
    }
    case 'no-done': {
      writeHead(exchange, answer);
      const told = answer.after.slice(0, -1).join('');
      tell(res, answer.pieces, () => {
        if (told.includes('"usage":{')) tallyEnd(exchange, answer);
        res.end(told);
      });
      return true;
    }
    case 'heartbeat':
      writeHead(exchange, answer);
      tellAll(res, (event) => HEARTBEAT + event);
      return true;
    case 'crlf-events':
      writeHead(exchange, answer);
      tellAll(res, (event) => event.replaceAll('\n', '\r\n'));
      return true;
    case 'close-delimited':
      res.useChunkedEncodingByDefault = false;
      writeHead(exchange, answer);
      tellAll(res);
      return true;
    case 'slow':
    case 'half-events':
      writeHead(exchange, answer);
      tellAll(drip(exchange, fault.name === 'slow'));
      return true;
    case 'gzip':
      writeHead(exchange, answer, undefined, ['content-encoding', 'gzip']);
      tellAll(zip(exchange));
      return true;
    default:
      return false;
  }
}

/** Ends the connection once all that was written has left: by a reset, or as if the answer were over. */
function breakOff(exchange: Exchange, how: 'reset' | 'end'): void {
  const { socket } = exchange.req;
  exchange.broken = true;
  socket.write('', () => (how === 'reset' ? socket.resetAndDestroy() : socket.destroySoon()));
}

/** A sink that compresses, each event flushed by itself as servers of streams do. */
function zip({ res }: Exchange): Writable {
  const gzip = createGzip();
  gzip.pipe(res);
  res.once('close', () => gzip.destroy());
  return new Writable({
    decodeStrings: true,
    write(chunk, _encoding, done) {
      gzip.write(chunk);
      gzip.flush(() => done());
    },
    final(done) {
      gzip.end();
      done();
    },
  });
}

/** A sink that hands on one byte every 2 ms, or odd numbers of bytes in turns of the loop. */
function drip({ res }: Exchange, slow: boolean): Writable {
  let turn = 0;
  return new Writable({
    decodeStrings: true,
    write(chunk: Buffer, _encoding, done) {
      let at = 0;
      const next = () => {
        if (res.destroyed) return;
        if (at >= chunk.length) {
          done();
          return;
        }
        const size = slow ? 1 : (ODD_SIZES[turn++ % ODD_SIZES.length] ?? 1);
        res.write(chunk.subarray(at, at + size));
        at += size;
        if (slow) setTimeout(next, SLOW_MS);
        else setImmediate(next);
      };
      next();
    },
    final(done) {
      res.end();
      done();
    },
  });
}
