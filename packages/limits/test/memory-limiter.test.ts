import { limiterContract } from './limiter-contract.ts';
import { makeMemoryLimiter } from './limiter-harness.ts';

limiterContract('the memory limiter', makeMemoryLimiter, { runs: 1_600 });
