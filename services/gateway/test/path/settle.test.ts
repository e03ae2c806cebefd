import { NO_USAGE, type Usage } from '@nexus/domain';
import { describe, expect, it } from 'vitest';
import { type Owing, settling } from '../../src/path/settle.ts';

const reading = { inputTokens: 40, inputSource: 'counted' } as const;
const reported: Usage = { ...NO_USAGE, inputTokens: 41, outputTokens: 7, source: 'reported' };
const counted: Usage = { ...reported, source: 'counted' };

/** What a request owes that ended like this. */
function owes(end: Partial<Owing>, metered?: Usage) {
  return settling(
    { sent: true, ending: 'whole', reading, upstreamStatus: undefined, errorCode: undefined, ...end },
    metered,
  );
}

describe('what a request owes', () => {
  it('is nothing if it never reached the upstream', () => {
    expect(owes({ sent: false, errorCode: 'upstream_unreachable' })).toEqual({ giveBack: true });
    expect(owes({ sent: false, ending: 'client left' })).toEqual({ giveBack: true });
  });

  it.each([429, 500, 503, 529])(
    "is nothing if the upstream answered %d: its failure isn't the key's",
    (upstreamStatus) => {
      expect(owes({ upstreamStatus }, reported)).toEqual({ giveBack: true });
    },
  );

  it('is what the upstream reported', () => {
    expect(owes({ upstreamStatus: 200 }, reported)).toEqual({ giveBack: false, usage: reported });
  });

  it('is what was streamed, if the client left or the upstream broke off in mid-stream', () => {
    expect(owes({ upstreamStatus: 200, ending: 'client left' }, counted)).toEqual({
      giveBack: false,
      usage: counted,
    });
    expect(owes({ upstreamStatus: 200, ending: 'upstream broke' }, counted)).toEqual({
      giveBack: false,
      usage: counted,
    });
  });

  it('is the request and no tokens for a 4xx, so that a bad client still meets its request limit', () => {
    expect(owes({ upstreamStatus: 400 }, counted)).toEqual({ giveBack: false, usage: NO_USAGE });
  });

  it('is the input if nobody waited for the answer: the upstream has read it', () => {
    const input = { giveBack: false, usage: { ...NO_USAGE, inputTokens: 40, source: 'counted' } };
    expect(owes({ ending: 'client left' })).toEqual(input);
    expect(owes({ errorCode: 'upstream_timeout' })).toEqual(input);
  });

  it('is the request alone if the upstream broke off before its answer', () => {
    expect(owes({ errorCode: 'upstream_failed' })).toEqual({ giveBack: false, usage: NO_USAGE });
  });

  it('is the request alone for what passes unread', () => {
    expect(owes({ reading: undefined, upstreamStatus: 200 })).toEqual({ giveBack: false, usage: NO_USAGE });
  });
});
