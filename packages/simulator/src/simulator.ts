import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { FileShelf } from './endpoints/files.ts';
import type { House } from './exchange.ts';
import { type FaultPlan, FaultQueue } from './faults.ts';
import { completeOptions, type SimulatorOptions } from './options.ts';
import { Organizations } from './organization.ts';
import { Reception } from './reception.ts';
import { type RecordedRequest, Recording } from './recording.ts';
import { Tally, type UsageServed } from './tally.ts';

/** A running stand-in for OpenAI and Anthropic. */
export interface Simulator {
  /** `http://host:port`, without a path. */
  readonly url: string;
  readonly port: number;
  /** What came, oldest first; bounded (see `SimulatorOptions.record`). The list is live. */
  readonly requests: readonly RecordedRequest[];
  readonly faults: FaultPlan;
  /** Requests whose head came, WebSocket upgrades too. */
  hits(): number;
  /** The sums so far. */
  usageServed(): UsageServed;
  /** Ends every connection, also those that hang by a fault. */
  close(): Promise<void>;
}

/** Starts a simulator; rejects if the port is taken, and with a RangeError on options that make no sense. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const settings = completeOptions(options);
  const house: House = {
    settings,
    tally: new Tally(),
    organizations: new Organizations(settings.tier, settings.quotaTokens, settings.nowMs),
    files: new FileShelf(),
  };
  const faults = new FaultQueue();
  const recording = settings.record ? new Recording() : undefined;
  const reception = new Reception(house, faults, recording);
  const server = createServer(
    {
      // A simulator takes what it is sent: long headers, and idle connections longer than any gateway keeps them.
      maxHeaderSize: 256 * 1024,
      keepAliveTimeout: 600_000,
      requestTimeout: 0,
      shouldUpgradeCallback: (req) => req.headers.upgrade?.toLowerCase() === 'websocket',
    },
    (req, res) => reception.receive(req, res),
  );
  server.on('upgrade', (req, socket, head) => reception.upgrade(req, socket, head));
  server.on('clientError', (_error, socket) => {
    if (socket.writable)
      socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
    else socket.destroy();
  });
  // Of every connection, since a socket that a fault or a WebSocket has taken is no longer the server's to close.
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
  });
  const { port, family, address } = await listen(server, settings.port, settings.host);
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    port,
    requests: recording?.requests ?? [],
    faults,
    hits: () => reception.hits,
    usageServed: () => house.tally.snapshot(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function listen(server: Server, port: number, host: string): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, 1_024, () => {
      server.off('error', reject);
      const address = server.address();
      if (address === null || typeof address === 'string') reject(new Error('The server has no port.'));
      else resolve(address);
    });
  });
}
