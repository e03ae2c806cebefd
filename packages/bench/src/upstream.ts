/**
 * The upstream of a measurement: answers every POST at once, and costs as little as it can. A request with
 * `x-bench-chunks` gets a stream of so many pieces of text, one event a write, one write every `x-bench-interval-ms`.
 *
 *     node src/upstream.ts LISTEN_PORT
 *
 * It is no stand-in for OpenAI's rules: it limits nothing and believes everybody.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { answerHeaders, chatCompletion, lastChunks, textChunk } from './upstream-answers.ts';

let requests = 0;

const server = createServer((req, res) => {
  requests += 1;
  const n = requests;
  const chunks = Number(req.headers['x-bench-chunks'] ?? 0);
  if (chunks === 0) {
    req.resume();
    req.once('end', () => {
      const body = chatCompletion(n);
      res.writeHead(200, [
        ...answerHeaders(n, 'application/json'),
        'content-length',
        String(body.byteLength),
      ]);
      res.end(body);
    });
    return;
  }
  let usageAsked = false;
  req.on('data', (bytes: Buffer) => {
    usageAsked ||= bytes.includes('"include_usage":true');
  });
  req.once('end', () => stream(req, res, { n, chunks, usageAsked }));
});

function stream(
  req: IncomingMessage,
  res: ServerResponse,
  { n, chunks, usageAsked }: { n: number; chunks: number; usageAsked: boolean },
): void {
  const intervalMs = Number(req.headers['x-bench-interval-ms'] ?? 0);
  let sent = 0;
  const step = (): void => {
    if (sent < chunks) {
      res.write(textChunk(n, sent, usageAsked));
      sent += 1;
      return;
    }
    const [last, ...rest] = lastPieces;
    lastPieces = rest;
    if (last !== undefined) res.write(last);
    if (rest.length > 0) return;
    clearInterval(timer);
    res.end();
  };
  let lastPieces = lastChunks(n, chunks, usageAsked);
  res.writeHead(200, answerHeaders(n, 'text/event-stream; charset=utf-8'));
  step();
  const timer = setInterval(step, intervalMs);
  res.once('close', () => clearInterval(timer));
}

server.keepAliveTimeout = 600_000;
server.requestTimeout = 0;
const [port] = process.argv.slice(2);
server.listen(Number(port), '127.0.0.1', 4_096);
