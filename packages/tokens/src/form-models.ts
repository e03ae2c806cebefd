import type { NamedModels } from './named-models.ts';

/** A multipart body's type, and its parameters. */
const MULTIPART = /^\s*multipart\/[^;\s]*\s*((?:;.*)?)$/is;
/** One parameter: a name, and a token or a quoted text (RFC 9110 §5.6) that ends at the same quote whether or not a backslash escapes. */
const PARAMETER = /\s*;\s*([a-z0-9!#$&'*+.^_`|~-]+)=(?:"((?:[^"\\]|\\[^"])*)"|([^\s;",\\]+))\s*/iy;
/** `name*`, `name*0`: the same in another coding, or in parts (RFC 2231). */
const OTHER_SPELLING = /^(?:name|boundary)\*/;
/** RFC 2046 §5.1.1. */
const BOUNDARY = /^[a-z0-9'()+_,./:=? -]{0,69}[a-z0-9'()+_,./:=?-]$/i;

/**
 * The boundary of a multipart body by its `Content-Type`: undefined where it isn't one, empty where it is one whose
 * boundary can't be told for sure.
 */
export function formBoundary(contentType: string | undefined): string | undefined {
  const parameters = MULTIPART.exec(contentType ?? '')?.[1];
  // Some servers find a form in more than that.
  if (parameters === undefined) return /multipart/i.test(contentType ?? '') ? '' : undefined;
  const boundary = parametersOf(parameters)?.get('boundary') ?? '';
  return BOUNDARY.test(boundary) ? boundary : '';
}

/** Parameters by their names in lower case; undefined where one comes twice, or what stands there is none. */
function parametersOf(text: string): Map<string, string> | undefined {
  const found = new Map<string, string>();
  let at = 0;
  while (at < text.length) {
    PARAMETER.lastIndex = at;
    const match = PARAMETER.exec(text);
    const name = match?.[1]?.toLowerCase();
    if (!match || name === undefined || found.has(name) || OTHER_SPELLING.test(name)) return undefined;
    const value = match[2] ?? match[3] ?? '';
    if (value.includes('\\') && name !== 'filename') return undefined;
    found.set(name, value);
    at = PARAMETER.lastIndex;
  }
  return found;
}

const LONGEST_HEAD_BYTES = 16 * 1024;
const LONGEST_MODEL_BYTES = 256;
const MOST_MODELS = 16;

const CRLF = '\r\n';
const LINE_ENDS = /^[\r\n]{0,16}$/;
const END_OF_HEAD = '\r\n\r\n';
/** What a line of a part's head may hold. Lines that are folded or end otherwise are read in more than one way. */
const HEAD_LINE = /^([a-z0-9-]+):[ \t]*([^\0\r\n]*)$/i;
const PLAIN_CODINGS = /^(?:7bit|8bit|binary)$/i;
/** What some server reads as `model`, or as a part of it. */
const LIKE_MODEL = /^[\s'"]*model(?:[\s'"[].*)?$/is;
const MODEL = /^[\x21-\x7e]+$/;

/** Where in the form the scan is: what the next bytes are. */
type Place = 'before the first part' | 'behind a boundary' | 'head' | 'value' | 'behind the last part';

/**
 * Finds the field `model` of a form (RFC 7578), more strictly than any server reads one: lines end in CRLF, every boundary stands
 * at a line's start, a part has one name. What a laxer parser could read otherwise is unclear.
 */
export class FormModels implements NamedModels {
  readonly models: string[] = [];
  isUnclear: boolean;
  readonly own: string[] = [];
  readonly #dash: Buffer;
  #place: Place = 'before the first part';
  /** What has come and isn't used up: less than a head, or than a boundary and what stands around it. */
  #rest: Buffer = Buffer.alloc(0);
  /** The value is the model's: all of it is kept. */
  #isModel = false;
  /** Its field has the very name, and is no file. */
  #isOwn = false;

  /** @param boundary as `formBoundary` says it */
  constructor(boundary: string, isUnclear = false) {
    this.#dash = Buffer.from(`--${boundary}`, 'latin1');
    this.isUnclear = isUnclear || boundary === '';
  }

  get isOver(): boolean {
    return this.#place === 'behind the last part';
  }

  take(chunk: Uint8Array): void {
    if (this.isUnclear) return;
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    while (!this.isUnclear && this.#step());
    // What is left is small, and would keep the whole chunk.
    this.#rest = this.isUnclear ? Buffer.alloc(0) : Buffer.from(this.#rest);
  }

  end(): void {
    if (!this.isOver) this.isUnclear = true;
  }

  /** Goes one place on; false where more bytes are wanted. */
  #step(): boolean {
    switch (this.#place) {
      case 'before the first part':
        return this.#begin();
      case 'behind a boundary':
        return this.#passBoundary();
      case 'head':
        return this.#readHead();
      case 'value':
        return this.#readValue();
      case 'behind the last part':
        // Most clients end the last line too, and openai-node 4 puts an empty one behind it.
        if (!LINE_ENDS.test(this.#rest.toString('latin1'))) this.isUnclear = true;
        return false;
    }
  }

  #begin(): boolean {
    const dash = this.#dash;
    if (this.#rest.length < CRLF.length + dash.length) return false;
    // Some clients write the line's end that belongs to every other boundary before the first one, too.
    if (this.#rest.toString('latin1', 0, 2) === CRLF) this.#rest = this.#rest.subarray(2);
    if (!this.#rest.subarray(0, dash.length).equals(dash)) this.isUnclear = true;
    this.#goOn(dash.length, 'behind a boundary');
    return true;
  }

  #passBoundary(): boolean {
    if (this.#rest.length < 2) return false;
    const next = this.#rest.toString('latin1', 0, 2);
    if (next !== CRLF && next !== '--') this.isUnclear = true;
    this.#goOn(2, next === CRLF ? 'head' : 'behind the last part');
    return true;
  }

  #readHead(): boolean {
    const end = this.#rest.indexOf(END_OF_HEAD);
    if (end < 0 || end > LONGEST_HEAD_BYTES) {
      if (this.#rest.length > LONGEST_HEAD_BYTES) this.isUnclear = true;
      return false;
    }
    const named = partOf(this.#rest.toString('latin1', 0, end));
    // `_charset_` says how the others are written (RFC 7578 §4.6).
    if (named === undefined || named.name.toLowerCase() === '_charset_') this.isUnclear = true;
    this.#isModel = named !== undefined && LIKE_MODEL.test(named.name);
    this.#isOwn = named?.name === 'model' && !named.isFile;
    if (named?.name === 'model' && named.isFile && !this.own.includes('')) this.own.push('');
    this.#goOn(end + END_OF_HEAD.length, 'value');
    return true;
  }

  #readValue(): boolean {
    const at = this.#rest.indexOf(this.#dash);
    if (at >= 0) {
      // A boundary that doesn't begin a line of its own is one to some servers, and none to others.
      const isOfItsLine = at >= 2 && this.#rest.toString('latin1', at - 2, at) === CRLF;
      if (!isOfItsLine) this.isUnclear = true;
      else if (this.#isModel) this.#found(this.#rest.toString('latin1', 0, at - 2));
      this.#goOn(at + this.#dash.length, 'behind a boundary');
      return true;
    }
    const kept = CRLF.length + this.#dash.length;
    if (this.#isModel) {
      if (this.#rest.length > LONGEST_MODEL_BYTES + kept) this.isUnclear = true;
    } else if (this.#rest.length > kept) this.#rest = this.#rest.subarray(this.#rest.length - kept);
    return false;
  }

  #found(model: string): void {
    if (!MODEL.test(model) || model.length > LONGEST_MODEL_BYTES || this.models.length === MOST_MODELS)
      this.isUnclear = true;
    else {
      this.models.push(model);
      if (this.#isOwn && !this.own.includes(model)) this.own.push(model);
    }
  }

  #goOn(bytes: number, place: Place): void {
    this.#rest = this.#rest.subarray(bytes);
    this.#place = place;
  }
}

interface Part {
  readonly name: string;
  readonly isFile: boolean;
}

/** A part by its head; undefined where it has no name, or may have another, or its value may be written otherwise. */
function partOf(head: string): Part | undefined {
  let part: Part | undefined;
  const seen = new Set<string>();
  for (const line of head.split(CRLF)) {
    const [, field, value] = HEAD_LINE.exec(line) ?? [];
    if (field === undefined || value === undefined) return undefined;
    const lower = field.toLowerCase();
    if (seen.has(lower)) return undefined;
    seen.add(lower);
    if (lower === 'content-transfer-encoding' && !PLAIN_CODINGS.test(value.trim())) return undefined;
    if (lower !== 'content-disposition') continue;
    const [, text] = /^form-data\s*(;.*)$/i.exec(value) ?? [];
    const parameters = text === undefined ? undefined : parametersOf(text);
    const name = parameters?.get('name');
    if (name === undefined) return undefined;
    part = { name, isFile: parameters?.has('filename') === true || parameters?.has('filename*') === true };
  }
  return part;
}
