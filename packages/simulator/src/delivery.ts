import { Buffer } from 'node:buffer';
import type { Answer, EventAnswer, WholeAnswer } from './answer.ts';
import type { Exchange } from './exchange.ts';
import { deliverBroken } from './faulty-delivery.ts';
import { writeHead } from './head.ts';
import { play, tallyEnd, tallyWhole } from './play.ts';

/** Puts an answer on the wire, with the fault of its exchange if that is one of delivery. */
export function deliver(exchange: Exchange, answer: Answer): void {
  if (exchange.steering.fault !== undefined && deliverBroken(exchange, answer, exchange.steering.fault))
    return;
  if (answer.kind === 'whole') deliverWhole(exchange, answer);
  else deliverEvents(exchange, answer);
}

/** Head and body leave in one write. */
function deliverWhole(exchange: Exchange, answer: WholeAnswer): void {
  const { res } = exchange;
  writeHead(exchange, answer, Buffer.byteLength(answer.body));
  tallyWhole(exchange, answer);
  const { firstByteMs } = exchange.steering;
  if (firstByteMs === 0) {
    res.end(answer.body);
    return;
  }
  res.flushHeaders();
  const timer = setTimeout(() => res.end(answer.body), firstByteMs);
  res.once('close', () => clearTimeout(timer));
}

function deliverEvents(exchange: Exchange, answer: EventAnswer): void {
  const { res, house } = exchange;
  writeHead(exchange, answer);
  house.tally.begin(answer.tokens.prompt);
  const start = answer.before.join('');
  play(exchange, answer, res, { pieces: answer.pieces, start, dress: undefined }, () => {
    tallyEnd(exchange, answer);
    res.end(answer.after.join(''));
  });
}
