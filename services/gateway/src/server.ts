import {
  createServer as createHttpServer,
  type RequestListener,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import { createServer as createHttpsServer, Server as HttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { ERROR_KINDS, type ErrorCode } from '@nexus/domain';
import { asksWebSocket } from './path/exchange.ts';
import { isClosing } from './reply/closing.ts';
import { errorBody } from './reply/own-reply.ts';

/** Above nginx's 60 s: the balancer ends an idle connection, never we while it sends. */
const KEEP_ALIVE_MS = 75_000;

/** A client that takes longer to send its headers is no client. */
const HEADERS_MS = 10_000;

const SERVER_OPTIONS = {
  keepAliveTimeout: KEEP_ALIVE_MS,
  headersTimeout: HEADERS_MS,
  // The whole request is watched by `InFlight`: a big upload may take its time.
  requestTimeout: 0,
  connectionsCheckingInterval: 2_000,
  maxHeaderSize: 16 * 1024,
  noDelay: true,
  // Checked by `checkFraming`, with an answer that clients can read.
  requireHostHeader: false,
  // h2c and the like may be ignored (RFC 9110 §7.8): the request is answered in HTTP/1.1.
  shouldUpgradeCallback: asksWebSocket,
};

/** A certificate with its chain, and its key. */
interface Certificate {
  readonly certPem: string;
  readonly keyPem: string;
}

/** An HTTP or HTTPS server with every bound that Node leaves open. */
export function createServer(listener: RequestListener, tls: Certificate | undefined): Server {
  const server = tls
    ? createHttpsServer({ ...SERVER_OPTIONS, ...secured(tls) }, listener)
    : createHttpServer(SERVER_OPTIONS, listener);
  // Past this many Node drops fields silently, framing and credentials too: none are dropped, `checkFraming` counts them.
  server.maxHeadersCount = 0;
  // The proxy of each upstream that there ever was waits for the server's end.
  server.setMaxListeners(0);
  // Whoever waits to be asked for its body is asked when it is wanted, not before its request was looked at.
  server.on('checkContinue', listener);
  const answers = new WeakMap<Socket, ServerResponse>();
  server.prependListener('request', (req, res) => void answers.set(req.socket, res));
  server.on('clientError', (error: Error & { code?: string }, socket: Socket) =>
    refuseUnparsed(error.code ?? '', socket, answers.get(socket)),
  );
  return server;
}

/** Shows connections to come another certificate. @throws Error if the key is not the certificate's; the one before it stays */
export function showCertificate(server: Server, certificate: Certificate): void {
  if (server instanceof HttpsServer) server.setSecureContext(secured(certificate));
}

function secured({ certPem, keyPem }: Certificate): SecureContextOptions {
  return { cert: certPem, key: keyPem, minVersion: 'TLSv1.2' };
}

/** Answers bytes that are no request; in the midst of another answer, only that answer's beginning can be told. */
function refuseUnparsed(reason: string, socket: Socket, answer: ServerResponse | undefined): void {
  if (reason === 'ECONNRESET' || !socket.writable || isClosing(socket) || isHalfSaid(answer)) {
    socket.destroySoon();
    return;
  }
  const code: ErrorCode =
    reason === 'HPE_HEADER_OVERFLOW'
      ? 'headers_too_large'
      : reason === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? 'request_timeout'
        : 'bad_framing';
  const { status, type, sentence } = ERROR_KINDS[code];
  const body = errorBody('openai', status, { message: sentence, type, code }, '');
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}`;
  socket.end(`${head}\r\nx-nexus-source: nexus\r\nconnection: close\r\n\r\n${body}`);
}

/** Whether an answer has begun and not ended: nothing can be said beside it. */
function isHalfSaid(answer: ServerResponse | undefined): boolean {
  return answer?.headersSent === true && !answer.writableFinished;
}

/** Starts listening. @throws Error with `code` EADDRINUSE, EACCES and the like */
export function listen(server: Server, port: number, host: string): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      const address = server.address();
      if (address === null || typeof address === 'string') reject(new Error('no address'));
      else resolve(address);
    });
  });
}
