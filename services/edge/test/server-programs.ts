import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** A server of another maker: where its executable is, or why it can't be had. */
export type ServerProgram =
  | { readonly path: string; readonly version: string; readonly missing?: never }
  | { readonly missing: string };

const SCRIPT = fileURLToPath(new URL('../../../scripts/servers.mjs', import.meta.url));

/** Finds a program that scripts/servers.mjs knows on this machine, or has it unpacked into the checkout. */
export async function serverProgram(
  name: 'nginx' | 'redis-server' | 'prometheus' | 'promtool',
): Promise<ServerProgram> {
  const { stdout } = await promisify(execFile)(process.execPath, [SCRIPT, name]);
  const all: unknown = JSON.parse(stdout);
  const found: unknown = typeof all === 'object' && all !== null ? Reflect.get(all, name) : undefined;
  if (typeof found !== 'object' || found === null) throw new Error(`No word of ${name}: ${stdout}`);
  if ('missing' in found && typeof found.missing === 'string') return { missing: found.missing };
  if ('path' in found && 'version' in found) return { path: `${found.path}`, version: `${found.version}` };
  throw new Error(`Neither found nor missing: ${stdout}`);
}
