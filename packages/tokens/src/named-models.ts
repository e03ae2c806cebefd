import { FormModels, formBoundary } from './form-models.ts';
import { JsonModels } from './json-models.ts';

/** Finds the models that a body names, while it passes by in chunks; nothing of it is kept. */
export interface NamedModels {
  /** Those of them that have passed whole, in their order. */
  readonly models: readonly string[];
  /**
   * What stands where every server looks: as JSON's own member `model`, as a form's field of that name. Each once; what is no name
   * is an empty text.
   */
  readonly own: readonly string[];
  /** What has passed can be read in more than one way, so it may name others too. */
  readonly isUnclear: boolean;
  /** What comes still, a server needn't wait for. */
  readonly isOver: boolean;
  take(chunk: Uint8Array): void;
  /** There is no more to come: what isn't whole by now is unclear. */
  end(): void;
}

/** `model=NAME&…`, which nothing here reads. */
const URL_ENCODED = /^\s*application\/x-www-form-urlencoded/i;
/** A coding of text in which names look otherwise. */
const OTHER_CHARSET = /charset\*?\s*=\s*(?!"?(?:utf-?8|us-ascii)"?\s*(?:;|$))/i;
/** What no server reads as JSON. */
const OPAQUE = /^\s*(?:audio\/|video\/|image\/|application\/octet-stream)/i;

/** Whether a body is none that names a model: sound, pictures, bytes. */
export function isOpaque(contentType: string | undefined): boolean {
  return OPAQUE.test(contentType ?? '');
}

/** A form names the model in one of its fields, JSON as a `model` at any depth. */
export function namedModels(contentType: string | undefined): NamedModels {
  const type = contentType ?? '';
  const isUnclear = OTHER_CHARSET.test(type) || URL_ENCODED.test(type) || isOpaque(type);
  const boundary = formBoundary(contentType);
  return boundary === undefined ? new JsonModels(isUnclear) : new FormModels(boundary, isUnclear);
}
