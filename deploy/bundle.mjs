/**
 * Bundles the gateway into a folder that needs nothing but Node 24: `node dist/main.js`.
 *
 *     node deploy/bundle.mjs [folder]     default: dist/ below the checkout; what was in it is removed
 *
 * The images are made of it, since Node strips no types below node_modules. Every file that the source names by
 * `new URL('./x', import.meta.url)` comes along: TypeScript as an entry of its own (the counting thread), anything else as it is.
 * The rank files that tokens are counted with keep their place below node_modules, where they are looked up by name.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
// esbuild and selfsigned are dependencies of the workspace's edge package: nothing is installed for this folder alone.
const { build } = createRequire(path.join(root, 'services/edge/package.json'))('esbuild');
const out = path.resolve(process.argv[2] ?? path.join(root, 'dist'));

/** What is started by itself, by the name it has in the folder. */
const ENTRIES = {
  main: path.join(root, 'services/gateway/src/main.ts'),
  healthcheck: path.join(root, 'deploy/container/healthcheck.mjs'),
  certificate: path.join(root, 'deploy/container/certificate.mjs'),
};

/** The vocabularies of packages/tokens, looked up by `createRequire(…).resolve` beside the bundle. */
const VOCABULARY = '@dqbd/tiktoken';
const VOCABULARY_FILES = ['encoders/o200k_base.json', 'encoders/cl100k_base.json'];

/** A file beside its source, by its name or by that of its folder: `./x.ts`, `../lua/${name}.lua`. */
const FILE_BESIDE = /new URL\(\s*(['"`])(\.{1,2}\/[^'"`]+)\1,\s*import\.meta\.url,?\s*\)/g;

/** @type {Map<string, string>} by the name in the folder, the file of the source */
const entries = new Map(Object.entries(ENTRIES));
/** @type {Map<string, string>} */
const assets = new Map();

/**
 * @param {Map<string, string>} names
 * @param {string} name
 * @param {string} file
 */
function take(names, name, file) {
  const taken = names.get(name);
  if (taken !== undefined && taken !== file)
    throw new Error(`${taken} and ${file} would both become ${name}`);
  names.set(name, file);
}

/**
 * A folder's name beside the bundle: several packages have one of the same name.
 *
 * @param {string} folder
 */
function folderName(folder) {
  const [, ofPackage] = path.relative(root, folder).split(path.sep);
  return `${ofPackage}-${path.basename(folder)}`;
}

/** A plugin of esbuild. */
const filesBeside = {
  name: 'files-beside',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/](packages|services|deploy)[\\/].*\.m?[jt]s$/ }, ({ path: file }) => {
      if (file.includes(`${path.sep}node_modules${path.sep}`)) return undefined;
      const contents = readFileSync(file, 'utf8').replace(FILE_BESIDE, (_all, quote, relative) => {
        const computed = relative.indexOf('${');
        if (quote === '`' && computed >= 0) {
          const folder = relative.slice(0, relative.lastIndexOf('/', computed));
          const rest = relative.slice(folder.length);
          const target = path.resolve(path.dirname(file), folder);
          const name = folderName(target);
          take(assets, name, target);
          return `new URL(\`./${name}${rest}\`, import.meta.url)`;
        }
        const target = path.resolve(path.dirname(file), relative);
        const { name, ext, base } = path.parse(target);
        if (ext === '.ts') take(entries, name, target);
        else take(assets, base, target);
        return `new URL('./${ext === '.ts' ? `${name}.js` : base}', import.meta.url)`;
      });
      return { contents, loader: file.endsWith('.ts') ? 'ts' : 'js' };
    });
  },
};

/** Bundles all entries known so far. */
function bundle() {
  return build({
    entryPoints: Object.fromEntries(entries),
    outdir: out,
    bundle: true,
    splitting: true,
    // All files in one folder, so that what stands beside one stands beside each.
    chunkNames: '[name]-[hash]',
    platform: 'node',
    target: 'node24',
    format: 'esm',
    sourcemap: true,
    // Stack traces with the source's lines need no copy of the source.
    sourcesContent: false,
    legalComments: 'linked',
    logLevel: 'warning',
    nodePaths: [path.join(root, 'services/edge/node_modules')],
    // CommonJS inside an ES module asks for Node's own modules by `require`.
    banner: {
      js: "import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);",
    },
    plugins: [filesBeside],
  });
}

let known = 0;
while (known < entries.size) {
  // Again once an entry was found on the way: an entry may name others.
  known = entries.size;
  rmSync(out, { recursive: true, force: true });
  await bundle();
}
for (const [name, file] of assets) cpSync(file, path.join(out, name), { recursive: true });

const tokens = createRequire(path.join(root, 'packages/tokens/package.json'));
const vocabulary = path.dirname(path.dirname(tokens.resolve(`${VOCABULARY}/${VOCABULARY_FILES[0]}`)));
for (const file of ['package.json', ...VOCABULARY_FILES]) {
  const target = path.join(out, 'node_modules', VOCABULARY, file);
  mkdirSync(path.dirname(target), { recursive: true });
  cpSync(path.join(vocabulary, file), target);
}
writeFileSync(
  path.join(out, 'package.json'),
  `${JSON.stringify({ name: 'nexus', private: true, type: 'module' })}\n`,
);

const bytes = readdirSync(out, { recursive: true, encoding: 'utf8' })
  .map((file) => statSync(path.join(out, file)))
  .reduce((sum, stats) => sum + (stats.isFile() ? stats.size : 0), 0);
process.stdout.write(
  `${out}: ${(bytes / 1e6).toFixed(1)} MB, start it with node ${path.join(out, 'main.js')}\n`,
);
