/** Fails where a package imports what scripts/imports/rules.ts doesn't allow it. */
import { readFileSync } from 'node:fs';
import { judgeImport } from './imports/judge.ts';
import { readImports } from './imports/read.ts';
import { packageFolders, sourceFiles } from './imports/workspace.ts';

const root = process.argv[2] ?? process.cwd();
const names = packageFolders(root);
const problems: string[] = [];
let files = 0;
for (const file of sourceFiles(root, [...names.values()])) {
  files += 1;
  for (const site of readImports(file, readFileSync(`${root}/${file}`, 'utf8'))) {
    const problem = judgeImport(file, site, names);
    if (problem !== undefined) problems.push(`${file}:${site.line}: ${problem}`);
  }
}
if (files === 0) problems.push(`${root} has no source files: nothing was checked`);
if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exitCode = 1;
} else {
  console.log(`${files} files import only what they may`);
}
