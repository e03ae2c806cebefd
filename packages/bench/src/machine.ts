import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { parseAllowedCores } from './proc.ts';

/** Where the processes of a measurement run. */
export interface Machine {
  /** One core for the device under test, alone; undefined: nothing is pinned. */
  readonly deviceCores: string | undefined;
  /** The others, for the load and the upstream. */
  readonly otherCores: string | undefined;
  /** What a reader of the figures must know about this machine. */
  readonly notes: readonly string[];
}

/** Looks at the machine, and moves this process itself off the core of the device under test. */
export function lookAtMachine(): Machine {
  const notes = [describe()];
  const busy = loadavg()[0] ?? 0;
  if (busy > 0.7) {
    notes.push(
      `Others are at work here (load average ${busy.toFixed(1)} at the start): expect wide spreads, and trust medians.`,
    );
  }
  if (process.platform !== 'linux') {
    notes.push('CPU time and memory of another process are read from /proc, which this system has not.');
  }
  const [deviceCore, ...others] = allowedCores();
  if (deviceCore === undefined || others.length === 0 || spawnSync('taskset', ['-V']).error !== undefined) {
    notes.push(
      'Nothing is pinned, for want of taskset (util-linux) or of a second core: the load runs where the device runs.',
    );
    return { deviceCores: undefined, otherCores: undefined, notes };
  }
  const otherCores = others.join(',');
  spawnSync('taskset', ['-acp', otherCores, String(process.pid)]);
  notes.push(`The device under test runs on core ${deviceCore}; load and upstream on ${otherCores}.`);
  return { deviceCores: String(deviceCore), otherCores, notes };
}

function allowedCores(): number[] {
  if (process.platform !== 'linux') return [];
  return parseAllowedCores(readFileSync('/proc/self/status', 'utf8'));
}

function describe(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  return `Node ${process.versions.node}, ${process.platform} ${process.arch}, ${availableParallelism()} cores, ${model}.`;
}

/** The most files that a process started here may have open; Node itself raises its limit to this. */
export function openFilesLimit(): number {
  if (process.platform === 'win32') return Infinity;
  const { stdout } = spawnSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' });
  const limit = Number.parseInt(stdout, 10);
  return Number.isNaN(limit) ? Infinity : limit;
}
