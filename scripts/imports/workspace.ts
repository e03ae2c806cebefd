import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** The folder below the root, by package name, of every package and service. */
export function packageFolders(root: string): ReadonlyMap<string, string> {
  const folders = new Map<string, string>();
  for (const group of ['packages', 'services']) {
    if (!existsSync(path.join(root, group))) continue;
    for (const name of readdirSync(path.join(root, group)).sort()) {
      const manifest = path.join(root, group, name, 'package.json');
      if (!existsSync(manifest)) continue;
      const parsed: unknown = JSON.parse(readFileSync(manifest, 'utf8'));
      if (
        typeof parsed === 'object' &&
        parsed !== null &&
        'name' in parsed &&
        typeof parsed.name === 'string'
      ) {
        folders.set(parsed.name, `${group}/${name}`);
      }
    }
  }
  return folders;
}

/** Every source file in these folders, committed or not, as a path below the root with forward slashes. */
export function sourceFiles(root: string, folders: readonly string[]): string[] {
  return folders.flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.[cm]?[jt]sx?$/.test(entry.name))
      .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'))
      .filter((file) => !/(^|\/)(node_modules|dist|coverage)\//.test(file)),
  );
}
