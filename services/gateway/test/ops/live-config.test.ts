import { until } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { startWithSimulator } from '../running-gateway.ts';

const PATIENT = { withinMs: 15_000 };
const SETTINGS = 'keys: [{ id: a, key: sk-test-key }, { id: b, key: sk-b }]\nlimits: { requests_per_day: 5 }';

type Running = Awaited<ReturnType<typeof startWithSimulator>>;
const says = (running: Running, message: string) => running.log.filter((line) => line.message === message);
const changed = (running: Running, count = 1) =>
  until(() => says(running, 'configuration changed').length >= count, PATIENT);
const health = async (running: Running) => (await fetch(`${running.url}/health`)).json();

async function statuses(running: Running, count: number): Promise<number[]> {
  const all = [];
  for (let asked = 0; asked < count; asked += 1) all.push((await running.chat()).status);
  return all;
}

describe('a configuration that changes while Nexus runs', () => {
  it('is taken over without a restart, and what was used stays used', async () => {
    const running = await startWithSimulator(SETTINGS);
    expect(await statuses(running, 4)).toEqual([200, 200, 200, 200]);
    running.configure((text) => text.replace('requests_per_day: 5', 'requests_per_day: 7'));
    await changed(running);
    expect(await statuses(running, 4)).toEqual([200, 200, 200, 429]);
    running.configure((text) => text.replace('requests_per_day: 7', 'requests_per_day: 2'));
    await changed(running, 2);
    expect(await statuses(running, 1)).toEqual([429]);
    running.configure((text) => text.replace('requests_per_day: 2', 'requests_per_day: 8'));
    await changed(running, 3);
    expect(await statuses(running, 2)).toEqual([200, 429]);
  });

  it('makes a key that it no longer lists unknown', async () => {
    const running = await startWithSimulator(SETTINGS);
    const ask = async () => (await running.chat({}, { authorization: 'Bearer sk-b' })).status;
    expect(await ask()).toBe(200);
    running.configure((text) => text.replace(', { id: b, key: sk-b }', ''));
    await changed(running);
    expect(await ask()).toBe(401);
  });

  it.each([
    ['broken', (text: string) => `${text}\nlimits: [`],
    ['wrong', (text: string) => text.replace('requests_per_day: 5', 'requests_per_dya: 5')],
    ['empty', () => ''],
  ])(
    'is refused when it is %s: the one before it holds, the log and /health say so',
    async (_what, change) => {
      const running = await startWithSimulator(SETTINGS);
      running.configure(change);
      await until(() => says(running, 'configuration refused').length > 0, PATIENT);
      expect(await health(running)).toMatchObject({ status: 'ok', config: { status: 'refused' } });
      expect(await statuses(running, 6)).toEqual([200, 200, 200, 200, 200, 429]);
      expect(says(running, 'configuration refused')).toHaveLength(1);
      running.configure(() => `target_url: ${running.simulator.url}\n${SETTINGS}\n`);
      await changed(running);
      expect(await health(running)).toMatchObject({ config: { status: 'ok' } });
    },
  );

  it('names the settings that hold only after a restart', async () => {
    const running = await startWithSimulator(`${SETTINGS}\nadmin: { listen: 127.0.0.1:0 }`);
    running.configure((text) => `${text}\nmax_wait: 3s\nlog_level: warn\n`);
    await until(() => says(running, 'settings need a restart').length > 0, PATIENT);
    expect(says(running, 'settings need a restart')[0]).toMatchObject({ settings: 'log_level, max_wait' });
    const inside = await (await fetch(`${running.gateway.adminUrl}/health`)).json();
    expect(inside).toMatchObject({
      config: { status: 'ok', changes: 1, needs_restart: ['log_level', 'max_wait'] },
    });
  });

  it('is read anew at once when Nexus is told to', async () => {
    const running = await startWithSimulator(SETTINGS);
    running.gateway.reload();
    expect(says(running, 'configuration changed')).toHaveLength(1);
  });
});
