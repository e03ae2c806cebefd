import { describe, expect, it } from 'vitest';
import { loadText, problemLines, temporaryFolder } from './temporary-config.ts';

const folder = temporaryFolder();

describe('a scalar', () => {
  const cases: [string, string][] = [
    ['listen_port: -1', 'is not a port'],
    ['listen_port: 65536', 'is not a port'],
    ['listen_port: 80.5', 'is not a port'],
    ['listen_port: 1e99', 'is not a port'],
    ['listen_port: .nan', 'is not a port'],
    ['listen_port: 80a', 'is not a port'],
    ['listen_port: [80]', 'is a list'],
    ['listen_port: { a: 1 }', 'is a mapping'],
    ['listen_port:', 'has no value'],
    ['listen_host: 300.1.1.1', 'is neither a host name nor an address'],
    ['listen_host: "a b"', 'is neither a host name nor an address'],
    ['target_url: api.openai.com', 'is not a URL'],
    ['target_url: https:api.openai.com', 'is not a URL'],
    ['target_url: ftp://x', 'is neither http nor https'],
    ['target_url: https://a:b@x', 'holds credentials'],
    ['target_url: https://@x', 'holds credentials'],
    ['target_url: https://x?a=1', 'has a query or a fragment'],
    ['target_url: "https://x#a"', 'has a query or a fragment'],
    ['target_url: 3', 'is not a URL'],
    ['log_level: INFO', 'is none of its choices; write debug or info or warn or error'],
    ['ask_usage: yes', 'is neither true nor false'],
    ['time_zone: Mars/Olympus', 'is not an IANA time zone'],
    ['time_zone: +02:00', 'is not an IANA time zone'],
    ['body_limit: 10', 'has no unit; write 10B'],
    ['body_limit: 0B', 'is too small'],
    ['body_limit: 2GB', 'is too large'],
    ['body_limit: 10 MB', 'is not a size'],
    ['timeouts: { connect: 2 }', 'has no unit; write 2s or 2ms'],
    ['timeouts: { connect: 0s }', 'is too short'],
    ['timeouts: { connect: 400d }', 'is too long'],
    ['timeouts: { connect: 0.0001ms }', 'is not a duration'],
    ['timeouts: { connect: -2s }', 'is not a duration'],
    ['timeouts: 2s', '`timeouts` is not a mapping'],
    ['timeouts:', '`timeouts` has no value'],
    ['admin: { listen: 9090 }', 'is not host:port'],
    ['admin: { listen: "::1:9090" }', 'is not host:port'],
    ['admin: { listen: "[127.0.0.1]:9090" }', 'is not host:port'],
    ['admin: { listen: 127.0.0.1:99999 }', 'is not host:port'],
    ['admin: { listen: 127.0.0.1:8080 }', 'has the same port as `listen_port`'],
    ['tls: { cert_file: a.pem }', '`tls.cert_file` stands without `tls.key_file`'],
    ['tls: { cert_file: a.pem, key_file: b.pem }', 'the file that `tls.cert_file` names does not exist'],
    ['keys: []', '`keys` lists no key'],
    ['api_keys: {}', '`api_keys` lists no key'],
    ['keys:', '`keys` has no value'],
    ['limits:', '`limits` has no value'],
    ['limits: 3', '`limits` is not a mapping'],
    ['trusted_proxies: 10.0.0.0/8', '`trusted_proxies` is not a list'],
    ['trusted_proxies: [10.0.0.0/33]', '`trusted_proxies[0]` is neither an address nor a network'],
    ['trusted_proxies: [::1, localhost]', '`trusted_proxies[1]` is neither'],
    ['trusted_proxies: [fe80::1%eth0]', '`trusted_proxies[0]` is neither'],
    ['models: { m: {} }', '`models["m"]` has no `limits`'],
    ['models: { "a b": { limits: {} } }', 'a model pattern'],
    ['gateway: { limts: {} }', 'did you mean `limits`?'],
  ];
  it.each(cases)('%s is a problem', (text, expected) => {
    expect(problemLines(folder, text).join('\n')).toContain(expected);
  });

  it('may be a number in quotes', () => {
    expect(loadText(folder, 'listen_port: "81"\nlimits: { requests_per_second: "10" }').config).toMatchObject(
      {
        listenPort: 81,
        keyLimits: { buckets: [{ amount: 10 }] },
      },
    );
  });
});

describe('an unknown name', () => {
  const cases: [string, string][] = [
    ['listen_prot: 1', 'unknown setting `listen_prot`; did you mean `listen_port`?'],
    ['listenPort: 1', 'did you mean `listen_port`?'],
    ['target-url: x', 'did you mean `target_url`?'],
    ['timeouts: { conect: 1s }', 'unknown setting `timeouts.conect`; did you mean `connect`?'],
    [
      'limits: { request_per_second: 1 }',
      'unknown setting `limits.request_per_second`; did you mean `requests_per_second`?',
    ],
    ['gateway: { limits: { concurrent_request: 1 } }', 'did you mean `concurrent_requests`?'],
    ['models: { m: { limits: { bust: 1 } } }', 'did you mean `burst`?'],
    [
      'keys: [{ id: a, key: b, expire: 2027-01-01 }]',
      'unknown setting `keys[0].expire`; did you mean `expires`?',
    ],
    ['requests_per_second: 3', '`requests_per_second` stands outside `limits`; indent it below `limits:`'],
    ['gateway: { requests_per_second: 3 }', '`gateway.requests_per_second` stands outside `limits`'],
    ['colour: red', 'unknown setting `colour`; see docs/configuration.md'],
    ['sk-abcdef123: x', 'a name that is no setting; see'],
  ];
  it.each(cases)('%s gets a hint', (text, expected) => {
    expect(problemLines(folder, text).join('\n')).toContain(expected);
  });
});
