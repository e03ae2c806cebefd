import type { Config } from '@nexus/config';
import type { Ledger, LedgerChange } from '@nexus/ledger';
import type { Log } from '@nexus/observe';

/** The ledger that the configuration asks for; undefined: none. It opens its files and connections by itself, when it first needs them. */
export async function openLedger(config: Config, log: Log): Promise<Ledger | undefined> {
  const { ledger: settings, timeZone } = config;
  if (settings === undefined) return undefined;
  // Loaded only where it is asked for.
  const { OwnLedger, SqliteLedger } = await import('@nexus/ledger');
  const { path, keepMs } = settings;
  const onChange = (change: LedgerChange) => tell(change, log);
  return new OwnLedger({ store: new SqliteLedger({ path, timeZone }), keepMs, onChange });
}

/** One line a change of the ledger's state. */
function tell({ status, waiting, lost, cause }: LedgerChange, log: Log): void {
  if (status === 'ok') log.info('ledger is written again', { lost });
  else log.error('ledger cannot be written', { waiting, lost, error: cause });
}
