import { describe, expect, it, onTestFinished } from 'vitest';
import { redisTime } from '../src/figures/redis-time.ts';
import { readCalls, startRedis } from '../src/redis.ts';

const LONG_MS = 120_000;
const redis = await startRedis(undefined);
const missing = 'missing' in redis ? redis.missing : undefined;
if (!('missing' in redis)) await redis.stop();

describe('readCalls', () => {
  it('reads the calls of EVALSHA and their time, and no other command', () => {
    const info =
      '# Commandstats\r\n' +
      'cmdstat_eval:calls=7,usec=700,usec_per_call=100.00,rejected_calls=0,failed_calls=0\r\n' +
      'cmdstat_evalsha:calls=32,usec=811,usec_per_call=25.34,rejected_calls=0,failed_calls=0\r\n' +
      'cmdstat_evalsha_ro:calls=1,usec=3,usec_per_call=3.00,rejected_calls=0,failed_calls=0\r\n';
    expect(readCalls(info)).toEqual({ count: 32, us: 811 });
  });

  it('takes a command that is not there for one that was not called', () => {
    expect(readCalls('# Commandstats\r\n')).toEqual({ count: 0, us: 0 });
  });
});

describe.skipIf(missing)('a Redis of the measurement', () => {
  it(
    'counts the scripts that it runs, forgets them when asked to, and is gone at the end',
    async () => {
      const started = await startRedis(undefined);
      if ('missing' in started) throw new Error(started.missing);
      onTestFinished(() => started.stop());
      const { admitting } = started.connections;
      const sha = String(await admitting.script('LOAD', 'return 1'));
      for (let call = 0; call < 3; call++) await admitting.evalsha(sha, 0);
      expect((await started.calls()).count).toBe(3);
      await started.forgetCalls();
      expect(await started.calls()).toEqual({ count: 0, us: 0 });
      await started.stop();
      await expect(admitting.ping()).rejects.toThrow();
    },
    LONG_MS,
  );

  // A machine that stands still for seconds makes Redis look away.
  it('is asked by B6, which knows what an admission costs in it and how much memory a key takes', {
    timeout: LONG_MS,
    retry: 2,
  }, async () => {
    const said: string[] = [];
    const [time, memory] = await redisTime({
      machine: { deviceCores: undefined },
      quick: true,
      progress: (doing) => said.push(doing),
    });
    expect(time?.value).toBeGreaterThan(0);
    expect(memory?.value).toBeGreaterThan(100);
    expect(memory?.value).toBeLessThanOrEqual(256);
    expect(time?.notes.join('\n')).not.toContain('NaN');
    expect(said.length).toBeGreaterThan(3);
  });
});
