import { it } from 'vitest';
import type { Client, Outcome } from './client.ts';

/** More than any of these calls takes: what hangs shall not hang for long. */
const LONGEST_MS = 10_000;

/** A test of a client, skipped with the reason where the client can't run. */
export function clientTest(client: Client, name: string, run: () => Promise<void>): void {
  const test = async (context: { skip(reason: string): never }) => {
    if (client.missing !== undefined) context.skip(client.missing);
    await run();
  };
  it(name, test, LONGEST_MS);
}

let prompts = 0;

/** A prompt that no other call has, so that answers can't be confused: the stand-in answers by the prompt. */
export function newPrompt(): string {
  prompts += 1;
  return `Tell me something about the number ${prompts}, in a few words.`;
}

/** The outcome of a call that must succeed. */
export function succeeded(outcome: Outcome): Outcome {
  if (outcome.failure) throw new Error(`The call failed: ${JSON.stringify(outcome.failure)}`);
  return outcome;
}

/** The failure of a call that must fail. */
export function failed(outcome: Outcome): NonNullable<Outcome['failure']> {
  if (!outcome.failure) throw new Error(`The call succeeded: ${JSON.stringify(outcome)}`);
  return outcome.failure;
}
