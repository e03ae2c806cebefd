import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** Stands where a gateway stands, answers every request alike and remembers it. */
export interface RecordingInstance {
  readonly port: number;
  readonly requests: {
    readonly line: string;
    readonly headers: IncomingHttpHeaders;
    readonly names: string[];
  }[];
  readonly connections: () => number;
}

/** Answers `status` with `text`, on connections that it keeps for good. Ended with the test, or by `close` outside one. */
export async function recordingInstance(
  answer: { readonly status?: number; readonly type?: string; readonly text?: string } = {},
): Promise<RecordingInstance & { readonly close: () => Promise<void> }> {
  const requests: RecordingInstance['requests'] = [];
  let connections = 0;
  const server = createServer({ keepAliveTimeout: 75_000 }, (req, res) => {
    requests.push({
      line: `${req.method} ${req.url}`,
      headers: req.headers,
      names: req.rawHeaders.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase()),
    });
    req.resume();
    res.writeHead(answer.status ?? 200, { 'content-type': answer.type ?? 'application/json' });
    res.end(answer.text ?? '{}');
  });
  server.on('connection', () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  try {
    onTestFinished(close);
  } catch {
    // Outside a test the caller closes it.
  }
  return { port: portOf(server.address()), requests, connections: () => connections, close };
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('The server has no port.');
  return address.port;
}
