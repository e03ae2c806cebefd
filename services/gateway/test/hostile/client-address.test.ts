import { rawRequest } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { rawGet } from '../faults/wire.ts';
import { requestLines, startWithSimulator } from '../running-gateway.ts';

describe('The address of a client in the log', () => {
  it.each([
    ['nobody is trusted', '', ['X-Forwarded-For: 9.9.9.9'], '127.0.0.1'],
    ['another proxy is trusted', 'trusted_proxies: [10.0.0.0/8]', ['X-Forwarded-For: 9.9.9.9'], '127.0.0.1'],
    ['the peer is trusted', 'trusted_proxies: [127.0.0.1]', ['X-Forwarded-For: 9.9.9.9'], '9.9.9.9'],
    [
      'the client invents hops',
      'trusted_proxies: [127.0.0.1]',
      ['X-Forwarded-For: 1.1.1.1, 9.9.9.9'],
      '9.9.9.9',
    ],
    [
      'hops of ours stand between',
      'trusted_proxies: [127.0.0.0/8, 10.0.0.0/8]',
      ['X-Forwarded-For: 1.1.1.1, 9.9.9.9, 10.0.0.1'],
      '9.9.9.9',
    ],
    [
      'it comes in two fields',
      'trusted_proxies: [127.0.0.1]',
      ['X-Forwarded-For: 1.1.1.1', 'X-Forwarded-For: 9.9.9.9'],
      '9.9.9.9',
    ],
    ['it is IPv6', 'trusted_proxies: [127.0.0.1]', ['X-Forwarded-For: 2001:db8::1'], '2001:db8::1'],
    ['it is no address', 'trusted_proxies: [127.0.0.1]', ['X-Forwarded-For: <script>'], '127.0.0.1'],
    ['it is empty', 'trusted_proxies: [127.0.0.1]', ['X-Forwarded-For: '], '127.0.0.1'],
    [
      'it is long',
      'trusted_proxies: [127.0.0.1]',
      [`X-Forwarded-For: ${'1.1.1.1, '.repeat(1_500)}9.9.9.9`],
      '9.9.9.9',
    ],
    [
      'everyone is ours',
      'trusted_proxies: [127.0.0.0/8]',
      ['X-Forwarded-For: 127.0.0.7, 127.0.0.8'],
      '127.0.0.7',
    ],
    [
      'other headers claim one',
      'trusted_proxies: [127.0.0.1]',
      ['X-Real-IP: 9.9.9.9', 'Forwarded: for=9.9.9.9'],
      '127.0.0.1',
    ],
  ])('is right where %s', async (_when, settings, headers, expected) => {
    const running = await startWithSimulator(settings);
    const { text } = await rawRequest(running.port, rawGet('/v1/models', headers), { until: /\r\n\r\n/ });
    expect(text).toMatch(/^HTTP\/1\.1 200/);
    const [line] = await requestLines(running, 1);
    expect(line?.client).toBe(expected);
  });
});
