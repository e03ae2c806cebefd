import { countTokens } from './count.ts';
import type { EncodingName } from './encoding.ts';

/** Texts remembered at once: the system prompts and tool schemas of some hundred applications. */
const PLACES = 256;
/** A shorter text is counted as fast as it is compared. */
const SHORTEST = 32;
/** A longer one would make the memory large: 256 of them take 2 MB, or 4 MB if they aren't Latin. */
const LONGEST = 8192;
/** Characters that choose a text's place. */
const SAMPLES = 8;

interface Place {
  /** Of the text that came last: one is only remembered when it comes for the second time in a row. */
  mark: number;
  text: string;
  encoding: EncodingName | undefined;
  tokens: number;
}

const places: readonly Place[] = Array.from({ length: PLACES }, () => ({
  mark: -1,
  text: '',
  encoding: undefined,
  tokens: 0,
}));

/**
 * As `countTokens`, but a text that comes again and again is compared with the one remembered in place of being counted.
 * What comes once is not kept, unless all that chooses its place is that of the text before it there.
 */
export function countRepeated(text: string, encoding: EncodingName): number {
  if (text.length < SHORTEST || text.length > LONGEST) return countTokens(text, encoding);
  const mark = markOf(text);
  const place = places[mark % PLACES];
  if (place === undefined) return countTokens(text, encoding);
  if (place.mark !== mark) {
    place.mark = mark;
    return countTokens(text, encoding);
  }
  if (place.encoding !== encoding || place.text !== text) {
    place.tokens = countTokens(text, encoding);
    place.encoding = encoding;
    place.text = text;
  }
  return place.tokens;
}

/** A number ≥ 0 of the text's length and some of its characters. */
function markOf(text: string): number {
  let mark = text.length;
  const stride = text.length / SAMPLES;
  for (let sample = 0; sample < SAMPLES; sample++) {
    mark = (Math.imul(mark, 31) + text.charCodeAt(Math.floor(sample * stride))) | 0;
  }
  return mark & 0x3fff_ffff;
}
