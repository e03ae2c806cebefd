import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atTestEnd } from './at-test-end.ts';

/** A new empty directory's path. It is removed with all it holds at the end of the test; outside a test the caller removes it. */
export async function tempDir(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'nexus-test-'));
  await atTestEnd(() => rm(path, { recursive: true, force: true }));
  return path;
}
