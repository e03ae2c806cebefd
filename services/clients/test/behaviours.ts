/** One table of behaviours, run on every client: what a program sees through Nexus, held against what it sees without. */
import { describe } from 'vitest';
import { describeBroken } from './behaviours-broken.ts';
import { describeCalls } from './behaviours-calls.ts';
import { describeRefusals } from './behaviours-refused.ts';
import type { Client } from './client.ts';
import type { RunningGateway } from './running-gateway.ts';

/** Declares the tests of a client. `gateway` is asked for while a test runs. */
export function describeClient(client: Client, gateway: () => RunningGateway): void {
  describe(client.name, () => {
    describeCalls(client, gateway);
    describeRefusals(client, gateway);
    describeBroken(client, gateway);
  });
}
