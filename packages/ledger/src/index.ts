export type { LedgerEntry } from '@nexus/domain';
