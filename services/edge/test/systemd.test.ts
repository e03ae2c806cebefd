import { execFile, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { tempDir } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';

const run = promisify(execFile);
const unit = readFileSync(new URL('../../../deploy/systemd/nexus.service', import.meta.url), 'utf8');

const found = spawnSync('systemd-analyze', ['--version'], { encoding: 'utf8' });
const version = Number(/^systemd (\d+)/.exec(found.stdout ?? '')?.[1] ?? 0);
const missing = version > 0 ? '' : 'no systemd-analyze on this machine';
/** `security --offline` came with 250. */
const cannotRate =
  missing !== '' || version >= 250 ? missing : `systemd-analyze ${version} can't rate a file`;

/** The unit in a file of its own, with a Node that this machine has. */
async function unitFile(): Promise<string> {
  const file = join(await tempDir(), 'nexus.service');
  expect(unit).toContain('ExecStart=/usr/bin/node ');
  writeFileSync(file, unit.replace('ExecStart=/usr/bin/node ', `ExecStart=${process.execPath} `));
  return file;
}

describe('deploy/systemd/nexus.service', () => {
  it.skipIf(missing)(`passes systemd-analyze verify${missing && ` (skipped: ${missing})`}`, async () => {
    const { stdout, stderr } = await run('systemd-analyze', ['verify', '--man=no', await unitFile()]);
    // What a unit has wrong is said on stderr, and only some of it makes the exit code 1.
    expect(`${stdout}${stderr}`).not.toContain('nexus.service');
  });

  it.skipIf(cannotRate)(
    `is rated 1.5 or better by systemd-analyze security${cannotRate && ` (skipped: ${cannotRate})`}`,
    async () => {
      const args = ['security', '--offline=true', '--threshold=15', '--no-pager', await unitFile()];
      const { stdout } = await run('systemd-analyze', args);
      expect(stdout).toMatch(/Overall exposure level for nexus\.service: [01]\.\d/);
    },
  );

  it('leaves the gateway a place for its ledger, and says which', () => {
    const place = `/var/lib/${/^StateDirectory=(\w+)$/m.exec(unit)?.[1]}/nexus.db`;
    const readme = readFileSync(new URL('../../../deploy/systemd/README.md', import.meta.url), 'utf8');
    expect(readme).toContain(`ledger: { path: ${place} }`);
  });

  it('gives the gateway longer to end than it drains', () => {
    const schema = JSON.parse(
      readFileSync(new URL('../../../docs/config.schema.json', import.meta.url), 'utf8'),
    );
    const drain: string = schema.properties.timeouts.properties.drain.default;
    const drainSeconds = Number(/^(\d+)s$/.exec(drain)?.[1]);
    const stopSeconds = Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1]);
    expect(stopSeconds).toBeGreaterThan(drainSeconds);
  });
});
