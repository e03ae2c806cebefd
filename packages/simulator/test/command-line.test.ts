import { describe, expect, it } from 'vitest';
import { parseSimulatorArgs, simulatorBanner, simulatorHelp } from '../src/command-line.ts';
import { FAULTS } from '../src/index.ts';

describe('the command line of a simulator', () => {
  it('takes every flag, with a space or an equals sign, with one dash or two', () => {
    const args = [
      '--port',
      '9001',
      '-host=::1',
      '--latency=1.5s',
      '-tokens-per-second',
      '50',
      '--tokens=400',
      '--tier',
      'free',
      '--quota',
      '1000',
      '--fault',
      'slow',
    ];
    expect(parseSimulatorArgs(args)).toEqual({
      kind: 'start',
      options: {
        port: 9001,
        host: '::1',
        latencyMs: 1_500,
        tokensPerSecond: 50,
        outputTokens: 400,
        tier: 'free',
        quotaTokens: 1_000,
      },
      fault: 'slow',
    });
    expect(parseSimulatorArgs([])).toEqual({ kind: 'start', options: { port: 9999 }, fault: undefined });
  });

  it.each(['--help', '-help', '-h'])('shows its help for %s', (flag) => {
    expect(parseSimulatorArgs(['--port', '1', flag])).toEqual({ kind: 'help' });
  });

  it.each([
    [['--prot', '1'], 'There is no flag --prot. The flags are --port, --host'],
    [['9999'], 'Unexpected argument "9999"'],
    [['--port'], '--port needs a value, as --port 9999'],
    [['--port', '65536'], 'from 0 to 65535'],
    [['--port', '-1'], 'from 0 to 65535'],
    [['--port='], '--port needs a value'],
    [['--latency', '200'], 'a time with its unit, ms, s or m, as --latency 200ms; not "200"'],
    [['--latency', '11m'], 'a time with its unit'],
    [['--tokens-per-second', 'NaN'], 'takes a number'],
    [['--tokens-per-second', '9'.repeat(400)], 'takes a number'],
    [['--tokens', '1.5'], 'takes a whole number'],
    [['--tier', '6'], '--tier takes free, 1, 2, 3, 4, 5, as --tier 1; not "6"'],
    [['--tier', 'toString'], '--tier takes free'],
    [['--quota', '-1'], 'takes a whole number of tokens'],
    [['--fault', 'toString'], 'There is no fault "toString". The faults are reset-before'],
  ])('refuses %j and names what is right', (args, message) => {
    const command = parseSimulatorArgs(args);
    if (command.kind !== 'wrong') throw new Error(`taken: ${JSON.stringify(command)}`);
    expect(command.message).toContain(message);
    expect(command.message).toContain('--help');
  });

  it('has a help that names every fault, and a banner with a command to paste', () => {
    const help = simulatorHelp('nexus simulate');
    for (const fault of Object.keys(FAULTS)) expect(help).toContain(`  ${fault} `);
    expect(help).toContain('nexus simulate --latency 300ms');
    expect(simulatorBanner('http://x:1', 'slow')).toMatch(
      /http:\/\/x:1, with the fault slow\n[\s\S]*curl http:\/\/x:1\/v1\/chat/,
    );
  });
});
