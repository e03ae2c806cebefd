import { type Node, parseSync, Visitor } from 'oxc-parser';

/** One place in a file that names another module. */
export interface ImportSite {
  /** What is named, or undefined where it is computed and can't be known before the program runs. */
  readonly specifier: string | undefined;
  /** `url` is a `new URL('…', import.meta.url)`: a file that is read or started, not imported. */
  readonly kind: 'import' | 'url';
  /** From 1. */
  readonly line: number;
}

/** Functions, by their last name, whose first argument names a module: require and vitest's mocks. */
const NAMING_CALLS = new Set(['require', 'mock', 'doMock', 'unmock', 'importActual', 'importMock']);

/**
 * Everything in a source text that names a module: `import` and `export … from`, type-only ones too, `import()`,
 * `import('…')` types, `import … = require()`, `require()`, `import.meta.resolve()`, mocks and `new URL()`.
 *
 * @throws Error where the text is no TypeScript
 */
export function readImports(fileName: string, text: string): ImportSite[] {
  const { program, errors } = parseSync(fileName, text, { lang: 'ts', sourceType: 'module' });
  const error = errors[0];
  if (error !== undefined) throw new Error(`${fileName} can't be parsed: ${error.message}`);
  const sites: ImportSite[] = [];
  const add = (
    node: Node | null | undefined,
    kind: ImportSite['kind'] = 'import',
    start = node?.start ?? 0,
  ): void => {
    sites.push({ specifier: literalText(node), kind, line: text.slice(0, start).split('\n').length });
  };
  const addKnown = (node: Node | null | undefined, kind?: ImportSite['kind']): void => {
    if (literalText(node) !== undefined) add(node, kind);
  };
  new Visitor({
    ImportDeclaration: (node) => add(node.source),
    ExportAllDeclaration: (node) => add(node.source),
    ExportNamedDeclaration: (node) => node.source !== null && add(node.source),
    ImportExpression: (node) => add(node.source),
    TSImportType: (node) => add(node.source),
    TSExternalModuleReference: (node) => add(node.expression),
    CallExpression(node) {
      const { callee } = node;
      // createRequire(import.meta.url)('x') names a module as well.
      const isRequire = callee.type === 'CallExpression' && lastName(callee.callee) === 'createRequire';
      const called = isRequire || NAMING_CALLS.has(lastName(callee));
      if (called || isMetaResolve(callee)) addKnown(node.arguments[0]);
    },
    NewExpression: (node) => lastName(node.callee) === 'URL' && addKnown(node.arguments[0], 'url'),
  }).visit(program);
  return sites;
}

/** The text of a string literal or of a template without expressions. */
function literalText(node: Node | null | undefined): string | undefined {
  if (node?.type === 'Literal') return typeof node.value === 'string' ? node.value : undefined;
  if (node?.type === 'TemplateLiteral' && node.expressions.length === 0)
    return node.quasis[0]?.value.cooked ?? '';
  return undefined;
}

function lastName(node: Node): string {
  if (node.type === 'Identifier') return node.name;
  if (node.type === 'MemberExpression' && node.property.type === 'Identifier') return node.property.name;
  return '';
}

function isMetaResolve(node: Node): boolean {
  return (
    node.type === 'MemberExpression' && node.object.type === 'MetaProperty' && lastName(node) === 'resolve'
  );
}
