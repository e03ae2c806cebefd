import type { Principal } from '@nexus/domain';
import { AnswerFields } from '@nexus/http-client';
import { describe, expect, it } from 'vitest';
import type { Identity } from '../../src/path/identify.ts';
import { fieldsAnswered } from '../../src/upstream/answer-head.ts';
import { headersUpstream } from '../../src/upstream/headers.ts';

const principal: Principal = {
  keyId: 'a',
  limits: { owner: 'key:a', buckets: [], sizes: [] },
  modelRules: [],
};
const identity: Identity = { principal, header: 'authorization' };

/** What `fields` become on their way upstream. */
function upstream(
  fields: readonly (readonly [string, string])[],
  who: Identity = identity,
  metered = true,
): string[][] {
  const headers: Record<string, string> = {};
  for (const [name, value] of fields) headers[name.toLowerCase()] = value;
  const flat = headersUpstream(fields.flat(), headers, who, { metered });
  return flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1] ?? '']] : []));
}

describe('headers on their way upstream', () => {
  it('keep their order, spelling and repetition', () => {
    const fields = [
      ['X-Custom', 'a'],
      ['Authorization', 'Bearer k'],
      ['x-CUSTOM', 'b'],
      ['OpenAI-Beta', 'assistants=v2'],
    ] as const;
    expect(upstream(fields, identity, false)).toEqual(fields.map((field) => [...field]));
  });

  it('lose what belongs to the hop, and what Connection names', () => {
    const fields = [
      ['Connection', 'keep-alive, X-Hop'],
      ['X-Hop', '1'],
      ['TE', 'trailers'],
      ['Trailer', 'x'],
      ['Keep-Alive', 'timeout=5'],
      ['Proxy-Authorization', 'Basic eA=='],
      ['Expect', '100-continue'],
      ['X-Stays', '1'],
    ] as const;
    expect(upstream(fields, identity, false)).toEqual([['X-Stays', '1']]);
  });

  it('keep the credential and the content headers even if Connection names them', () => {
    const fields = [
      ['Connection', 'Authorization, Content-Type, close'],
      ['Authorization', 'Bearer k'],
      ['Content-Type', 'application/json'],
    ] as const;
    expect(upstream(fields, identity, false)).toEqual([
      ['Authorization', 'Bearer k'],
      ['Content-Type', 'application/json'],
    ]);
  });

  it("never tell the provider of the client's address, cookies or labels", () => {
    const fields = [
      ['X-Forwarded-For', '10.0.0.1'],
      ['Forwarded', 'for=10.0.0.1'],
      ['X-Real-IP', '10.0.0.1'],
      ['Cookie', 'a=b'],
      ['X-Nexus-Customer', 'acme'],
    ] as const;
    expect(upstream(fields, identity, false)).toEqual([]);
  });

  it("carry the upstream's key in place of the client's, in the header that the client used", () => {
    const mapped: Principal = { ...principal, upstreamKey: 'sk-up' };
    expect(
      upstream([['authorization', 'bearer  mine']], { principal: mapped, header: 'authorization' }, false),
    ).toEqual([['authorization', 'Bearer sk-up']]);
    expect(upstream([['x-api-key', 'mine']], { principal: mapped, header: 'x-api-key' }, false)).toEqual([
      ['x-api-key', 'sk-up'],
    ]);
  });

  it('carry no second credential: who was identified is who is forwarded', () => {
    const fields = [
      ['Authorization', 'Bearer k'],
      ['X-Api-Key', 'other'],
      ['api-key', 'third'],
    ] as const;
    expect(upstream(fields, identity, false)).toEqual([['Authorization', 'Bearer k']]);
  });

  it('ask for an answer that can be read on its way, for metered calls alone', () => {
    expect(upstream([['Accept-Encoding', 'gzip']])).toEqual([['accept-encoding', 'identity']]);
    expect(upstream([['Accept-Encoding', 'gzip']], identity, false)).toEqual([['Accept-Encoding', 'gzip']]);
  });
});

describe('headers on their way back', () => {
  it('lose what belongs to the hop, Trailer and alternative ways to the upstream, and keep repeated ones', () => {
    const fields = [
      ['Connection', 'x-hop'],
      ['X-Hop', '1'],
      ['Trailer', 'x'],
      ['Alt-Svc', 'h3=":443"'],
      ['Set-Cookie', 'a=1'],
      ['X-Kept', 'y'],
      ['Set-Cookie', 'b=2'],
    ];
    expect(fieldsAnswered(AnswerFields.of(fields.flat()), () => false)).toEqual([
      ...['set-cookie', 'a=1'],
      ...['x-kept', 'y'],
      ...['set-cookie', 'b=2'],
    ]);
  });
});
