import { isAlias, isMap, isPair, isScalar, LineCounter, parseDocument } from 'yaml';
import { type Environment, interpolate, referencedNames } from './interpolation.ts';
import type { Finding, Place, ProblemList } from './problems.ts';
import { syntaxFinding } from './syntax-problems.ts';

/** A value of the file with its place. Text has its variables replaced. */
export type Tree = ScalarTree | ListTree | MapTree | BrokenTree;

export interface ScalarTree {
  readonly kind: 'scalar';
  readonly place: Place;
  readonly value: string | number | boolean | null;
  /** Part of the text came from the environment: it may be a secret and is never shown. */
  readonly fromEnvironment: boolean;
  readonly extent: Extent;
}

export interface ListTree {
  readonly kind: 'list';
  readonly place: Place;
  readonly items: readonly Tree[];
  readonly extent: Extent;
}

export interface MapTree {
  readonly kind: 'map';
  readonly place: Place;
  readonly entries: ReadonlyMap<string, { readonly place: Place; readonly value: Tree }>;
  readonly extent: Extent;
}

/** Already reported as a problem; later checks pass it over. */
export interface BrokenTree {
  readonly kind: 'broken';
  readonly place: Place;
  readonly extent: Extent;
}

/** How large a tree is once every alias is written out. */
interface Extent {
  readonly nodes: number;
  readonly levels: number;
}

const SINGLE: Extent = Object.freeze({ nodes: 1, levels: 1 });

/** Beyond this many nodes with every alias written out, the file is an alias bomb. 1 MB of plain YAML has fewer. */
const MOST_NODES = 1_000_000;
const DEEPEST = 64;
/** Never a setting; refused so that no library can take them for JavaScript's own (prototype pollution). */
const RESERVED_NAMES = new Set(['__proto__', 'constructor', 'prototype']);

export interface ParsedFile {
  /** Undefined if the file holds no setting at all or cannot be parsed; the problems say so. */
  readonly tree: MapTree | undefined;
  /** Every environment variable that some text refers to. */
  readonly references: ReadonlySet<string>;
}

/** Parses the text of a configuration file. Everything wrong goes to `problems`; nothing is thrown. */
export function parseYaml(
  text: string,
  options: { file: string; environment: Environment; problems: ProblemList },
): ParsedFile {
  const { file, problems } = options;
  const lines = new LineCounter();
  // Repeated keys are found below, in linear time: the parser compares every key with every other.
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false,
    stringKeys: true,
    schema: 'core',
    merge: false,
    resolveKnownTags: false,
    logLevel: 'error',
  });
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const start: Place = { file, line: 1, column: 1 };

  if (document.errors.length > 0) {
    const textLines = text.split('\n');
    const seen = new Set<number>();
    for (const { code, pos } of document.errors) {
      const place = placeAt(pos[0]);
      // One error of syntax makes others in its line.
      if (place.line === undefined || seen.has(place.line)) continue;
      seen.add(place.line);
      problems.add(place, '', syntaxFinding(code, textLines[place.line - 1] ?? ''));
    }
    return { tree: undefined, references: new Set() };
  }
  for (const warning of document.warnings) {
    problems.add(placeAt(warning.pos[0]), '', {
      wrong: 'a YAML tag (`!…`) that Nexus does not know',
      remedy: 'remove the tag',
    });
  }

  const growing = new Growth(options, placeAt);
  const grown = growing.grow(document.contents, 0, start);
  const { references } = growing;
  if (grown.kind === 'map' && grown.entries.size > 0) {
    if (grown.extent.nodes <= MOST_NODES && grown.extent.levels <= DEEPEST)
      return { tree: grown, references };
    problems.add(start, '', {
      wrong: 'the aliases in the file expand to more than a million values, or to more than 64 levels',
      remedy: 'use fewer aliases',
    });
  } else if (grown.kind === 'map' || (grown.kind === 'scalar' && grown.value === null)) {
    problems.add(start, '', {
      wrong: text.trim() === '' ? 'the file is empty' : 'the file holds no settings',
      remedy: 'write at least `target_url: https://api.openai.com`',
    });
  } else if (grown.kind !== 'broken') {
    problems.add(grown.place, '', {
      wrong: `the file holds a ${grown.kind === 'list' ? 'list' : 'single value'} instead of settings`,
      remedy: 'write `name: value` lines, such as `target_url: https://api.openai.com`',
    });
  }
  return { tree: undefined, references };
}

/** Turns the parser's nodes into trees, resolving aliases on the way without copying what they stand for. */
class Growth {
  readonly references = new Set<string>();
  readonly #anchors = new Map<string, Tree>();
  readonly #environment: Environment;
  readonly #problems: ProblemList;
  #merged = 0;
  readonly #placeAt: (offset: number) => Place;

  constructor(
    options: { environment: Environment; problems: ProblemList },
    placeAt: (offset: number) => Place,
  ) {
    this.#environment = options.environment;
    this.#problems = options.problems;
    this.#placeAt = placeAt;
  }

  /** `near` is the place of a value that isn't written, as in `name:`. */
  grow(node: unknown, depth: number, near: Place): Tree {
    const place = this.#place(node, near);
    if (depth > DEEPEST) {
      return this.#broken(place, { wrong: 'the file is nested too deeply', remedy: 'use at most 64 levels' });
    }
    if (isAlias(node)) {
      const tree = this.#anchors.get(node.source);
      if (tree !== undefined) return tree;
      return this.#broken(place, {
        wrong: 'an alias refers to an anchor that is not complete above it',
        remedy: 'write `&name` before `*name`',
      });
    }
    const tree = this.#growPlain(node, depth, place);
    if (typeof node === 'object' && node !== null && 'anchor' in node && typeof node.anchor === 'string') {
      this.#anchors.set(node.anchor, tree);
    }
    return tree;
  }

  #growPlain(node: unknown, depth: number, place: Place): Tree {
    if (isScalar(node)) return this.#scalar(node.value, place);
    if (isMap(node)) return this.#map(node.items, depth, place);
    if (typeof node === 'object' && node !== null && 'items' in node && Array.isArray(node.items)) {
      const items = node.items.map((item: unknown) => this.grow(item, depth + 1, place));
      return { kind: 'list', place, items, extent: extentOf(items) };
    }
    return { kind: 'scalar', place, value: null, fromEnvironment: false, extent: SINGLE };
  }

  #scalar(value: unknown, place: Place): Tree {
    if (typeof value === 'string') {
      for (const name of referencedNames(value)) this.references.add(name);
      const result = interpolate(value, this.#environment);
      if (!result.ok) return this.#broken(place, result);
      return { kind: 'scalar', place, value: result.text, fromEnvironment: result.replaced, extent: SINGLE };
    }
    const plain = typeof value === 'number' || typeof value === 'boolean' ? value : null;
    return { kind: 'scalar', place, value: plain, fromEnvironment: false, extent: SINGLE };
  }

  #map(pairs: readonly unknown[], depth: number, place: Place): Tree {
    const entries = new Map<string, { place: Place; value: Tree }>();
    const values: Tree[] = [];
    const merges: Tree[] = [];
    for (const pair of pairs) {
      if (!isPair(pair)) continue;
      const keyPlace = this.#place(pair.key, place);
      const value = this.grow(pair.value, depth + 1, keyPlace);
      values.push(value);
      if (isScalar(pair.key) && pair.key.value === '<<' && pair.key.type === 'PLAIN') {
        merges.push(value);
        continue;
      }
      const key = this.grow(pair.key, depth + 1, keyPlace);
      if (key.kind === 'broken') continue;
      const name = key.kind === 'scalar' ? String(key.value) : '';
      const first = entries.get(name);
      if (RESERVED_NAMES.has(name)) {
        this.#broken(keyPlace, { wrong: `\`${name}\` cannot be a name`, remedy: 'remove it' });
      } else if (first !== undefined) {
        this.#broken(keyPlace, {
          wrong: `this name stands twice in one mapping, first in line ${first.place.line}`,
          remedy: 'keep one of them',
        });
      } else {
        entries.set(name, { place: keyPlace, value });
      }
    }
    for (const merge of merges) this.#merge(merge, entries);
    return { kind: 'map', place, entries, extent: extentOf(values) };
  }

  /** `<<: *base` or `<<: [*a, *b]`: names that the mapping hasn't itself, the first one's first (YAML 1.1 merge keys). */
  #merge(from: Tree, into: Map<string, { place: Place; value: Tree }>): void {
    const sources = from.kind === 'list' ? from.items : [from];
    for (const source of sources) {
      if (source.kind === 'broken') continue;
      if (source.kind !== 'map') {
        this.#broken(source.place, {
          wrong: '`<<` merges something that is no mapping',
          remedy: 'write `<<: *name`',
        });
        continue;
      }
      this.#merged += source.entries.size;
      if (this.#merged > MOST_NODES) {
        this.#broken(from.place, { wrong: '`<<` merges more than a million names', remedy: 'merge fewer' });
        return;
      }
      for (const [name, entry] of source.entries) if (!into.has(name)) into.set(name, entry);
    }
  }

  #broken(place: Place, finding: Finding): BrokenTree {
    this.#problems.add(place, '', finding);
    return { kind: 'broken', place, extent: SINGLE };
  }

  #place(node: unknown, near: Place): Place {
    if (typeof node !== 'object' || node === null || !('range' in node) || !Array.isArray(node.range))
      return near;
    const [offset]: unknown[] = node.range;
    return typeof offset === 'number' ? this.#placeAt(offset) : near;
  }
}

function extentOf(children: readonly Tree[]): Extent {
  let nodes = 1;
  let levels = 0;
  for (const { extent } of children) {
    nodes += extent.nodes;
    levels = Math.max(levels, extent.levels);
  }
  return { nodes, levels: levels + 1 };
}
