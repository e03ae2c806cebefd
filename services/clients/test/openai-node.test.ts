import { afterAll, beforeAll } from 'vitest';
import { describeClient } from './behaviours.ts';
import { openai4, openai4Responses, openai7, openai7Responses } from './node-sdks/openai.ts';
import { openai3 } from './node-sdks/openai-3.ts';
import { type RunningGateway, startGateway } from './running-gateway.ts';

const clients = [openai3, openai4, openai4Responses, openai7, openai7Responses];
let gateway: RunningGateway;

beforeAll(async () => {
  gateway = await startGateway(clients.map(({ name }) => name));
});
afterAll(() => gateway?.close());

for (const client of clients) describeClient(client, () => gateway);
