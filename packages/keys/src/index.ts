export type { AuditRecord, AuditView } from './audit.ts';
export { IssuedKeys, type IssuedKeysChange, type IssuedKeysState } from './issued-keys.ts';
export { createKey, type Doer, IssuingError, revokeKey, rotateKey, shownKey } from './issuing.ts';
export type { KeyKeeper } from './key-keeper.ts';
export { type KeyRecord, keyStatus } from './key-record.ts';
export { isWholeKey, KEY_PREFIX, newKey } from './new-key.ts';
export { RedisKeyKeeper } from './redis/redis-keeper.ts';
