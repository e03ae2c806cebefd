import { type Simulator, startSimulator } from '@nexus/simulator';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { ask, chat } from './https-client.ts';
import { recordingInstance } from './recording-instance.ts';
import {
  NEEDS_NGINX,
  nginx,
  type RunningEdge,
  type RunningGateway,
  startEdge,
  startGateway,
} from './running-edge.ts';

const PATH = '/v1/chat/completions';

/** What a client may claim about itself or ask of a hop. */
const CLAIMS = {
  'x-forwarded-for': '6.6.6.6, 127.0.0.1',
  'x-forwarded-proto': 'gopher',
  'x-forwarded-host': 'evil.example',
  'x-forwarded-port': '6666',
  'x-forwarded-server': 'evil.example',
  'x-real-ip': '6.6.6.6',
  'x-client-ip': '6.6.6.6',
  'x-cluster-client-ip': '6.6.6.6',
  'true-client-ip': '6.6.6.6',
  'cf-connecting-ip': '6.6.6.6',
  forwarded: 'for=6.6.6.6',
  via: '1.1 evil.example',
  te: 'trailers',
  trailer: 'x-late',
  'transfer-encoding': 'chunked',
  upgrade: 'websocket',
  'accept-encoding': 'gzip',
};

describe.skipIf(nginx.missing)(`what nginx tells an instance of the client${NEEDS_NGINX}`, () => {
  it('is its address as nginx sees it and nothing that the client claims', async () => {
    const instance = await recordingInstance();
    const edge = await startEdge([instance.port]);
    onTestFinished(edge.close);
    const custom = { 'x-custom': 'kept', x_custom_underscored: 'kept too' };
    const how = { ...chat({}, { ...CLAIMS, ...custom }), from: '127.0.0.2' };
    expect((await ask(edge.url, PATH, how)).status).toBe(200);
    const request = instance.requests[0];
    const names = request?.names ?? [];
    expect(new Set(names).size).toBe(names.length);
    expect(request?.headers).toMatchObject({
      'x-forwarded-for': '127.0.0.2',
      'x-forwarded-proto': 'https',
      ...custom,
      authorization: 'Bearer sk-test-key',
    });
    for (const name of Object.keys(CLAIMS)) {
      if (name !== 'x-forwarded-for' && name !== 'x-forwarded-proto') expect(names).not.toContain(name);
    }
    expect(names).not.toContain('connection');
  });

  describe('in a gateway’s log and upstream', () => {
    let simulator: Simulator;
    let gateway: RunningGateway;
    let edge: RunningEdge;

    beforeAll(async () => {
      simulator = await startSimulator();
      gateway = await startGateway(simulator.url);
      edge = await startEdge([gateway.port]);
    });

    afterAll(async () => {
      await edge?.close();
      await gateway?.[Symbol.asyncDispose]();
      await simulator?.close();
    });

    it('the client is the address that nginx saw, and the upstream learns of neither', async () => {
      const how = { ...chat({}, { ...CLAIMS, 'x-request-id': 'claims' }), from: '127.0.0.2' };
      expect((await ask(edge.url, PATH, how)).status).toBe(200);
      await expect
        .poll(() => gateway.requestLog().find(({ request_id }) => request_id === 'claims')?.client)
        .toBe('127.0.0.2');
      const sent = JSON.stringify(simulator.requests.at(-1)?.headers).toLowerCase();
      for (const word of ['6.6.6.6', '127.0.0.2', 'evil', 'forwarded', 'real-ip']) {
        expect(sent).not.toContain(word);
      }
    });

    it('nginx’ own log has the request, without query and headers', async () => {
      await ask(edge.url, '/v1/models?token=sk-in-the-query', {
        headers: { authorization: 'Bearer sk-in-a-header', 'x-request-id': 'logged' },
      });
      await expect
        .poll(() => edge.accessLog().find(({ request_id }) => request_id === 'logged'))
        .toMatchObject({
          client: '127.0.0.1',
          method: 'GET',
          path: '/v1/models',
          status: 200,
          instance: `127.0.0.1:${gateway.port}`,
        });
      await ask(edge.url, '/metrics?token=sk-in-the-query', { headers: { 'x-request-id': 'refused' } });
      await expect
        .poll(() => edge.accessLog().find(({ request_id }) => request_id === 'refused'))
        .toMatchObject({ method: 'GET', path: '/metrics', status: 404, instance: '' });
      expect(JSON.stringify(edge.accessLog())).not.toContain('sk-in');
    });
  });
});
