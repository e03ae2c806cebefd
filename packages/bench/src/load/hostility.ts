import { type Numbers, need } from '../remote.ts';
import { pacedCalls } from './calls.ts';
import { Connection } from './connection.ts';
import { type HostileCall, hostileCalls } from './hostile.ts';

/** Connections that send hostile calls without a pause. */
const ATTACKERS = 2;

/**
 * For `forMs`, hostile calls back to back on two connections, and beside them 50 ordinary calls a second.
 * Answers how many of each came through, by status, and how long the ordinary ones took.
 */
export async function hostility(asked: Numbers): Promise<Numbers> {
  const port = need(asked, 'port');
  const endMs = performance.now() + need(asked, 'forMs');
  const calls = hostileCalls();
  const tally = { passed: 0, refused: 0, failed: 0, broken: 0 };
  const attack = async (first: number): Promise<void> => {
    let connection = await Connection.open(port);
    for (let index = first; performance.now() < endMs; index++) {
      if (connection.closed) connection = await Connection.open(port);
      const call = calls[index % calls.length];
      if (call) tally[await fate(connection, call)] += 1;
    }
    connection.close();
  };
  const attackers = Array.from({ length: ATTACKERS }, (_, index) =>
    attack(Math.floor((index * calls.length) / ATTACKERS)),
  );
  const [{ p50Ms, p99Ms, failed }] = await Promise.all([
    pacedCalls({ ...asked, perSecond: 50 }),
    ...attackers,
  ]);
  return { ...tally, p50Ms: p50Ms ?? Number.NaN, p99Ms: p99Ms ?? Number.NaN, ordinaryFailed: failed ?? 0 };
}

async function fate(
  connection: Connection,
  { bytes }: HostileCall,
): Promise<'passed' | 'refused' | 'failed' | 'broken'> {
  try {
    const { status } = await connection.send(bytes);
    if (status < 400) return 'passed';
    return status < 500 ? 'refused' : 'failed';
  } catch {
    return 'broken';
  }
}
