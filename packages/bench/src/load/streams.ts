import { setTimeout as wait } from 'node:timers/promises';
import { type Numbers, need } from '../remote.ts';
import { Connection } from './connection.ts';
import { streamCall } from './requests.ts';

/** `streams` streams of `chunks` pieces, each `intervalMs` apart, begun evenly over one interval; resolves when all are whole. */
export async function streamsToTheEnd(asked: Numbers): Promise<Numbers> {
  const streams = need(asked, 'streams');
  const intervalMs = need(asked, 'intervalMs');
  const chunks = need(asked, 'chunks');
  let events = 0;
  let reads = 0;
  let failed = 0;
  const one = async (index: number): Promise<void> => {
    await wait((index * intervalMs) / streams);
    const connection = await Connection.open(need(asked, 'port'));
    const answer = await connection.send(streamCall(index, chunks, intervalMs));
    connection.close();
    events += answer.events;
    reads += answer.reads;
    // The pieces, why it stopped, and [DONE].
    if (answer.status !== 200 || answer.events !== chunks + 2) failed += 1;
  };
  const results = await Promise.allSettled(Array.from({ length: streams }, (_, index) => one(index)));
  failed += results.filter(({ status }) => status === 'rejected').length;
  return { events, reads, failed };
}

const held: Connection[] = [];
const OPENED_AT_ONCE = 50;

/** Opens `streams` streams that go on for long, and resolves once each has brought its first event. */
export async function holdStreams(asked: Numbers): Promise<Numbers> {
  const streams = need(asked, 'streams');
  const intervalMs = need(asked, 'intervalMs');
  const withinMs = need(asked, 'withinMs');
  const startedMs = performance.now();
  for (let index = 0; index < streams; index++) {
    const connection = await Connection.open(need(asked, 'port'));
    held.push(connection);
    connection.send(streamCall(index, 1_000_000, intervalMs)).catch(() => {});
    if (index % OPENED_AT_ONCE === 0) await wait(10);
  }
  while (live() < streams && performance.now() - startedMs < withinMs) await wait(50);
  return { live: live() };
}

/** How many of the held streams are open and have brought something. */
export function liveStreams(): Numbers {
  return { live: live() };
}

function live(): number {
  return held.filter(({ closed, current }) => !closed && current.status === 200 && current.events > 0).length;
}

export function releaseStreams(): Numbers {
  for (const connection of held) connection.close();
  held.length = 0;
  return {};
}
