import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, it, onTestFinished } from 'vitest';
import { called, clientOf, send } from './calling.ts';

/** A server with a thread of its own: it answers while this one is busy. Each answer comes `afterMs` after its request. */
async function startElsewhere(afterMs: number): Promise<string> {
  const source = `
    const { createServer } = require('node:net');
    const { parentPort } = require('node:worker_threads');
    const server = createServer((socket) => socket.on('error', () => {}).on('data', () => {
      setTimeout(() => socket.write('HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\n\\r\\nok'), ${afterMs});
    }));
    server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
  `;
  const worker = new Worker(source, { eval: true });
  onTestFinished(async () => void (await worker.terminate()));
  const [port]: unknown[] = await once(worker, 'message');
  return `http://127.0.0.1:${port}`;
}

function stayBusy(ms: number): void {
  for (const startMs = performance.now(); performance.now() - startMs < ms; );
}

describe('A process that was busy for longer than a time-out', () => {
  it('still hears an answer that came in time', async () => {
    const client = clientOf(await startElsewhere(20), { headMs: 500 });
    await called(client);
    const received = send(client, { sent: () => setImmediate(() => stayBusy(1_500)) });
    await received.over;
    expect([received.heard.at(-1), received.code]).toEqual(['end', undefined]);
  });

  it('still uses a connection that was made in time', async () => {
    const client = clientOf(await startElsewhere(0), { connectMs: 500 });
    const received = send(client);
    // The call looks for a connection at the end of this turn, before this is done.
    setImmediate(() => stayBusy(1_500));
    await received.over;
    expect([received.heard.at(-1), received.code]).toEqual(['end', undefined]);
  });

  it('gives up what has not come once it looks', async () => {
    const client = clientOf(await startElsewhere(5_000), { headMs: 100 });
    const received = send(client, { sent: () => setImmediate(() => stayBusy(250)) });
    await received.over;
    expect([received.heard.at(-1), received.code]).toEqual(['failed', 'head_timeout']);
  });
});
