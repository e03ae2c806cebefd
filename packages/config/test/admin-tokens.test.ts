import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { credentialHash } from '../src/index.ts';
import { loadText, problemLines, temporaryFolder } from './temporary-config.ts';

const folder = temporaryFolder();
const TOKEN = 'hidden-token-of-the-operators';

describe('the tokens of the admin API', () => {
  it('are known by their hashes, with what they are good for, and shown to nobody', () => {
    const text = `admin: { listen: 127.0.0.1:0, tokens: [{ id: ops, token: ${TOKEN}, scopes: [read, keys] }] }`;
    const { config } = loadText(folder, text);
    expect(config.adminTokens.map(({ id, scopes, hash }) => ({ id, scopes, hash }))).toEqual([
      { id: 'ops', scopes: ['read', 'keys'], hash: credentialHash(TOKEN) },
    ]);
    const printed = inspect(config, { depth: 20, showHidden: true }) + JSON.stringify(config);
    expect(printed).not.toContain('hidden');
    expect(printed).not.toContain(credentialHash(TOKEN));
  });

  it('are refused where nothing listens for them, and no longer once a flag says where', () => {
    const text = `admin: { tokens: [{ id: ops, token: ${TOKEN}, scopes: [read] }] }`;
    expect(problemLines(folder, text)).toEqual([
      expect.stringContaining(
        '`admin.tokens` opens nothing without `admin.listen`; give the admin API an address',
      ),
    ]);
    const { config } = loadText(folder, text, { args: ['--admin-listen', '127.0.0.1:0'] });
    expect(config.adminTokens).toHaveLength(1);
  });

  it.each([
    [
      'tokens: [{ id: a, token: short, scopes: [read] }]',
      '`admin.tokens[0].token` is shorter than 20 characters',
    ],
    [`tokens: [{ id: a, token: ${TOKEN} }]`, '`admin.tokens[0]` has no `scopes`; write such as'],
    [
      `tokens: [{ id: a, token: ${TOKEN}, scopes: [all] }]`,
      '`admin.tokens[0].scopes[0]` is none of its choices',
    ],
    [`tokens: [{ id: a, token: ${TOKEN}, scopes: [] }]`, '`admin.tokens[0].scopes` lists no scope'],
    ['tokens: [{ id: a, scopes: [read] }]', '`admin.tokens[0]` has no `token`'],
    ['tokens: ops', '`admin.tokens` is not a list'],
    [`tokens: [{ id: a, token: ${TOKEN}, scope: [read] }]`, 'did you mean `scopes`?'],
    [
      `tokens: [{ id: a, token: ${TOKEN}, scopes: [read] }, { id: a, token: ${TOKEN}, scopes: [read] }]`,
      'is another entry’s token too',
    ],
  ])('%s is refused, with what would be right', (text, expected) => {
    const found = problemLines(folder, `admin: { listen: 127.0.0.1:0, ${text} }`).join('\n');
    expect(found).toContain(expected);
    expect(found).not.toContain('hidden');
  });
});
