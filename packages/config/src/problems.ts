/** One thing that is wrong with the configuration, where it stands, and what would be right. Never holds a secret. */
export interface ConfigProblem {
  /** The file as the user would name it, or `environment` or `command line`. */
  readonly file: string;
  /** From 1; undefined where there are no lines: environment, command line, a file that could not be read. */
  readonly line: number | undefined;
  /** From 1; undefined where `line` is. */
  readonly column: number | undefined;
  /** The setting's path, e.g. `keys[0].limits.requests_per_second`, a variable's or a flag's name; '' for the whole. */
  readonly setting: string;
  readonly wrong: string;
  readonly remedy: string;
}

/** A position in one source: the file's line and column, or a source that has none. */
export interface Place {
  readonly file: string;
  readonly line: number | undefined;
  readonly column: number | undefined;
}

/** What a check found: where the place is not known yet. */
export interface Finding {
  readonly wrong: string;
  readonly remedy: string;
}

/** Stands for a value that is reported already; every check lets it pass. */
export const BROKEN: unique symbol = Symbol('reported already');

/** More problems than anyone reads are counted, not kept, so that a hostile file cannot fill the terminal. */
const MOST_PROBLEMS = 100;

/** Gathers problems in the order of their lines, each once. */
export class ProblemList {
  readonly #problems = new Map<string, ConfigProblem>();

  add(place: Place, setting: string, { wrong, remedy }: Finding): void {
    const { file, line, column } = place;
    // An anchor that several settings share is wrong once, not once for each alias.
    const identity = line === undefined ? `${file}\n${setting}\n${wrong}` : `${line}:${column}\n${wrong}`;
    if (!this.#problems.has(identity)) {
      this.#problems.set(identity, Object.freeze({ file, line, column, setting, wrong, remedy }));
    }
  }

  get isEmpty(): boolean {
    return this.#problems.size === 0;
  }

  /** Throws all of them together, if there are any. */
  throwIfAny(): void {
    if (!this.isEmpty) throw new ConfigProblems([...this.#problems.values()]);
  }
}

/** The configuration cannot be used. Holds every problem; `toString` prints one a line. */
export class ConfigProblems extends Error {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    const sorted = problems.toSorted(
      (a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0),
    );
    super(describeProblems(sorted));
    this.name = 'ConfigProblems';
    this.problems = Object.freeze(sorted);
  }

  override toString(): string {
    return this.message;
  }
}

/** `file:line: what is wrong; what would be right`, one a line. */
function describeProblems(problems: readonly ConfigProblem[]): string {
  const lines = problems.slice(0, MOST_PROBLEMS).map(({ file, line, wrong, remedy }) => {
    const place = line === undefined ? file : `${file}:${line}`;
    return `${place}: ${wrong}; ${remedy}`;
  });
  const more = problems.length - lines.length;
  if (more > 0) lines.push(`and ${more} more problems`);
  return lines.join('\n');
}
