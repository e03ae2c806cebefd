import { chunkingServer, receiveRequest, until } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { ClientError } from '../src/index.ts';
import { answering, called, clientOf, OK, send } from './calling.ts';

describe('A client', () => {
  it('that is closed keeps no socket, idle or connecting or at work', async () => {
    const ended: string[] = [];
    const server = await chunkingServer(async (socket) => {
      socket.once('close', () => ended.push('closed'));
      while (await receiveRequest(socket).catch(() => undefined)) {
        socket.write(ended.length === 0 && server.connections() === 1 ? OK : '');
        socket.resume();
      }
    });
    const client = clientOf(server.url);
    await called(client);
    const [working, second] = [send(client), send(client)];
    await until(() => working.heard.includes('sent') && second.heard.includes('sent'));
    const connecting = send(client);
    client.close();
    client.close();
    await Promise.all([working.over, second.over, connecting.over]);
    await until(() => ended.length === server.connections());
    expect(server.connections()).toBe(2);
  });

  it('that is closed as a call goes out tells the call so once', async () => {
    const server = await answering([OK, OK]);
    const client = clientOf(server.url);
    await called(client);
    const received = await called(client, { sent: () => client.close() });
    expect(received.heard).toEqual(['sent', 'failed']);
    expect(received.error).toBeInstanceOf(ClientError);
  });
});
