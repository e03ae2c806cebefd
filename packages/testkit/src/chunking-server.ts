import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { atTestEnd } from './at-test-end.ts';

/** An upstream whose every byte a test decides. */
export interface ChunkingServer extends AsyncDisposable {
  readonly port: number;
  /** `http://127.0.0.1:port` */
  readonly url: string;
  /** Connections that were ever made to it. */
  readonly connections: () => number;
  /** Destroys all connections and closes. Rejects with the first error that a script threw. */
  readonly close: () => Promise<void>;
}

/**
 * Listens on a free port and hands each raw connection to the script, which reads and writes what it likes. It is closed at the
 * end of the test, which fails if a script threw before.
 */
export async function chunkingServer(
  script: (socket: Socket) => void | Promise<void>,
): Promise<ChunkingServer> {
  const sockets = new Set<Socket>();
  const problems: unknown[] = [];
  let connections = 0;
  let isClosed = false;
  const run = async (socket: Socket): Promise<void> => {
    try {
      await script(socket);
    } catch (error) {
      if (!isClosed) problems.push(error);
      socket.destroy();
    }
  };
  const server = createServer({ noDelay: true }, (socket) => {
    connections += 1;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    // The other side may reset the connection at any time; that is for the script to notice, not a failure.
    socket.on('error', () => {});
    void run(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port.');

  const close = async (): Promise<void> => {
    if (!isClosed) {
      isClosed = true;
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    }
    if (problems.length > 0) throw problems[0];
  };
  await atTestEnd(close);
  return {
    port: address.port,
    url: `http://127.0.0.1:${address.port}`,
    connections: () => connections,
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** A request as it came. */
export interface ReceivedRequest {
  /** Request line and header fields as latin1, up to the empty line. */
  readonly head: string;
  /** The body's bytes as they came: with its chunk sizes, if it was chunked. */
  readonly body: Buffer;
}

/**
 * Reads one request from the socket, to the end that its Content-Length or its last chunk marks, and leaves the socket paused.
 * Rejects if the other side ends before. Meant for one request at a time: what comes after its end is taken for its body.
 */
export async function receiveRequest(socket: Socket): Promise<ReceivedRequest> {
  let bytes = Buffer.alloc(0);
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      socket.off('data', onData).off('close', onClose).off('end', onClose);
      socket.pause();
    };
    const onClose = (): void => {
      stop();
      reject(new Error(`The connection ended after ${bytes.length} bytes of a request.`));
    };
    const onData = (chunk: Buffer): void => {
      bytes = Buffer.concat([bytes, chunk]);
      const end = bytes.indexOf('\r\n\r\n');
      if (end === -1) return;
      const head = bytes.subarray(0, end).toString('latin1');
      const body = bytes.subarray(end + 4);
      if (!isWhole(head, body)) return;
      stop();
      resolve({ head, body });
    };
    socket.on('data', onData).on('close', onClose).on('end', onClose);
  });
}

function isWhole(head: string, body: Buffer): boolean {
  if (/^transfer-encoding:.*chunked/im.test(head)) return body.subarray(-5).equals(Buffer.from('0\r\n\r\n'));
  const length = /^content-length:\s*(\d+)/im.exec(head)?.[1];
  return body.length >= Number(length ?? 0);
}
