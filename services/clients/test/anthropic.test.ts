import { afterAll, beforeAll } from 'vitest';
import { describeClient } from './behaviours.ts';
import { anthropic } from './node-sdks/anthropic.ts';
import { type RunningGateway, startGateway } from './running-gateway.ts';

const clients = [anthropic];
let gateway: RunningGateway;

beforeAll(async () => {
  gateway = await startGateway(clients.map(({ name }) => name));
});
afterAll(() => gateway?.close());

for (const client of clients) describeClient(client, () => gateway);
