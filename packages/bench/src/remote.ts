import type { ChildProcess } from 'node:child_process';

/** What is said between the processes of a measurement: names and numbers. */
export type Numbers = Readonly<Record<string, number>>;

export type Answering = (asked: Numbers) => Numbers | Promise<Numbers>;

/** In a child: answers what its parent asks by name, and ends with its parent. */
export function answerParent(handlers: ReadonlyMap<string, Answering>): void {
  process.on('message', (message: unknown) => {
    const { id, name, numbers } = readQuestion(message);
    const handler = handlers.get(name);
    Promise.resolve()
      .then(() => {
        if (handler === undefined) throw new Error(`"${name}" is not answered here.`);
        return handler(numbers);
      })
      .then(
        (answer) => process.send?.({ id, numbers: answer }),
        (error: unknown) => process.send?.({ id, error: String(error) }),
      );
  });
  process.on('disconnect', () => process.exit());
}

/** In the parent: asks a child that calls `answerParent`. */
export class Remote {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<
    number,
    { resolve: (numbers: Numbers) => void; reject: (error: Error) => void }
  >();
  #asked = 0;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (message: unknown) => this.#take(message));
    child.once('exit', (code, signal) => {
      for (const { reject } of this.#waiting.values())
        reject(new Error(`A process of the measurement ended: ${code ?? signal}.`));
      this.#waiting.clear();
    });
  }

  /** Rejects with what the child threw, or if it ends. */
  ask(name: string, numbers: Numbers = {}): Promise<Numbers> {
    this.#asked += 1;
    const id = this.#asked;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.send({ id, name, numbers }, (error) => {
        if (error === null) return;
        this.#waiting.delete(id);
        reject(error);
      });
    });
  }

  #take(message: unknown): void {
    const id = numberAt(message, 'id');
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    const error = at(message, 'error');
    if (error === undefined) waiting.resolve(numbersAt(message));
    else waiting.reject(new Error(String(error)));
  }
}

/** A number that must be there. @throws Error that names it */
export function need(numbers: Numbers, name: string): number {
  const value = Object.hasOwn(numbers, name) ? numbers[name] : undefined;
  if (value === undefined) throw new Error(`The number "${name}" is missing.`);
  return value;
}

function readQuestion(message: unknown): { id: number; name: string; numbers: Numbers } {
  return { id: numberAt(message, 'id'), name: String(at(message, 'name')), numbers: numbersAt(message) };
}

function at(message: unknown, name: string): unknown {
  if (typeof message !== 'object' || message === null) return undefined;
  return Object.getOwnPropertyDescriptor(message, name)?.value;
}

function numberAt(message: unknown, name: string): number {
  const value = at(message, name);
  return typeof value === 'number' ? value : Number.NaN;
}

function numbersAt(message: unknown): Numbers {
  const numbers: Record<string, number> = Object.create(null);
  const given = at(message, 'numbers');
  if (typeof given !== 'object' || given === null) return numbers;
  // NaN and Infinity don't survive JSON: they come as null.
  for (const [name, value] of Object.entries(given))
    numbers[name] = typeof value === 'number' ? value : Number.NaN;
  return numbers;
}
