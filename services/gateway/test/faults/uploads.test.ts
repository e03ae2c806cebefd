import { request } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { chunkingServer, rawRequest, receiveRequest } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { requestLines, startInFrontOf, startWithSimulator } from '../running-gateway.ts';
import { ADMIN, nothingOpen, rawPost, usedBy } from './wire.ts';

const LIMITS = `${ADMIN}limits: { concurrent_requests: 1, requests_per_minute: 100 }`;
const MB = 1024 * 1024;

/** Sends `total` bytes in pieces, as fast as they are taken, as one file of a form. */
async function upload(
  url: string,
  total: number,
  chunked: boolean,
): Promise<{ status: number; text: string }> {
  const start = '--cut\r\ncontent-disposition: form-data; name="file"; filename="a.bin"\r\n\r\n';
  const end = '\r\n--cut--\r\n';
  const piece = Buffer.alloc(64 * 1024, 'abcdefgh');
  return new Promise((resolve, reject) => {
    const call = request(
      url,
      {
        method: 'POST',
        headers: {
          authorization: 'Bearer sk-test-key',
          'content-type': 'multipart/form-data; boundary=cut',
          ...(chunked ? {} : { 'content-length': start.length + total + end.length }),
        },
      },
      (answer) => {
        let text = '';
        answer.on('data', (chunk) => {
          text += chunk;
        });
        answer.once('end', () => resolve({ status: answer.statusCode ?? 0, text }));
      },
    );
    call.once('error', reject);
    let sent = 0;
    const go = () => {
      while (sent < total) {
        sent += piece.length;
        if (!call.write(piece)) {
          call.once('drain', go);
          return;
        }
      }
      call.end(end);
    };
    call.write(start);
    go();
  });
}

setFlagsFromString('--expose-gc');
const collectGarbage: unknown = runInNewContext('gc');

/** Bytes of buffers that somebody still holds. */
function bytesHeld(): number {
  if (typeof collectGarbage === 'function') collectGarbage();
  return process.memoryUsage().arrayBuffers;
}

describe('An unread request body', () => {
  it.each(['', '{}', '{"input":"x"}', 'x'.repeat(70_000)])(
    'arrives upstream as it came: %#',
    async (body) => {
      const running = await startWithSimulator(LIMITS);
      const { text } = await rawRequest(running.port, rawPost('/v1/unknown/path', body), {
        until: /\r\n\r\n/,
      });
      expect(text).toMatch(/^HTTP\/1\.1 404/);
      await nothingOpen(running);
      const [request] = running.simulator.requests;
      expect(request?.body.toString()).toBe(body);
      const lengths = request?.headers.filter(([name]) => /^(content-length|transfer-encoding)$/i.test(name));
      expect(lengths).toEqual([['content-length', String(body.length)]]);
      const [line] = await requestLines(running, 1);
      expect(line).toMatchObject({ bytes_in: body.length });
    },
  );

  it('arrives in chunks where it came in chunks', async () => {
    const running = await startWithSimulator(LIMITS);
    const head =
      'POST /v1/files HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer sk-test-key\r\nTransfer-Encoding: chunked\r\n\r\n';
    const { text } = await rawRequest(running.port, [head, '3\r\nabc\r\n', '2\r\nde\r\n', '0\r\n\r\n'], {
      until: /\}$/,
    });
    expect(text).toMatch(/^HTTP\/1\.1 4/);
    const [request] = running.simulator.requests;
    expect(request?.body.toString()).toBe('abcde');
    expect(request?.headers.map(([name]) => name.toLowerCase())).toContain('transfer-encoding');
  });

  it.each([
    ['DELETE', '{"a":1}'],
    ['PUT', 'x'],
    ['PATCH', '{"a":1}'],
    ['GET', '{"a":1}'],
    ['OPTIONS', '{}'],
  ])('goes with every method: %s', async (method, body) => {
    const running = await startWithSimulator(LIMITS);
    const bytes = rawPost('/v1/anything', body).replace('POST', method);
    const { text } = await rawRequest(running.port, bytes, { until: /\r\n\r\n/ });
    expect(text).toMatch(/^HTTP\/1\.1 404/);
    expect(running.simulator.requests[0]?.body.toString()).toBe(body);
    await nothingOpen(running);
  });

  it.each([false, true])('of 50 MB passes as a stream, in bounded memory (chunked: %s)', async (chunked) => {
    let bytes = 0;
    const upstream = await chunkingServer((socket) => {
      let tail = '';
      socket.on('data', (chunk) => {
        bytes += chunk.length;
        tail = (tail + chunk.toString('latin1')).slice(-64);
        if (tail.includes('--cut--\r\n') && (!chunked || tail.endsWith('0\r\n\r\n')))
          socket.write(
            'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 13\r\n\r\n{"id":"file"}',
          );
      });
    });
    const running = await startInFrontOf(upstream.url, LIMITS);
    const before = bytesHeld();
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, bytesHeld() - before);
    }, 100);
    const answer = await upload(`${running.url}/v1/files`, 50 * MB, chunked);
    clearInterval(watch);
    expect(answer).toEqual({ status: 200, text: '{"id":"file"}' });
    expect(bytes).toBeGreaterThan(50 * MB);
    // Client, gateway and upstream share this process: a whole body held anywhere would show.
    expect(most).toBeLessThan(25 * MB);
    await nothingOpen(running);
    const [line] = await requestLines(running, 1);
    expect(Number(line?.bytes_in)).toBeGreaterThan(50 * MB);
  });

  it('waits where the upstream does not take it: the gateway does not swallow it', async () => {
    const upstream = await chunkingServer((socket) => void socket.pause());
    // A client that leaves is not seen to while nothing is read of it: the time for the first byte ends it.
    const running = await startInFrontOf(upstream.url, `${LIMITS}\ntimeouts: { first_byte: 1s }`);
    let sent = 0;
    const call = request(`${running.url}/v1/files`, {
      method: 'POST',
      headers: { authorization: 'Bearer sk-test-key', 'content-length': 100 * MB },
    });
    call.on('error', () => {});
    const piece = Buffer.alloc(64 * 1024);
    await new Promise<void>((resolve) => {
      let idle = setTimeout(resolve, 400);
      const go = () => {
        clearTimeout(idle);
        while (sent < 100 * MB) {
          sent += piece.length;
          if (!call.write(piece)) break;
        }
        idle = setTimeout(resolve, 400);
      };
      call.on('drain', go);
      go();
    });
    expect(sent).toBeLessThan(30 * MB);
    call.destroy();
    await nothingOpen(running);
    expect((await usedBy(running)).get('concurrent_requests')).toBe(0);
  });

  it('with Expect: 100-continue is asked for and passes', async () => {
    let seen = '';
    const upstream = await chunkingServer(async (socket) => {
      const { head, body } = await receiveRequest(socket);
      seen = `${head}\n${body}`;
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
    });
    const running = await startInFrontOf(upstream.url, LIMITS);
    const bytes = rawPost('/v1/files', 'hello', ['Expect: 100-continue']);
    const { text } = await rawRequest(running.port, bytes, { until: /ok$/ });
    expect(text).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200/);
    expect(seen).toContain('\nhello');
    expect(seen.toLowerCase()).not.toContain('expect');
    await nothingOpen(running);
  });
});
