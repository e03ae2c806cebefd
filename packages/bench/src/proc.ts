import { readFile } from 'node:fs/promises';

/** The kernel counts a process' time in ticks of 10 ms: USER_HZ is 100 on every Linux port that runs Node (proc_pid_stat(5)). */
const TICK_MS = 10;

/**
 * CPU time of a process so far in milliseconds, user and system, with all its threads, ended ones too, and with the children
 * that it has waited for: fields 14 to 17 of /proc/PID/stat (proc_pid_stat(5)).
 * @throws Error if the text isn't such a line
 */
export function parseCpuTimeMs(stat: string): number {
  // The second field is the program's name in parentheses and may itself hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0);
  if (!stat.includes(')') || !Number.isFinite(ticks)) throw new Error('This is no line of /proc/PID/stat.');
  return ticks * TICK_MS;
}

/**
 * Resident memory in KB: `VmRSS` of /proc/PID/status (proc_pid_status(5)).
 * @throws Error if the text has none
 */
export function parseResidentKb(status: string): number {
  const [, kb] = /^VmRSS:\s+(\d+) kB$/m.exec(status) ?? [];
  if (kb === undefined) throw new Error('There is no VmRSS in this text.');
  return Number(kb);
}

/** The cores that a process may use, from `Cpus_allowed_list` of /proc/PID/status: `0-3,8` is 0, 1, 2, 3 and 8. */
export function parseAllowedCores(status: string): number[] {
  const [, list = ''] = /^Cpus_allowed_list:\s+(\S+)$/m.exec(status) ?? [];
  return list.split(',').flatMap((range) => {
    const [first = Number.NaN, last = first] = range.split('-').map(Number);
    return range === '' ? [] : Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/** CPU time of a process so far, in milliseconds; undefined where the system doesn't tell. */
export async function cpuTimeMs(pid: number): Promise<number | undefined> {
  if (process.platform !== 'linux') return undefined;
  return parseCpuTimeMs(await readFile(`/proc/${pid}/stat`, 'utf8'));
}

/** Resident memory of a process, in KB; undefined where the system doesn't tell. */
export async function residentKb(pid: number): Promise<number | undefined> {
  if (process.platform !== 'linux') return undefined;
  return parseResidentKb(await readFile(`/proc/${pid}/status`, 'utf8'));
}
