export type { Admitted, BucketView, Decision, Demand, Denied, Refusal, Reservation } from './decision.ts';
export { ERROR_KINDS, type ErrorCode, GatewayError } from './gateway-error.ts';
export type { LedgerEntry } from './ledger-entry.ts';
export type {
  BucketLimit,
  CalendarLimit,
  ConcurrencyLimit,
  Counted,
  Limit,
  OnRedisFailure,
  OwnerLimits,
  RateLimit,
  SizeLimit,
} from './limit.ts';
export type { Admission, Limiter, LimiterState, Settlement, WindowUse } from './limiter.ts';
export type { Customer, Customers, ModelRule, Principal, Team } from './principal.ts';
export { type InputParts, NO_USAGE, type OutputParts, type Usage, type UsageSource } from './usage.ts';
