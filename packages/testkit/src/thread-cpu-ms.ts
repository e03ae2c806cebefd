/**
 * CPU time that this thread has used so far, in milliseconds: for bounds on work that a test does itself. Time on the clock
 * also passes while other processes have the core.
 */
export function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}
