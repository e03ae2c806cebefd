import { until } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { HttpClient } from '../src/index.ts';
import { answering, called, clientOf, OK, post, Received, send } from './calling.ts';

/** Makes a mistake as it hears of its failure. */
class Clumsy extends Received {
  override onFailed(error: Error): void {
    super.onFailed(error);
    throw new Error('mine');
  }
}

function nextUncaught(): Promise<unknown> {
  return new Promise((resolve) => process.once('uncaughtException', resolve));
}

describe('A receiver that throws when it hears of its failure', () => {
  it('keeps none of the others from hearing that their time is up', async () => {
    const server = await answering([OK]);
    const client = clientOf(server.url, { headMs: 60 });
    // On connections that are there already, all three leave together, so that their time is up together.
    await Promise.all([called(client), called(client), called(client)]);
    const uncaught = nextUncaught();
    const clumsy = new Clumsy();
    client.send(post(), clumsy);
    const others = [send(client), send(client)];
    await uncaught;
    await until(() => others.every(({ heard }) => heard.at(-1) === 'failed'), { withinMs: 5_000 });
    expect(others.map(({ code }) => code)).toEqual(['head_timeout', 'head_timeout']);
  });

  it('keeps none of the others from hearing that the client was closed', async () => {
    const server = await answering([]);
    const client = new HttpClient({ origin: server.url, connectMs: 5_000, headMs: 5_000 });
    const clumsy = new Clumsy();
    client.send(post(), clumsy);
    const others = [send(client), send(client)];
    await until(() => [clumsy, ...others].every(({ heard }) => heard.includes('sent')));
    const uncaught = nextUncaught();
    client.close();
    expect(await uncaught).toEqual(new Error('mine'));
    await until(() => others.every(({ heard }) => heard.at(-1) === 'failed'), { withinMs: 5_000 });
    expect(others.map(({ code }) => code)).toEqual(['client_closed', 'client_closed']);
  });
});
