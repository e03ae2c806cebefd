// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration's own ${NAME} stands in these texts.
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { TlsFiles } from '../src/index.ts';
import { loadText, problemLines, refusal, temporaryFolder } from './temporary-config.ts';
import { CERT_PEM, KEY_PEM } from './tls-pair.ts';

const folder = temporaryFolder();
const CANARY = 'CaNaRy7f3a9';

/** Everything that a careless line of code might print of a value. */
function printed(value: unknown): string {
  return [
    String(value),
    inspect(value, { depth: 20, showHidden: true, getters: true }),
    inspect(value, { depth: 20 }),
    JSON.stringify(value),
    JSON.stringify(value instanceof Error ? { ...value, message: value.message, stack: value.stack } : value),
  ].join('\n');
}

describe('a configuration with secrets', () => {
  it('shows none of them however it is printed', () => {
    writeFileSync(join(folder, 'secret'), `${CANARY}-file\n`);
    const { config, principals } = loadText(
      folder,
      `keys:\n  - { id: a, key: ${CANARY}-1, upstream_key: ${CANARY}-2 }\n  - { id: b, key: "\${KEY}", upstream_key: "file:secret" }\n` +
        `api_keys: { ${CANARY}-4: ${CANARY}-5 }\n`,
      { env: { KEY: `${CANARY}-3` } },
    );
    expect(principals.find(`${CANARY}-1`)?.upstreamKey).toBe(`${CANARY}-2`);
    expect(principals.find(`${CANARY}-3`)?.upstreamKey).toBe(`${CANARY}-file`);
    expect(principals.find(`${CANARY}-4`)?.upstreamKey).toBe(`${CANARY}-5`);
    for (const value of [config, config.keys, { config, principals }, principals]) {
      expect(JSON.stringify(value) + inspect(value, { depth: 20 }) + String(value)).not.toContain(CANARY);
      expect(inspect(value, { depth: 20, showHidden: true })).not.toContain(CANARY);
    }
    const found = principals.find(`${CANARY}-1`);
    expect(
      JSON.stringify({ ...found }) + JSON.stringify(found) + inspect(found, { showHidden: true }),
    ).not.toContain(CANARY);
    expect(JSON.stringify(principals.find(`${CANARY}-4`)?.keyId)).not.toContain(CANARY);
  });

  it('keeps a TLS key out of what is printed', () => {
    const files = new TlsFiles('cert', CANARY);
    expect(files.keyPem).toBe(CANARY);
    expect(JSON.stringify({ files, ...files }) + inspect(files, { showHidden: true })).not.toContain(CANARY);
  });
});

describe('a refused configuration', () => {
  const texts = [
    `${CANARY}: x`,
    `api_keys:\n${CANARY}: sk-${CANARY}`,
    `keys: ${CANARY}`,
    `keys: [${CANARY}]`,
    `keys: [{ id: ${CANARY}!, key: "${CANARY} x" }]`,
    `keys: [{ id: a, key: x, ${CANARY}: 1 }]`,
    `keys: [{ id: a, key: "${CANARY}\n  : }]`,
    `keys: [{ id: a, key: "file:/nowhere/x", expires: ${CANARY} }]`,
    `api_keys: { ${CANARY}: [${CANARY}] }`,
    `api_keys: [${CANARY}]`,
    `api_keys: { ${CANARY}: { ${CANARY}: 1 } }`,
    `api_keys: { ${CANARY}: a, ${CANARY}: b }`,
    `api_keys: { "file:gone": ${CANARY} }`,
    `target_url: https://u:${CANARY}@x`,
    `target_url: ${CANARY}`,
    `log_level: ${CANARY}`,
    'log_level: ${KEY}',
    'listen_port: ${KEY}',
    'limits: { requests_per_second: "${KEY}", "${KEY}": 1 }',
    'timeouts: { connect: "${KEY}", "${KEY}": 1s }',
    'trusted_proxies: ["${KEY}"]',
    'time_zone: ${KEY}',
    'models: { "${KEY} ": { limits: { x: 1 } } }',
    'admin: { listen: "${KEY}" }',
    `? [${CANARY}]\n: 1`,
    `a: "${CANARY}`,
    `a: b: ${CANARY}`,
    `a: *${CANARY}`,
    `a: !${CANARY} b`,
    `\t${CANARY}: 1`,
    `keys:\n\t- { key: ${CANARY} }`,
    `redis_url: redis://:${CANARY}@x/y`,
    `redis_url: http://${CANARY}@x`,
    `redis_url: "file:/nowhere/${CANARY} \\n"`,
    `redis: { password: ${CANARY}, cluster: [${CANARY}] }`,
    `redis: { sentinels: ["a:1"], password: "${CANARY} x", sentinel_password: "${CANARY} y" }`,
    `redis: { ${CANARY}: a }`,
    `on_redis_failure: ${CANARY}`,
    `on_redis_failure: { rates: ${CANARY} }`,
    `${CANARY}`,
    `limits: { requests_per_second: { limit: 1, ${CANARY}: 2 } }`,
  ];
  it.each(texts.map((text) => [text.replaceAll(CANARY, '…'), text]))('%s tells no secret', (_shown, text) => {
    const problems = refusal(() => loadText(folder, text, { env: { KEY: CANARY } }));
    expect(printed(problems)).not.toContain(CANARY);
  });

  it('tells none of the command line’s or the environment’s', () => {
    const args = [
      `--api-key`,
      CANARY,
      `--key=${CANARY}`,
      CANARY,
      `--listen-port`,
      CANARY,
      `--${CANARY}`,
      `-${CANARY}`,
    ];
    const env = { NEXUS_REDIS_URL: CANARY, NEXUS_LISTEN_HOST: `${CANARY} `, NEXUS_LISTEN_PROT: CANARY };
    const problems = refusal(() => loadText(folder, 'listen_port: 1', { args, env }));
    expect(problems.problems.length).toBeGreaterThanOrEqual(8);
    expect(printed(problems)).not.toContain(CANARY);
  });
});

describe('TLS files', () => {
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
  const text = 'target_url: http://x\ntls: { cert_file: cert.pem, key_file: key.pem }';

  it('that belong together are read, from the folder of the configuration', () => {
    write('cert.pem', CERT_PEM);
    write('key.pem', KEY_PEM);
    const { config } = loadText(folder, text);
    expect([config.tls?.certPem, config.tls?.keyPem]).toEqual([CERT_PEM, KEY_PEM]);
    expect(inspect(config, { depth: 20, showHidden: true }) + JSON.stringify(config)).not.toContain(
      'PRIVATE KEY',
    );
    expect(Object.isFrozen(config.tls)).toBe(true);
    const args = ['--tls-cert-file', join(folder, 'cert.pem'), '--tls-key-file', join(folder, 'key.pem')];
    expect(loadText(folder, 'target_url: http://x', { args }).config.tls?.keyPem).toBe(KEY_PEM);
  });

  it('that do not belong together are a problem', () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    write('cert.pem', CERT_PEM);
    write('key.pem', String(privateKey.export({ type: 'pkcs8', format: 'pem' })));
    expect(problemLines(folder, text)).toEqual([
      expect.stringContaining('2: `tls.key_file` is not the key of'),
    ]);
  });

  it('that hold no PEM are problems that show nothing of them', () => {
    write('cert.pem', CANARY);
    write('key.pem', CANARY);
    const problems = refusal(() => loadText(folder, text));
    expect(String(problems)).toMatch(/holds no certificate[\s\S]*holds no private key/);
    expect(printed(problems)).not.toContain(CANARY);
  });
});
