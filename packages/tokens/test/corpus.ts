/** A generator of numbers below `n`, the same on every run (the constants of Numerical Recipes). */
export function numbers(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

const ENGLISH =
  "The quick brown fox can't jump; it's 1,234.56 metres, we'll see!  Internationalization IS hard.\n\n\tDON'T SHOUT 'S.";
const CODE =
  'export function f(x: number): void {\n    if (x !== 0x3f && y_1 >= 2) {\r\n\t\treturn `$' +
  "{x}` // TODO: don't\n    }\n}\n</div>/*/";
const CHINESE = '网关位于公司的应用和它们所调用的接口之间,每个请求都会被计数。2024年!';
const EMOJI = '👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 ☃️ 🇩🇪';
/** What the patterns tell apart: cases, marks, letters without case, apostrophes, the long s, odd white space. */
const TRICKY =
  "aAbB'sS'tT'lL'rR'eE'vV'mM'dDſǅʰあé\u0301\u0903 \u00a0\u0085\u3000\ufeff\u200b\u2028\t\r\n/._-1²Ⅷ٣\ud800\udc00";

type Draw = (next: (n: number) => number) => string;

const of = (text: string): Draw => {
  const characters = [...text];
  return (next) => characters[next(characters.length)] ?? '';
};
const between =
  (low: number, high: number): Draw =>
  (next) =>
    String.fromCodePoint(low + next(high - low));

const DRAWS: readonly Draw[] = [
  of(TRICKY),
  of(TRICKY),
  of(" \n\r\t\u00a0a1./'"),
  between(0, 0x80),
  between(0x80, 0x3000),
  between(0x4e00, 0xa000),
  between(0x1f300, 0x1f700),
  // Beyond plane 0 half of all planes are empty.
  between(0x10000, 0x32000),
  between(0, 0x110000),
  between(0xd800, 0xe000),
  between(0x300, 0x370),
  of('aB'),
];

/** At least `count` texts: prose, code, scripts, emoji, cuts of them, and random Unicode with lone surrogates. */
export function corpus(count: number): string[] {
  const next = numbers(7);
  const texts = ['', 'a', ' ', '\n', '<|endoftext|>', '<|fim_prefix|><|endofprompt|>', '\ud83d', 'x\udc00y'];
  const whole = [ENGLISH, CODE, CHINESE, EMOJI, `${ENGLISH}${CHINESE}${CODE}${EMOJI}`];
  texts.push(
    ...whole,
    ...whole.map((text) => text.repeat(5)),
    'word'.repeat(60),
    '的'.repeat(99),
    ' '.repeat(300),
  );
  while (texts.length < count) {
    if (next(4) === 0) {
      const text = whole[next(whole.length)] ?? '';
      const from = next(text.length);
      texts.push(text.slice(from, from + next(200)));
      continue;
    }
    const main = DRAWS[next(DRAWS.length)] ?? DRAWS[0];
    const other = DRAWS[next(DRAWS.length)] ?? DRAWS[0];
    let text = '';
    for (let length = 1 + next(150); length > 0; length--)
      text += (next(4) === 0 ? other : main)?.(next) ?? '';
    texts.push(text);
  }
  return texts;
}
