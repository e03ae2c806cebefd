import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * A TCP port that nobody listens on at this moment. Another process may take it before you do: have servers listen on port 0 where
 * they can.
 */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('The server has no port.');
  return address.port;
}
