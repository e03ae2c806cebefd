import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Reservation } from '@nexus/domain';
import { handClock } from '@nexus/testkit';
import { expect, it } from 'vitest';
import { InFlight } from '../../src/ops/in-flight.ts';
import { arrive } from '../../src/path/arrive.ts';
import { TrustedProxies } from '../../src/path/client-address.ts';

it('renews what long requests hold, once every period, until they end', () => {
  const clock = handClock(1_000);
  const renewed: string[][] = [];
  const inFlight = new InFlight({
    nowMs: clock.now,
    checkEveryMs: 1_000,
    renewEveryMs: 20_000,
    idleMs: () => 120_000,
    renew: (reservations: Reservation[]) => void renewed.push(reservations.map(({ requestId }) => requestId)),
    onSlowClient: () => {},
  });
  const begin = (requestId: string | undefined) => {
    const req = new IncomingMessage(new Socket());
    const flight = inFlight.add(
      arrive(req, new ServerResponse(req), { nowMs: clock.now, proxies: new TrustedProxies([]) }),
    );
    if (requestId)
      flight.reservation = { requestId, demand: { requests: 1, inputTokens: 0, outputTokens: 0 } };
    return flight;
  };
  const [first, , third] = [begin('a'), begin(undefined), begin('c')];
  const pass = (ms: number) => {
    clock.advance(ms);
    inFlight.check();
  };
  pass(19_999);
  expect(renewed).toEqual([]);
  pass(1);
  expect(renewed).toEqual([['a', 'c']]);
  inFlight.remove(first);
  pass(20_000);
  expect(renewed.at(-1)).toEqual(['c']);
  inFlight.remove(third);
  pass(20_000);
  expect(renewed.at(-1)).toEqual([]);
  expect(inFlight.size).toBe(1);
});
