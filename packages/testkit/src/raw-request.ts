import { connect } from 'node:net';

/** What came back on a raw connection. */
export interface RawAnswer {
  /** All bytes that came. */
  readonly bytes: Buffer;
  /** The same as latin1: one character a byte. */
  readonly text: string;
  /** How the connection was when the waiting ended. */
  readonly end: 'closed' | 'reset' | 'still open';
}

/**
 * Sends these very bytes over TCP to 127.0.0.1 and collects what comes back until the other side closes, `until` matches the
 * text so far, or `withinMs` (default 2,000) are over. Rejects only if it can't connect.
 */
export function rawRequest(
  port: number,
  bytes: string | Uint8Array | readonly (string | Uint8Array)[],
  options: { readonly withinMs?: number; readonly until?: RegExp } = {},
): Promise<RawAnswer> {
  const parts = typeof bytes === 'string' || bytes instanceof Uint8Array ? [bytes] : bytes;
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let isConnected = false;
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const finish = (end: RawAnswer['end']): void => {
      clearTimeout(limit);
      socket.destroy();
      const all = Buffer.concat(chunks);
      resolve({ bytes: all, text: all.toString('latin1'), end });
    };
    const limit = setTimeout(finish, options.withinMs ?? 2_000, 'still open');
    socket.once('connect', () => {
      isConnected = true;
      // Text is sent as latin1, so that a test can write any byte as a character.
      for (const part of parts) socket.write(typeof part === 'string' ? Buffer.from(part, 'latin1') : part);
    });
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      if (options.until?.test(Buffer.concat(chunks).toString('latin1')) === true) finish('still open');
    });
    socket.once('end', () => finish('closed'));
    socket.once('error', (error) => {
      if (isConnected) return finish('reset');
      clearTimeout(limit);
      reject(error);
    });
  });
}
