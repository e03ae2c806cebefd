import { describe, expect, it } from 'vitest';
import { cpuTimeMs, parseAllowedCores, parseCpuTimeMs, parseResidentKb, residentKb } from '../src/proc.ts';

const REST = 'R 21522 21522 11930 0 -1 4194304 101 0 0 0 250 31 7 2 20 0 1 0 338888 3133440 390';

describe('parseCpuTimeMs', () => {
  it('adds user and system time, and that of children waited for, in ticks of 10 ms', () => {
    expect(parseCpuTimeMs(`4711 (node) ${REST}`)).toBe(2_900);
  });

  it('is not misled by a program name with spaces, parentheses and numbers', () => {
    expect(parseCpuTimeMs(`4711 (a) R 1 2 3 (b) c) ${REST}`)).toBe(2_900);
  });

  it('refuses what is no such line', () => {
    expect(() => parseCpuTimeMs('')).toThrow('/proc/PID/stat');
    expect(() => parseCpuTimeMs('4711 (node) R 1 2')).toThrow('/proc/PID/stat');
  });
});

describe('parseResidentKb', () => {
  it('reads VmRSS and nothing else', () => {
    expect(parseResidentKb('VmHWM:\t  99 kB\nVmRSS:\t   61428 kB\nRssAnon:\t 5 kB\n')).toBe(61_428);
    expect(() => parseResidentKb('VmHWM:\t  99 kB\n')).toThrow('VmRSS');
  });
});

describe('parseAllowedCores', () => {
  it('reads single cores and ranges', () => {
    expect(parseAllowedCores('Cpus_allowed:\tf0f\nCpus_allowed_list:\t0-2,8,10-11\n')).toEqual([
      0, 1, 2, 8, 10, 11,
    ]);
    expect(parseAllowedCores('')).toEqual([]);
  });
});

describe.runIf(process.platform === 'linux')('on Linux', () => {
  it('measures the time that a process really worked', async () => {
    const before = await cpuTimeMs(process.pid);
    const start = process.cpuUsage();
    while (process.cpuUsage(start).user + process.cpuUsage(start).system < 200_000);
    const after = await cpuTimeMs(process.pid);
    const workedMs = (process.cpuUsage(start).user + process.cpuUsage(start).system) / 1_000;
    // Two readings of two counters, each cut down to 10 ms; other threads of the test run add to both alike.
    expect(Math.abs((after ?? 0) - (before ?? 0) - workedMs)).toBeLessThanOrEqual(40);
  });

  it('sees memory that a process takes', async () => {
    const before = await residentKb(process.pid);
    const taken = Buffer.alloc(64 * 1024 * 1024, 1);
    const after = await residentKb(process.pid);
    expect((after ?? 0) - (before ?? 0)).toBeGreaterThan(48 * 1024);
    expect(taken.length).toBeGreaterThan(0);
  });
});
