export type { OnRedisFailure } from '@nexus/domain';
export { windowAt, windowEndMs } from './calendar.ts';
export { InsuredLimiter } from './insured/insured-limiter.ts';
export type { InsuranceChange, InsuredLimiterOptions } from './insured/insured-limiter-options.ts';
export type { OnRedisFailureByClass } from './insured/on-redis-failure.ts';
export { LearnedOutput } from './learned-output.ts';
export { limitProblem, sizeOf } from './limit-problem.ts';
export { MemoryLimiter, type MemoryLimiterOptions } from './memory-limiter.ts';
export {
  type CallSize,
  type OutputExpectation,
  outputToReserve,
  type SizeRefusal,
  sizeRefusal,
} from './output-reservation.ts';
export {
  type Connection,
  type Connections,
  connectOnce,
  connectRedis,
  type RedisSettings,
  redisOptions,
} from './redis/connections.ts';
export { RedisAwayError } from './redis/redis-away-error.ts';
export { RedisLimiter } from './redis/redis-limiter.ts';
export type { RecordStream, RedisLimiterOptions } from './redis/redis-limiter-options.ts';
export { RequestEndedError } from './request-ended-error.ts';
