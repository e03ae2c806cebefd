import { noRedis, startRedis } from '@nexus/testkit/redis-server';
import { describe, expect, it } from 'vitest';
import { owner, rate } from '../limit-shapes.ts';
import { back, free, gone, PATIENT_MS, SILENT_MS, startInstance, use } from './insured-harness.ts';
import { FAULTS } from './redis-faults.ts';

/** No call may take longer: its time-out, and what a machine that stalls adds. */
const LONGEST_MS = PATIENT_MS + 2_000;
/** A decision without Redis takes a few microseconds. */
const USUAL_MS = 100;

describe.skipIf(noRedis)('the insured limiter when Redis', () => {
  it.each(FAULTS.map((fault) => [fault.name, fault] as const))(
    '%s decides in time by its share, says so once, and trusts Redis again',
    async (_, { args, password, isSilent, empties, strike }) => {
      const redis = await startRedis(args, password === undefined ? {} : { password });
      const url = password === undefined ? redis.url : `redis://:${password}@127.0.0.1:${redis.port}`;
      const instance = await startInstance(url, { commandTimeoutMs: isSilent ? SILENT_MS : PATIENT_MS });
      const { limiter, changes } = instance;
      const owners = [
        owner('key:a', rate('requests', 1, 3_600_000, 20), rate('model_tokens', 1, 3_600_000, 1_000)),
      ];
      for (let count = 0; count < 5; count += 1) expect(await use(instance, owners, 10)).toBe(true);
      const mend = await strike(redis);
      const tookMs: number[] = [];
      let admitted = 0;
      for (let count = 0; count < 30; count += 1) {
        const startMs = performance.now();
        if (await use(instance, owners, 10)) admitted += 1;
        tookMs.push(performance.now() - startMs);
      }
      await gone(instance);
      tookMs.sort((one, other) => one - other);
      expect(tookMs.at(-1)).toBeLessThan(LONGEST_MS);
      expect(tookMs[15]).toBeLessThan(USUAL_MS);
      expect(admitted).toBe(15);
      await mend();
      await back(instance);
      // An emptied Redis has its rates full again, less what was used since it was gone.
      expect(await free(instance, owners)).toEqual(empties ? [5, 850] : [0, 800]);
      expect(changes).toMatchObject([
        { status: 'degraded', decides: 'local', decidesBudgets: 'local', instances: 1, wasEmptied: false },
        { status: 'ok', decides: 'redis', decidesBudgets: 'redis', wasEmptied: empties === true },
      ]);
      expect(changes).toHaveLength(2);
      expect(limiter.endings()).toEqual({ queued: 0, lost: 0 });
      redis.client.disconnect();
    },
    60_000,
  );
});
