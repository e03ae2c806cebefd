import { afterAll, beforeAll } from 'vitest';
import { describeClient } from './behaviours.ts';
import { python028, pythonLatest, pythonLatestResponses } from './python-clients.ts';
import { type RunningGateway, startGateway } from './running-gateway.ts';

const clients = [python028, pythonLatest, pythonLatestResponses];
let gateway: RunningGateway;

beforeAll(async () => {
  gateway = await startGateway(clients.map(({ name }) => name));
  for (const client of clients) if (client.missing === undefined) await client.start?.();
});
afterAll(async () => {
  for (const client of clients) await client.close?.();
  await gateway?.close();
});

for (const client of clients) describeClient(client, () => gateway);
