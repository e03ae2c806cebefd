import { describe, expect, it } from 'vitest';
import { doorOf } from '../../src/path/door.ts';

describe('the door of a request', () => {
  it.each([
    ['/v1/chat/completions', 'chat'],
    ['/chat/completions', 'chat'],
    ['/openai/deployments/my-gpt/chat/completions', 'chat'],
    ['/openai/v1/chat/completions', 'chat'],
    ['/v1/completions', 'completion'],
    ['/openai/deployments/d/embeddings', 'embedding'],
    ['/v1/embeddings', 'embedding'],
    ['/v1/responses', 'response'],
    ['/v1/messages', 'message'],
    ['/anthropic/v1/messages', 'message'],
    ['/v1/images/generations', 'image'],
    ['/openai/deployments/pictures/images/generations', 'image'],
    ['/v1/audio/speech', 'speech'],
    ['/v1/moderations', 'moderation'],
    ['/v1/rerank', 'rerank'],
    ['/v2/rerank', 'rerank'],
  ])('meters POST %s as %s', (path, kind) => {
    expect(doorOf('POST', path).kind).toBe(kind);
  });

  it.each([
    '/V1/Chat/Completions',
    '/v1/ch%61t/completions',
    '/v1/chat/completions/',
    '/v1/chat/completions//',
  ])('finds no unmetered spelling of a metered path: %s', (path) => {
    expect(doorOf('POST', path).kind).toBe('chat');
  });

  it.each([
    '/v1/threads/t1/messages',
    '/v1/messages/count_tokens',
    '/v1/messages/batches',
    '/v1/responses/r1/cancel',
    '/v1/responses/input_tokens',
    '/v1/audio/transcriptions',
    '/v1/audio/translations',
    '/v1/images/edits',
    '/v1/images/variations',
    '/v1/speech',
    '/v1/generations',
    '/v1/files',
    '/v1/mychat-completions',
    '/%E0%A4%A',
  ])('passes POST %s unread', (path) => {
    expect(doorOf('POST', path).kind).toBeUndefined();
  });

  it('passes a GET of a metered path unread: it lists or fetches what was paid for', () => {
    expect(doorOf('GET', '/v1/responses').kind).toBeUndefined();
    expect(doorOf('GET', '/v1/chat/completions').kind).toBeUndefined();
  });

  it("speaks Anthropic's dialect below /v1/messages and OpenAI's elsewhere", () => {
    expect(doorOf('POST', '/v1/messages').dialect).toBe('anthropic');
    expect(doorOf('POST', '/v1/messages/count_tokens').dialect).toBe('anthropic');
    expect(doorOf('GET', '/v1/messages/batches').dialect).toBe('anthropic');
    expect(doorOf('POST', '/v1/threads/t/messages').dialect).toBe('openai');
  });
});
