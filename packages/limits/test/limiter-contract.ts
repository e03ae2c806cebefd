import { agreesWithModel } from './contract-against-model.ts';
import { decides } from './contract-of-decisions.ts';
import { endsWhatWaits } from './contract-of-ended-waits.ts';
import { endsWhatItHolds } from './contract-of-endings.ts';
import { letsRequestsWait } from './contract-of-waits.ts';
import { keepsItsWindows } from './contract-of-windows.ts';
import type { MakeLimiter } from './limiter-harness.ts';

/**
 * What every limiter must do, wherever it keeps its buckets. `runs` is the number of random sequences that the widest
 * properties try, some 6,000 in all for 1,600; a limiter behind a socket may take fewer.
 */
export function limiterContract(name: string, make: MakeLimiter, { runs }: { readonly runs: number }): void {
  agreesWithModel(name, make, runs);
  keepsItsWindows(name, make, runs);
  decides(name, make);
  endsWhatItHolds(name, make);
  letsRequestsWait(name, make, runs);
  endsWhatWaits(name, make);
}
