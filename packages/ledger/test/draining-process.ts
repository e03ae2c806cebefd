/** Drains a stream until it has done one step so far, and kills itself there: Redis' URL, the prefix, a file or '', the step, the most at once. */
import { Redis } from 'ioredis';
import { type Sink, StoreSink } from '../src/cluster/sink.ts';
import { StreamDrain } from '../src/cluster/stream-drain.ts';
import { ledgerKeys, RollUps, SqliteLedger } from '../src/index.ts';

const [url = '', prefix = '', path = '', dyingAt = '', most = ''] = process.argv.slice(2);
const redis = new Redis(url);
const keys = ledgerKeys(prefix);
const inner = path
  ? new StoreSink(new SqliteLedger({ path, timeZone: 'UTC' }), redis, keys)
  : new RollUps({ redis, keys, timeZone: 'UTC', keepMs: 400 * 86_400_000 });
const sink: Sink = { most: Number(most), keep: (drained, onStep) => inner.keep(drained, onStep) };
console.log('draining');
const consumer = `killed-${process.pid}`;
const drain = new StreamDrain({
  ...{ redis, keys, sink, consumer, pollMs: 5, claimAfterMs: 1 },
  onStep: (step) => {
    if (step === dyingAt) process.kill(process.pid, 'SIGKILL');
  },
});
// Its timers don't keep a process alive.
setInterval(() => drain.state(), 1_000);
