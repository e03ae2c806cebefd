export {
  FAULTS,
  type Fault,
  type FaultDetail,
  type FaultName,
  type FaultPlan,
  isFaultName,
} from './faults.ts';
export type { TierLimits } from './limits.ts';
export type { SimulatorOptions } from './options.ts';
export type { RecordedRequest } from './recording.ts';
export { runSimulator } from './run.ts';
export { type Simulator, startSimulator } from './simulator.ts';
export type { UsageServed } from './tally.ts';
export { TIERS, type TierName } from './tiers.ts';
export { countTokens as countSimulatedTokens } from './tokens.ts';
