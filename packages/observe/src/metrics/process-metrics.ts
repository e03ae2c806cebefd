import { collectDefaultMetrics, Registry } from 'prom-client';

let registry: Registry | undefined;

/** prom-client's reading of the event loop, which `nexus_event_loop_delay_seconds` takes the place of. */
const REPLACED = /^nodejs_eventloop_lag/;

/**
 * The metrics of the process that prom-client brings: CPU time, memory, heap, file descriptors, garbage collection, handles. One for
 * the process: their observers can't be stopped.
 */
export function processMetrics(): Registry {
  if (registry !== undefined) return registry;
  registry = new Registry();
  // The monitor of the loop can't be left out; at its usual 10 ms it would take 0.4 % of a core, all the time.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 60_000 });
  for (const { name } of registry.getMetricsAsArray())
    if (REPLACED.test(name)) registry.removeSingleMetric(name);
  return registry;
}
