import { describe, expect, it } from 'vitest';
import { bedrockNames, fineTunedName, listedNames, undatedName } from '../src/model-name.ts';

describe('the date of a snapshot', () => {
  it('is taken off in every form that providers use', () => {
    expect(undatedName('gpt-4o-2024-08-06')).toBe('gpt-4o');
    expect(undatedName('claude-sonnet-4-5-20250929')).toBe('claude-sonnet-4-5');
    expect(undatedName('claude-sonnet-4-5@20250929')).toBe('claude-sonnet-4-5');
  });

  it('is a day of the calendar at the end of a name, and nothing else', () => {
    for (const name of [
      'gpt-4o',
      'gpt-4-0613',
      'gpt-4o-2024',
      'gpt-4o-2024-13-01',
      'gpt-4o-2023-02-29',
      'gpt-4o-20240230',
      'gpt-4o-2024-08-06-pro',
      'gpt-4o-12024-08-06',
      'gpt-4o-1999-08-06',
      '-2024-08-06',
      '2024-08-06',
      'gpt-4o2024-08-06',
    ]) {
      expect([name, undatedName(name)]).toEqual([name, undefined]);
    }
  });
});

describe('the names that a model may be listed under', () => {
  it("leave out a fine-tune's owner and id, but not that it is one", () => {
    expect(fineTunedName('ft:gpt-4o-mini-2024-07-18:acme::abc123')).toBe('ft:gpt-4o-mini-2024-07-18');
    expect(fineTunedName('gpt-4o')).toBeUndefined();
    expect(listedNames('ft:gpt-4o-mini-2024-07-18:acme:search:abc123')).toEqual([
      'ft:gpt-4o-mini-2024-07-18',
      'ft:gpt-4o-mini',
    ]);
  });

  it('leave out what Bedrock puts around a name', () => {
    expect(bedrockNames('us.anthropic.claude-3-5-haiku-20241022-v1:0')).toContain(
      'claude-3-5-haiku-20241022',
    );
    expect(bedrockNames('amazon.nova-pro-v1:0')).toEqual(['amazon.nova-pro-v1:0', 'amazon.nova-pro']);
  });

  it('take no time to speak of for a name made to be slow', () => {
    const hostile = `${'a-2024-08-06'.repeat(20)}${'-20240806'.repeat(2_000)}x`;
    expect(listedNames(hostile)).toEqual([hostile]);
    expect(bedrockNames(`${'us.'.repeat(5_000)}x`)).toHaveLength(2);
  });
});
