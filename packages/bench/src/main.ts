/** `npm run bench`: what the gateway costs, held against a bare `node:http` pipe in the same run. README.md explains it. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Bench, Figure, Measurement } from './bench.ts';
import { type Asked, readCommandLine } from './command-line.ts';
import { gatewayConfig } from './device/gateway-config.ts';
import { addedLatency } from './figures/added-latency.ts';
import { cpuACall } from './figures/cpu-a-call.ts';
import { cpuAChunk } from './figures/cpu-a-chunk.ts';
import { loopDelay } from './figures/loop-delay.ts';
import { redisTime } from './figures/redis-time.ts';
import { startTime } from './figures/start-time.ts';
import { streamMemory } from './figures/stream-memory.ts';
import { lookAtMachine } from './machine.ts';
import { Progress } from './progress.ts';
import { startRedis } from './redis.ts';
import { freePort, startNode, untilListening } from './started-process.ts';
import { tableOf, verdictOf } from './table.ts';

const MEASUREMENTS: ReadonlyMap<string, Measurement> = new Map<string, Measurement>([
  ['B1', cpuACall],
  ['B2', cpuAChunk],
  ['B3', addedLatency],
  ['B4', streamMemory],
  ['B5', loopDelay],
  ['B6', redisTime],
  ['B7', startTime],
]);

const HELP = `npm run bench -- [B1 B2 B3 B4 B5 B6 B7] [--quick] [--strict] [--noise] [--connections=N]

  B1 …      only these figures
  --quick   within some 90 seconds; wider spreads
  --strict  exit code 1 if a bound is broken or could not be measured
  --noise   the pipe against another pipe: what this machine makes of equals
  --connections=N  B1 over so many connections, 1 to 999; default 64
`;

async function measure(asked: Asked): Promise<Figure[]> {
  const machine = lookAtMachine();
  process.stdout.write(`${machine.notes.join('\n')}\n\n`);
  const folder = await mkdtemp(join(tmpdir(), 'nexus-bench-'));
  const progress = new Progress(process.stderr);
  const upstreamPort = await freePort();
  const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));
  const beside = { cores: machine.otherCores };
  const upstream = startNode([here('./upstream.ts'), String(upstreamPort)], { ...beside, asks: false });
  const load = startNode([here('./load/main.ts')], { ...beside, asks: true });
  const redis = await startRedis(machine.otherCores);
  const redisConfigFile = join(folder, 'config-redis.yaml');
  try {
    await untilListening(upstream, upstreamPort);
    const configFile = join(folder, 'config.yaml');
    await writeFile(configFile, gatewayConfig(upstreamPort));
    if (!('missing' in redis)) await writeFile(redisConfigFile, gatewayConfig(upstreamPort, redis.url));
    const bench: Bench = {
      machine,
      upstreamPort,
      configFile,
      redis: 'missing' in redis ? redis : { ...redis, configFile: redisConfigFile },
      load: load.remote,
      quick: asked.quick,
      connections: asked.connections,
      against: asked.noise ? 'pipe' : 'gateway',
      progress: (doing) => progress.say(doing),
    };
    const figures: Figure[] = [];
    for (const id of asked.ids) {
      const measurement = MEASUREMENTS.get(id);
      if (measurement) figures.push(...[await measurement(bench)].flat());
    }
    return figures;
  } finally {
    progress.clear();
    await Promise.all([upstream.stop(), load.stop(), 'missing' in redis ? undefined : redis.stop()]);
    await rm(folder, { recursive: true, force: true });
  }
}

async function main(args: readonly string[]): Promise<number> {
  let asked: Asked;
  try {
    asked = readCommandLine(args, [...MEASUREMENTS.keys()]);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    process.stderr.write(`${error.message}\n\n${HELP}`);
    return 2;
  }
  if (asked.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const startedMs = performance.now();
  const figures = await measure(asked);
  const tookS = Math.round((performance.now() - startedMs) / 1_000);
  const missed = figures.filter((figure) => ['not met', 'unknown'].includes(verdictOf(figure)));
  const summary =
    missed.length === 0 ? 'No bound is broken.' : `Not met: ${missed.map(({ id }) => id).join(', ')}.`;
  process.stdout.write(`${tableOf(figures)}\n\n${summary} Measured in ${tookS} s.\n`);
  return asked.strict && missed.length > 0 ? 1 : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`\nThe measurement broke off: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
