import type { Demand } from '@nexus/domain';

/** @throws RangeError if a demand isn't made of integers ≥ 0: taking less than nothing would fill buckets */
export function checkDemand({ requests, inputTokens, outputTokens, nanoUsd = 0 }: Demand): void {
  if (isCount(requests) && isCount(inputTokens) && isCount(outputTokens) && isCount(nanoUsd)) return;
  throw new RangeError('A demand is made of integers that are 0 or more');
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
