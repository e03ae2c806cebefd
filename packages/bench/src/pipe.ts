/**
 * The yardstick: the least that `node:http` needs to pass requests on. Keep-alive on both sides, headers copied, bodies
 * piped both ways. It limits nothing, reads nothing and logs nothing.
 *
 *     node src/pipe.ts LISTEN_PORT UPSTREAM_PORT
 */
import { Agent, createServer, request } from 'node:http';

const [listenPort, upstreamPort] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: Infinity });

const server = createServer((req, res) => {
  const { method, url, headers } = req;
  const onward = request(
    { host: '127.0.0.1', port: upstreamPort, agent, method, path: url, headers },
    (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(res);
    },
  );
  onward.on('error', () => res.destroy());
  res.on('close', () => res.writableFinished || onward.destroy());
  req.pipe(onward);
});
server.keepAliveTimeout = 75_000;
server.listen(Number(listenPort), '127.0.0.1');
