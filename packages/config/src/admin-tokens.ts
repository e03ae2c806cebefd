import { type AdminScope, AdminToken } from './config.ts';
import { credentialHash } from './credential.ts';
import { resolveSecret, type SecretContext, textOf } from './secret-text.ts';
import type { Tree } from './yaml-tree.ts';

/** A token that can be guessed is none: 16 random bytes in base64 have 22 characters. */
const SHORTEST = 20;

/** Reads `admin.tokens`, whose shape was checked before. */
export function readAdminTokens(tree: Tree | undefined, context: SecretContext): readonly AdminToken[] {
  const tokens: AdminToken[] = [];
  for (const [index, item] of tree?.kind === 'list' ? tree.items.entries() : []) {
    if (item.kind !== 'map') continue;
    const entry = item.entries.get('token');
    const setting = `admin.tokens[${index}].token`;
    const id = textOf(item.entries.get('id')?.value);
    const token = entry && resolveSecret(textOf(entry.value), entry.place, setting, context);
    if (entry === undefined || token === undefined || id === undefined) continue;
    const add = (wrong: string, remedy: string) =>
      context.problems.add(entry.place, setting, { wrong: `\`${setting}\` ${wrong}`, remedy });
    if (token.length < SHORTEST)
      add(`is shorter than ${SHORTEST} characters`, 'make one: openssl rand -base64 32');
    const hash = credentialHash(token);
    if (tokens.some((other) => other.hash === hash))
      add('is another entry\u2019s token too', 'give each its own');
    if (tokens.some((other) => other.id === id))
      context.problems.add(entry.place, setting, {
        wrong: `\`admin.tokens[${index}].id\` is another entry\u2019s id too`,
        remedy: 'give each its own',
      });
    const scopes = item.entries.get('scopes')?.value;
    const named = scopes?.kind === 'list' ? scopes.items.map(textOf) : [];
    tokens.push(new AdminToken(id, Object.freeze(named.filter(isScope)), hash));
  }
  return Object.freeze(tokens);
}

function isScope(name: string | undefined): name is AdminScope {
  return name === 'read' || name === 'keys' || name === 'budgets';
}
