export { entryText, readEntry } from './cluster/entry-text.ts';
export { type LedgerKeys, ledgerKeys, MOST_ON_THEIR_WAY, type RedisCall } from './cluster/redis.ts';
export { RollUps, type RollUpsOptions } from './cluster/roll-ups.ts';
export { SharedLedger, type SharedLedgerOptions } from './cluster/shared-ledger.ts';
export { Days, dayPlus, daysOfMonth, isDay } from './days.ts';
export type { Ledger, LedgerChange, LedgerState } from './ledger.ts';
export type { LedgerStore, UsageSource } from './ledger-store.ts';
export { OwnLedger, type OwnLedgerOptions } from './own-ledger.ts';
export { PostgresLedger, type PostgresLedgerOptions } from './postgres/postgres-ledger.ts';
export { type ProviderExport, readProviderExport } from './provider-export.ts';
export { type Reconciliation, reconcile, reconciliationText } from './reconcile.ts';
export { REPORT_FORMATS, type ReportFormat, reportJson, reportText } from './report-text.ts';
export { SqliteLedger } from './sqlite/sqlite-ledger.ts';
export type { SqliteTablesOptions } from './sqlite/sqlite-tables.ts';
export {
  DIMENSIONS,
  type Dimension,
  isDimension,
  type ModelDay,
  type UsageQuery,
  type UsageRow,
} from './usage-query.ts';
export { type UsageReport, usageReport } from './usage-report.ts';
export type { UsageTotals } from './usage-totals.ts';
