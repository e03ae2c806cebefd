import { FormModels, formBoundary } from './form-models.ts';
import { JsonModels } from './json-models.ts';

/** Finds the models that a body names, while it passes by in chunks; nothing of it is kept. */
export interface NamedModels {
  /** Those of them that have passed whole, in their order. */
  readonly models: readonly string[];
  /** What has passed can be read in more than one way, so it may name others too. */
  readonly isUnclear: boolean;
  take(chunk: Uint8Array): void;
  /** There is no more to come: what isn't whole by now is unclear. */
  end(): void;
}

/** A form names the model in one of its fields, JSON as a `model` at any depth. */
export function namedModels(contentType: string | undefined): NamedModels {
  const boundary = formBoundary(contentType);
  return boundary === undefined ? new JsonModels() : new FormModels(boundary);
}
