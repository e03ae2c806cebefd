import { once } from 'node:events';
import {
  createServer,
  get,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from 'node:http';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { freePort, type StartedProcess, startNode, untilListening } from '../src/started-process.ts';

const PIPE = fileURLToPath(new URL('../src/pipe.ts', import.meta.url));
const started: (StartedProcess | Server)[] = [];

afterEach(async () => {
  for (const one of started.splice(0)) {
    if ('stop' in one) await one.stop();
    else {
      one.closeAllConnections();
      one.close();
    }
  }
});

/** A pipe in front of an upstream that answers so. */
async function pipeTo(answer: (req: IncomingMessage, res: ServerResponse) => void): Promise<number> {
  const upstreamPort = await freePort();
  const upstream = createServer(answer).listen(upstreamPort, '127.0.0.1');
  await once(upstream, 'listening');
  const port = await freePort();
  const pipe = startNode([PIPE, String(port), String(upstreamPort)], { cores: undefined, asks: false });
  started.push(upstream, pipe);
  await untilListening(pipe, port);
  return port;
}

async function answered(sent: ReturnType<typeof request>): Promise<IncomingMessage> {
  const [answer]: IncomingMessage[] = await once(sent, 'response');
  if (answer === undefined) throw new Error('There is no answer.');
  return answer;
}

describe('the pipe', () => {
  it('passes a stream chunk by chunk: each arrives before the next is sent', async () => {
    let upstreamAnswer: ServerResponse | undefined;
    const port = await pipeTo((_req, res) => {
      upstreamAnswer = res;
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.write('data: 0\n\n');
    });
    const answer = await answered(get({ port, host: '127.0.0.1' }));
    for (let n = 1; n <= 5; n++) {
      const [chunk] = await once(answer, 'data');
      expect(String(chunk)).toBe(`data: ${n - 1}\n\n`);
      upstreamAnswer?.write(`data: ${n}\n\n`);
    }
    upstreamAnswer?.end();
    answer.resume();
    await once(answer, 'end');
  });

  it('passes method, path, headers, body and status', async () => {
    const port = await pipeTo(async (req, res) => {
      const parts: Buffer[] = [];
      for await (const part of req) parts.push(part);
      res.writeHead(418, { 'x-seen': `${req.method} ${req.url} ${req.headers['x-mine']}` });
      res.end(Buffer.concat(parts));
    });
    const sent = request({
      port,
      host: '127.0.0.1',
      method: 'PUT',
      path: '/a?b=c',
      headers: { 'x-mine': 'd' },
    });
    sent.end('body');
    const answer = await answered(sent);
    expect(answer.statusCode).toBe(418);
    expect(answer.headers['x-seen']).toBe('PUT /a?b=c d');
    expect(String(await answer.toArray())).toBe('body');
  });

  it('lets go of the upstream when the client leaves', async () => {
    const port = await pipeTo((_req, res) => {
      res.writeHead(200);
      res.write('begun');
      res.once('close', () => left());
    });
    let left: () => void = () => {};
    const leaving = new Promise<void>((resolve) => {
      left = resolve;
    });
    const sent = get({ port, host: '127.0.0.1' });
    await answered(sent);
    sent.destroy();
    await leaving;
  });
});
