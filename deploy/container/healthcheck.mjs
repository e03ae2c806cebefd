/**
 * The health check of the image: exits 0 if the gateway in this container answers /health. The port is the one that the
 * configuration names, unless NEXUS_HEALTH_URL says where to ask.
 */
import { readFileSync } from 'node:fs';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';

const WITHIN_MS = 3_000;

/** @returns {URL} where the gateway listens, as its environment and the plain lines of its file say */
function healthUrl() {
  const { NEXUS_HEALTH_URL, NEXUS_LISTEN_PORT, CONFIG_PATH = './config.yaml' } = process.env;
  if (NEXUS_HEALTH_URL) return new URL(NEXUS_HEALTH_URL);
  let text = '';
  try {
    text = readFileSync(CONFIG_PATH, 'utf8');
  } catch {
    // Without a file the default port holds.
  }
  const port = NEXUS_LISTEN_PORT ?? /^listen_port:\s*["']?(\d+)/m.exec(text)?.[1] ?? '8080';
  const scheme = /^tls:/m.test(text) ? 'https' : 'http';
  return new URL(`${scheme}://127.0.0.1:${port}/health`);
}

const url = healthUrl();
const request = url.protocol === 'https:' ? requestHttps : requestHttp;
// The certificate is made for the clients' name, not for this address.
const options = { timeout: WITHIN_MS, rejectUnauthorized: false };
const req = request(url, options, (res) => {
  res.resume();
  process.exitCode = res.statusCode === 200 ? 0 : 1;
});
req.on('timeout', () => req.destroy(new Error('no answer in time')));
req.on('error', (error) => {
  process.stderr.write(`${url}: ${error.message}\n`);
  process.exitCode = 1;
});
req.end();
