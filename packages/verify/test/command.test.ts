import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { freePort, selfSignedCert, tempDir } from '@nexus/testkit';
import { describe, expect, it, onTestFinished } from 'vitest';
import { runVerify } from './run-cli.ts';
import { KEY, ownSimulator, startGateway } from './running-gateway.ts';

const LONG = { timeout: 120_000 };
const LIMITS = 'limits: { requests_per_hour: 20, model_tokens_per_minute: 6000 }';
/** Where nobody is asked, so that nothing must listen there. */
const NOWHERE = 'http://127.0.0.1:9';

describe('nexus verify', () => {
  it('shows its help with examples', LONG, async () => {
    const { code, stdout } = await runVerify(['--help']);
    expect(code).toBe(0);
    expect(stdout).toContain('Examples\n  NEXUS_KEY=sk-… nexus verify --url https://nexus.company.com');
  });

  it('judges, and leaves its report as JSON alone on its output', LONG, async () => {
    const simulator = await ownSimulator();
    const { url } = await startGateway(simulator.url, 'limits: { requests_per_hour: 20 }');
    const { code, stdout, stderr } = await runVerify(['--url', `${url}/v1/`, '--seconds', '1', '--json']);
    const report: { verdict: string; limits: { state: string }[] } = JSON.parse(stdout);
    expect(report.limits.map(({ state }) => state)).toEqual(['held']);
    expect(report.verdict).toMatch(/held|no limit was broken/);
    expect(code).toBe(0);
    expect(stderr).toContain('This run will');
    expect(stdout + stderr).not.toContain(KEY);
  });

  it('ends with its verdict, and 1 if a limit was broken', LONG, async () => {
    const simulator = await ownSimulator();
    const one = await startGateway(simulator.url, 'limits: { requests_per_hour: 20 }');
    const other = await startGateway(simulator.url, 'limits: { requests_per_hour: 20 }');
    const instances = `${one.url},${other.url}`;
    const { code, stdout } = await runVerify(['--url', one.url, '--instances', instances, '--seconds', '2']);
    expect(stdout.trimEnd().split('\n').at(-1)).toMatch(
      /^verdict: key:\S+\/requests_per_hour was broken: \d+ over in \(\d+\.\d s, \d+\.\d s\]; the instances do not agree$/,
    );
    expect(code).toBe(1);
  });

  it('says with --dry-run what it would do and cost, and spends nothing', LONG, async () => {
    const simulator = await ownSimulator();
    const { url } = await startGateway(simulator.url, LIMITS);
    const { code, stdout } = await runVerify(['--url', url, '--dry-run']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/requests_per_hour: 20 an hour, burst 20; \d+ left/);
    expect(stdout).toMatch(
      /ask for tokens far beyond the limit for 20 s: about \d+ calls of \d+ \+ 1 tokens/,
    );
    expect(simulator.usageServed().answers).toBe(0);
  });

  it('trusts a certificate that is named, and says how where it does not', LONG, async () => {
    const simulator = await ownSimulator();
    const folder = await tempDir();
    const { cert, key } = selfSignedCert();
    const certFile = join(folder, 'tls.crt');
    const keyFile = join(folder, 'tls.key');
    await writeFile(certFile, cert);
    await writeFile(keyFile, key);
    const { url } = await startGateway(
      simulator.url,
      `tls: { cert_file: ${certFile}, key_file: ${keyFile} }\n${LIMITS}`,
    );
    const untrusted = await runVerify(['--url', url]);
    expect(untrusted.code).toBe(1);
    expect(untrusted.stderr).toMatch(/has a certificate that is not trusted here .*: --ca FILE\n$/);
    expect(await runVerify(['--url', url, '--ca', certFile, '--dry-run'])).toMatchObject({
      code: 0,
      stderr: '',
    });
  });

  it('says what is wrong with a deployment, and ends with 1', LONG, async () => {
    const simulator = await ownSimulator();
    const listed = await startGateway(
      simulator.url,
      `keys: [{ id: other, key: sk-other-0c4d2a }, { id: free, key: ${KEY}, limits: { requests_per_second: unlimited } }]\nlimits: { requests_per_second: 5 }`,
    );
    const stranger = createServer((_req, res) => res.end('{"buckets":[]}')).listen(0, '127.0.0.1');
    onTestFinished(() => void stranger.close());
    await new Promise((resolve) => stranger.once('listening', resolve));
    const address = stranger.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const cases: [url: string, key: string, said: RegExp][] = [
      [
        `http://127.0.0.1:${await freePort()}`,
        KEY,
        /refuses connections: nothing listens there\. Start Nexus/,
      ],
      [
        listed.url,
        'sk-unknown-5e6f',
        /does not know this key \(401\)\. Give one that the gateway accepts\.\n$/,
      ],
      [listed.url, KEY, /does not limit this key, so there is nothing to verify\. Give it limits/],
      [
        simulator.url,
        KEY,
        /answered GET \/nexus\/limits with 404: what answers there does not tell its limits/,
      ],
      [
        `http://127.0.0.1:${port}`,
        KEY,
        /what answers there does not tell its limits .* or update the gateway\.\n$/,
      ],
      [
        listed.url.replace('http:', 'https:'),
        KEY,
        /Is it https where you wrote http, or the other way round\?|ended/,
      ],
    ];
    for (const [url, key, said] of cases) {
      const { code, stdout, stderr } = await runVerify(['--url', url], { NEXUS_KEY: key });
      expect(stderr).toMatch(said);
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).not.toContain(key);
    }
  });

  it.each([
    ['no address', [], /--url is missing: --url https:\/\/nexus\.company\.com/],
    ['an address without a scheme', ['--url', 'nexus.company.com'], /--url is not an address/],
    ['a password in the address', ['--url', `http://u:${KEY}@127.0.0.1`], /holds more than an address/],
    ['a bad instance', ['--url', NOWHERE, '--instances', 'x'], /--instances is not an address/],
    ['half a second', ['--url', NOWHERE, '--seconds', '0.5'], /--seconds is not a whole number from 1/],
    ['no connections', ['--url', NOWHERE, '--connections', '0'], /--connections is not a whole number/],
    ['a file that is not there', ['--url', NOWHERE, '--ca', '/nonexistent.pem'], /cannot be read/],
    [
      'a file that is no certificate',
      ['--url', NOWHERE, '--ca', import.meta.filename],
      /no certificate in PEM/,
    ],
    ['a key in a wrong place', ['--url', NOWHERE, KEY], /an argument that means nothing/],
    ['an option that there is not', ['--url', NOWHERE, `--${KEY}`], /an argument that means nothing/],
    ['an option without its value', ['--url'], /an option lacks its value/],
  ])('takes %s for wrong usage', LONG, async (_what, args, said) => {
    const { code, stdout, stderr } = await runVerify(args);
    expect(stderr).toMatch(said);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).not.toContain(KEY);
  });

  it('needs a key, and repeats none that cannot be one', LONG, async () => {
    expect(await runVerify(['--url', NOWHERE], {})).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('set NEXUS_KEY in the environment, or give --key'),
    });
    const odd = await runVerify(['--url', NOWHERE, '--key', 'two words-7f']);
    expect(odd.code).toBe(2);
    expect(odd.stderr).not.toContain('7f');
  });
});
