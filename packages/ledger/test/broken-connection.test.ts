import { once } from 'node:events';
import { createServer, connect as open } from 'node:net';
import { noPostgres, startPostgres } from '@nexus/testkit/postgres-server';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { PostgresLedger } from '../src/postgres/postgres-ledger.ts';
import { entry } from './entries.ts';

// Longer than any wait in a test: a machine that is busy with others fails none.
vi.setConfig({ testTimeout: 60_000 });

const MONTH = { since: '2026-11-01', until: '2026-11-30', by: [] };

/** `CommandComplete` of BEGIN, as PostgreSQL says it (PostgreSQL 17 documentation, §53.7). */
const BEGUN = Buffer.from('C\0\0\0\nBEGIN\0', 'latin1');

/** What PostgreSQL says to every connection when it is shut down: an `ErrorResponse` that answers no query. */
function shutdownNotice(): Buffer {
  const fields = Buffer.from(
    'SFATAL\0C57P01\0Mterminating connection due to administrator command\0\0',
    'latin1',
  );
  const head = Buffer.alloc(5);
  head.write('E', 'latin1');
  head.writeUInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}

/** Passes bytes to a server, and ends connections as a server does that is shut down, right after their transaction has begun. */
async function proxyTo(port: number) {
  const state = { shutsDown: false, notices: 0 };
  const server = createServer((client) => {
    const upstream = open(port, '127.0.0.1');
    client.pipe(upstream);
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
    upstream.on('data', (chunk: Buffer) => {
      if (!state.shutsDown || !chunk.includes(BEGUN)) {
        client.write(chunk);
        return;
      }
      state.notices += 1;
      client.end(Buffer.concat([chunk, shutdownNotice()]));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('It has no address');
  return { state, port: address.port };
}

describe.skipIf(noPostgres)('a PostgreSQL that is shut down in the middle of a transaction', () => {
  it('fails the write, and not the process', async () => {
    const postgres = await startPostgres();
    onTestFinished(() => postgres.close());
    const proxy = await proxyTo(postgres.port);
    const ledger = new PostgresLedger({
      url: `postgres://nexus@127.0.0.1:${proxy.port}/postgres`,
      timeZone: 'UTC',
    });
    onTestFinished(() => ledger.close());
    expect(await ledger.write([entry()])).toBe(1);
    proxy.state.shutsDown = true;
    await expect(ledger.write([entry()])).rejects.toThrow();
    expect(proxy.state.notices).toBe(1);
    proxy.state.shutsDown = false;
    expect(await ledger.write([entry()])).toBe(1);
    expect((await ledger.usage(MONTH))[0]?.totals.requests).toBe(2);
  });
});
