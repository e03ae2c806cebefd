import { afterAll, beforeAll } from 'vitest';
import { describeClient } from './behaviours.ts';
import { curlClient } from './curl.ts';
import { type RunningGateway, startGateway } from './running-gateway.ts';

const clients = [curlClient];
let gateway: RunningGateway;

beforeAll(async () => {
  gateway = await startGateway(clients.map(({ name }) => name));
});
afterAll(async () => {
  for (const client of clients) await client.close?.();
  await gateway?.close();
});

for (const client of clients) describeClient(client, () => gateway);
