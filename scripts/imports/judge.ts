import path from 'node:path';
import type { ImportSite } from './read.ts';
import { IMPORT_RULES } from './rules.ts';

/**
 * Judges one import of one file by the table of rules.
 *
 * @param file path below the root, with forward slashes
 * @param names folder below the root, by package name, of every package and service
 * @returns what is wrong with it and what would be right, or undefined
 */
export function judgeImport(
  file: string,
  site: ImportSite,
  names: ReadonlyMap<string, string>,
): string | undefined {
  const home = folderOf(file);
  if (home === undefined) return undefined;
  const rule = IMPORT_RULES.get(home);
  if (rule === undefined) return `${home} has no place in scripts/imports/rules.ts`;
  const inside = file.slice(home.length + 1);
  const isTest = /^(test|bench)\//.test(inside);
  const { specifier } = site;
  if (specifier === undefined) {
    return isTest ? undefined : 'a computed import() hides what is imported: name the module in a literal';
  }

  if (specifier.startsWith('.') || specifier.startsWith('/') || specifier.startsWith('file:')) {
    return judgePath(file, home, specifier, site.kind);
  }
  if (site.kind === 'url') return undefined;
  const name = packageNameOf(specifier);
  const target = names.get(name);
  if (target === undefined) {
    if (rule.outsiders || isTest) return undefined;
    return `${home} imports nothing, not even ${specifier}`;
  }
  if (target === home) return undefined;
  if (target.startsWith('services/')) return `nothing imports a service (${name})`;
  const allowed = [...rule.everywhere];
  if (isTest) allowed.push(...rule.inTests);
  if (rule.inFiles?.pattern.test(inside) === true) allowed.push(...rule.inFiles.allowed);
  if (allowed.includes(name)) return undefined;
  const may = allowed.length === 0 ? 'nothing of the workspace' : allowed.join(', ');
  return `${isTest ? 'tests of ' : ''}${home} may import ${may}; not ${name}`;
}

function judgePath(
  file: string,
  home: string,
  specifier: string,
  kind: ImportSite['kind'],
): string | undefined {
  if (!specifier.startsWith('.')) return 'an absolute path works on one machine only';
  const target = path.posix.normalize(path.posix.join(path.posix.dirname(file), specifier));
  const targetHome = folderOf(`${target}/`);
  if (targetHome === home) {
    const leavesSource =
      kind === 'import' && file.startsWith(`${home}/src/`) && !target.startsWith(`${home}/src/`);
    if (leavesSource && !target.endsWith('.json'))
      return `src/ may not import ${target.slice(home.length + 1)}`;
    return undefined;
  }
  if (kind === 'url') {
    const startsService = /^services\/[^/]+\/src\/main\.ts$/.test(target);
    if (targetHome === undefined || startsService) return undefined;
    return `${target} belongs to ${targetHome}: only a service's src/main.ts may be named, to start it`;
  }
  if (targetHome === undefined) return `${specifier} leaves ${home}`;
  return `${specifier} leaves ${home}: import ${targetHome} by its package name, if the direction allows it`;
}

/** `packages/x` or `services/x` of a path below the root. */
function folderOf(file: string): string | undefined {
  return /^(packages|services)\/[^/]+(?=\/)/.exec(file)?.[0];
}

function packageNameOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}
