export {
  type AdminScope,
  AdminToken,
  Alerts,
  type Config,
  KeyEntry,
  LedgerSettings,
  type ModelLimits,
  type PriceSetting,
  type RedisReach,
  SharedRedis,
  TlsFiles,
} from './config.ts';
export { credentialHash, isHashId } from './credential.ts';
export { describeLimitSet, describeLimits } from './describe.ts';
export { configurationMarkdown } from './documentation.ts';
export { parseDate } from './expiry.ts';
export type { IssuedKeySource } from './issued-principals.ts';
export { configJsonSchema } from './json-schema.ts';
export { type LoadedConfig, type LoadOptions, loadConfig } from './load.ts';
export { isModelPattern } from './model-pattern.ts';
export { type NamedSettings, type SettingChange, settingChanges } from './named-settings.ts';
export type { LimitSet } from './owner-limits.ts';
export { Principals } from './principals.ts';
export { type ConfigProblem, ConfigProblems } from './problems.ts';
export { parseDuration, parseUsd } from './quantity.ts';
export { ID as PLAIN_NAME } from './shape-leaves.ts';
export { type RetriedStatus, type Target, UpstreamEntry } from './upstream-entry.ts';
