import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createLog, type Log, type LogFields, type LogLevel } from '../src/index.ts';
import { SMALL_LINE } from './request-sample.ts';

function logTo(lines: string[], level: LogLevel = 'debug'): Log {
  return createLog({ level, write: (line) => lines.push(line), clock: () => 0 });
}

function entry(fields: LogFields, message = 'listening'): Record<string, unknown> {
  const lines: string[] = [];
  logTo(lines).info(message, fields);
  expect(lines).toHaveLength(1);
  expect(lines[0]?.indexOf('\n')).toBe((lines[0]?.length ?? 0) - 1);
  return JSON.parse(lines[0] ?? '');
}

describe('a log', () => {
  it('writes an entry at once as one JSON object on one line', () => {
    expect(entry({ port: 8080, listenHost: '::', tls: false, none: undefined, nothing: null })).toEqual({
      time: '1970-01-01T00:00:00.000Z',
      level: 'info',
      message: 'listening',
      port: 8080,
      listen_host: '::',
      tls: false,
      nothing: null,
    });
  });

  it.each([
    ['debug', ['debug', 'info', 'warn', 'error', 'request']],
    ['info', ['info', 'warn', 'error', 'request']],
    ['warn', ['warn', 'error']],
    ['error', ['error']],
  ] as const)('at level %s writes %j', (level, expected) => {
    const lines: string[] = [];
    const log = logTo(lines, level);
    log.debug('debug');
    log.info('info');
    log.warn('warn');
    log.error('error');
    log.request(SMALL_LINE);
    expect(lines.map((line) => JSON.parse(line).message.split(' ')[0])).toEqual(expected);
  });

  it('writes a degraded request at level warn and a failed one at level error', () => {
    const lines: string[] = [];
    const log = logTo(lines, 'warn');
    log.request({ ...SMALL_LINE, degraded: true });
    log.request({ ...SMALL_LINE, status: 502 });
    expect(lines.map((line) => JSON.parse(line).level)).toEqual(['warn', 'error']);
  });

  it('writes ten thousand lines of one turn in their order', () => {
    const lines: string[] = [];
    const log = logTo(lines);
    for (let i = 0; i < 10_000; i++) log.info('entry', { i });
    expect(lines.map((line) => JSON.parse(line).i)).toEqual(Array.from({ length: 10_000 }, (_, i) => i));
  });

  it('survives a writer that throws, and counts what it dropped', () => {
    let isBroken = true;
    const lines: string[] = [];
    const log = createLog({
      level: 'info',
      write: (line) => {
        if (isBroken) throw new Error('full');
        lines.push(line);
      },
    });
    log.info('lost');
    isBroken = false;
    log.info('kept');
    expect(log.dropped()).toBe(1);
    expect(lines).toHaveLength(1);
  });

  it('drops and counts what comes after it was closed', async () => {
    const lines: string[] = [];
    const log = logTo(lines);
    await log.close();
    await log.close();
    log.info('too late');
    log.request(SMALL_LINE);
    expect(lines).toEqual([]);
    expect(log.dropped()).toBe(2);
  });
});

describe('the fields of an entry', () => {
  it('cannot take the place of the line’s own', () => {
    const line = entry({ level: 'x', message: 'y', time: 'z', suppressed: 9, a: 1, A: 2 });
    expect(line).toMatchObject({
      level: 'info',
      message: 'listening',
      level_: 'x',
      message_: 'y',
      suppressed_: 9,
      a: 1,
    });
    expect(Object.keys(line).filter((name) => name.toLowerCase() === 'a')).toHaveLength(1);
  });

  it('are hidden where their name says that they are secret or not ours', () => {
    const names = [
      'key',
      'apiKey',
      'upstream_key',
      'authorization',
      'cookie',
      'password',
      'clientSecret',
      'token',
    ];
    for (const name of [...names, 'headers', 'rawHeaders', 'body', 'prompt', 'messages', 'X-Api-Key']) {
      expect(Object.values(entry({ [name]: 'CANARY' }))).toContain('[redacted]');
      expect(JSON.stringify(entry({ deep: [{ [name]: ['CANARY'] }] }))).not.toContain('CANARY');
    }
    expect(entry({ keyId: 'search-prod', inputTokens: 5, owner: 'key:search-prod' })).toMatchObject({
      key_id: 'search-prod',
      input_tokens: 5,
      owner: 'key:search-prod',
    });
  });

  it('show of objects that are not plain only their class', () => {
    const request = new IncomingMessage(new Socket());
    request.headers.authorization = 'Bearer CANARY';
    const line = entry({
      request,
      map: new Map([['a', 'CANARY']]),
      bytes: Buffer.from('CANARY'),
      call: () => 1,
    });
    expect(line).toMatchObject({ request: '[IncomingMessage]', map: '[Map]', bytes: '[Buffer]' });
    expect(line).not.toHaveProperty('call');
  });

  it('are written whatever they are: circles, depths, throwing getters, proxies, huge things', () => {
    const circle: Record<string, unknown> = { name: 'circle' };
    circle.self = circle;
    const throwing = {
      fine: 1,
      get bad(): never {
        throw new Error('no');
      },
      toJSON(): never {
        throw new Error('no');
      },
    };
    const proxy = new Proxy(
      {},
      {
        ownKeys() {
          throw new Error('no');
        },
      },
    );
    expect(entry({ circle, throwing, proxy, big: 12n, date: new Date(0), nan: Number.NaN })).toMatchObject({
      circle: { name: 'circle', self: { name: 'circle' } },
      throwing: { fine: 1, bad: '[unreadable]' },
      proxy: '[unreadable]',
      big: '12',
      date: '1970-01-01T00:00:00.000Z',
      nan: null,
    });
    expect(entry(proxy)).toMatchObject({ message: 'listening', fields: '[unreadable]' });
    expect(entry(throwing)).toMatchObject({ bad: '[unreadable]' });
    const broad = Object.fromEntries(
      Array.from({ length: 100_000 }, (_, i) => [`name${i}`, 'x'.repeat(5_000)]),
    );
    const tree = (depth: number): unknown => (depth === 0 ? 'leaf' : Array(60).fill(tree(depth - 1)));
    for (const fields of [
      broad,
      { tree: tree(4) },
      { text: ' x'.repeat(5e6) },
      { list: Array(1e6).fill('y ') },
    ]) {
      expect(JSON.stringify(entry(fields)).length).toBeLessThan(200_000);
    }
    expect(entry(JSON.parse('{"__proto__":{"level":"x"}}'))).toMatchObject({ level: 'info' });
  });
});

describe('an error in the log', () => {
  function logged(error: unknown): unknown {
    const lines: string[] = [];
    logTo(lines).error('settling failed', { error });
    return JSON.parse(lines[0] ?? '').error;
  }

  it('has class, code, message, stack and the chain of its causes, and nothing else', () => {
    const root = Object.assign(new RangeError('root'), {
      code: 'E_ROOT',
      headers: { authorization: 'CANARY' },
    });
    const top = new TypeError('top', { cause: new AggregateError([root, 'a text'], 'many') });
    expect(logged(top)).toEqual({
      class: 'TypeError',
      message: 'top',
      stack: expect.stringMatching(/^TypeError: top\n {4}at /),
      causes: [
        { class: 'AggregateError', message: 'many', stack: expect.any(String) },
        { class: 'RangeError', code: 'E_ROOT', message: 'root', stack: expect.any(String) },
        { class: 'string', message: 'a text' },
      ],
    });
  });

  it('is written whatever was thrown', () => {
    const circular = new Error('round');
    circular.cause = circular;
    expect(logged(circular)).toEqual({ class: 'Error', message: 'round', stack: expect.any(String) });
    let chain: unknown = 'end';
    for (let i = 0; i < 10_000; i++) chain = new Error(`${i}`, { cause: chain });
    expect(logged(chain)).toMatchObject({ causes: { length: 6 } });
    expect(
      logged(new Error('many', { cause: new AggregateError(Array(1e5).fill(new Error('x'))) })),
    ).toBeDefined();
    const hostile = {
      get name(): never {
        throw new Error('no');
      },
      get message(): never {
        throw new Error('no');
      },
      get stack(): never {
        throw new Error('no');
      },
      get cause(): never {
        throw new Error('no');
      },
    };
    expect(logged(hostile)).toEqual({ class: 'Object', message: '' });
    const revoked = Proxy.revocable({}, {});
    revoked.revoke();
    expect(logged(revoked.proxy)).toMatchObject({ message: '' });
    expect(logged(null)).toEqual({ class: 'null', message: 'null' });
    expect(logged(Symbol('s'))).toEqual({ class: 'symbol', message: 'Symbol(s)' });
    expect(logged(Object.create(null))).toEqual({ class: 'Object', message: '' });
    const long = new Error('x '.repeat(5e6));
    expect(JSON.stringify(logged(long)).length).toBeLessThan(12_000);
  });
});
