import { isShowable, nearestName } from './did-you-mean.ts';
import { notSupported, type Scope } from './later.ts';
import { LIMIT_KINDS } from './limit-settings.ts';
import type { Finding } from './problems.ts';

/** What to say of a name that a mapping does not have. `inside`: the mapping's path, '' for the file itself. */
export function unknownName(scope: Scope, name: string, known: Iterable<string>, inside: string): Finding {
  const path = (of: string) => (inside === '' ? of : `${inside}.${of}`);
  const later = notSupported(scope, name);
  if (later !== undefined)
    return inside === '' ? later : { ...later, wrong: later.wrong.replace(name, path(name)) };
  const names = [...known];
  const isLimit = LIMIT_KINDS.has(name) || name === 'burst' || notSupported('limits', name) !== undefined;
  if (isLimit && scope !== 'limits') {
    return { wrong: `\`${path(name)}\` stands outside \`limits\``, remedy: 'indent it below `limits:`' };
  }
  const meant = nearestName(name, names);
  // Near to a setting's name, so made like one: nothing that must be hidden.
  if (meant !== undefined)
    return { wrong: `unknown setting \`${path(name)}\``, remedy: `did you mean \`${meant}\`?` };
  const where = inside === '' ? 'the settings are' : `\`${inside}\` has`;
  const remedy =
    names.length > 12 ? 'see docs/configuration.md for the settings' : `${where} ${names.join(', ')}`;
  if (isShowable(name)) return { wrong: `unknown setting \`${path(name)}\``, remedy };
  return {
    wrong: inside === '' ? 'a name that is no setting' : `\`${inside}\` holds a name that is no setting`,
    remedy,
  };
}
