// Takes out of a text what looks like a credential. It is the second line of defence: the first is that nothing hands
// keys, header values or bodies to the log. So it rather takes out too much. Every pattern runs in linear time.

const PUT = '[redacted]';

/** Skips the patterns where none can match, which is nearly every text that is logged. */
const SUSPICIOUS =
  /sk-|[spr]k_|key|token|secret|pass|pwd|auth|cookie|credential|signature|sig=|bearer|basic|:\/\/|eyJ|AIza|A[KS]IA|sess|xai|hf_|gsk|gh[a-z]_|github_|glpat|xox|npm_|nxs_|whsec|PRIVATE|is not valid|invalid header/i;

/** A value without quotes. It ends late: a password may hold brackets and commas. */
const VALUE = String.raw`[^\s"'\x60&]+`;
/** A value in quotes, as JSON or JavaScript show it, or as JSON within JSON. The closing quote may have been cut off. */
const QUOTED = String.raw`"(?:[^"\\\r\n]|\\.)*"?|'(?:[^'\\\r\n]|\\.)*'?|\x60[^\x60\r\n]*\x60?|\\"[^"\r\n]*"?`;

const SHAPES: readonly (readonly [RegExp, string])[] = [
  // PEM private keys, whole or cut off.
  [/-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^-]*(?:-----END [A-Z ]{0,40}-----)?/g, PUT],
  // user:password@ in a URL (RFC 3986 §3.2.1), also where the password holds a `/`; a port and its path are none.
  [/:\/\/[^\s/?#"'<>]*@/g, `://${PUT}@`],
  [/:\/\/[^\s/?#@:"'<>]*:(?!\d{1,5}[/?#])[^\s"'<>@]{1,256}@/g, `://${PUT}@`],
  // Authorization schemes (RFC 6750 §2.1, RFC 7617 §2), also in an encoded URL.
  [new RegExp(String.raw`(?<![a-z])(bearer|basic)(?:\s|%20|\+|:|=){1,8}["']?${VALUE}`, 'gi'), `$1 ${PUT}`],
  // OpenAI, Anthropic, OpenRouter, Stripe: sk-…, pk_…; a long one also in the middle of a word, as in `\nsk-…`.
  [/(?<![A-Za-z0-9])[spr]k[-_][A-Za-z0-9_-]{3,}/gi, PUT],
  [/sk-(?=[A-Za-z_-]{0,200}\d)[A-Za-z0-9_-]{16,}/gi, PUT],
  // Other issuers' prefixes: OpenAI sessions, Groq, xAI, Hugging Face, GitHub, GitLab, Slack, npm, Google, AWS, Nexus itself; JWTs.
  [
    /(?<![A-Za-z0-9])(?:sess-|gsk_|xai-|hf_|gh[a-z]_|github_pat_|glpat-|xox[a-z]-|npm_|nxs_|whsec_)[A-Za-z0-9_-]{8,}/g,
    PUT,
  ],
  [/AIza[A-Za-z0-9_-]{16,}/g, PUT],
  [/(?<![A-Za-z0-9])A[KS]IA[A-Z0-9]{12,}/g, PUT],
  [/(?<![A-Za-z0-9])eyJ[A-Za-z0-9_-]{8,}[A-Za-z0-9_.-]*/g, PUT],
];

const QUALIFIED = '(?:key|token|secret|password|passwd|passphrase|pwd|credentials?|signature|sig)';

const WORDS: readonly (readonly [RegExp, string])[] = [
  // Header fields with more than one word in their value: to the end of the quotation or of the line.
  [
    new RegExp(
      String.raw`(authorization|cookie)(\\?["']?\s{0,8}[:=]\s{0,8})(?:${QUOTED}|[^"'\\\s][^\r\n]*)`,
      'gi',
    ),
    `$1$2${PUT}`,
  ],
  // key: …, "api_key":"…", ?token=…, password = '…', "Incorrect API key provided: …".
  [
    new RegExp(
      String.raw`(${QUALIFIED})((?:\s(?:provided|given|is|was|used)){0,2}\\?["'\]]?\s{0,8}[:=]\s{0,8})(?:${QUOTED}|${VALUE})`,
      'gi',
    ),
    `$1$2${PUT}`,
  ],
  // Without a colon only what is long and has a digit: "invalid key a8f3…".
  [
    new RegExp(
      String.raw`(${QUALIFIED}s?)((?:\s(?:provided|given|is|was|used|of|for)){0,2}[\s"'(\x60]{1,4})(?=[A-Za-z+/_.~=-]{0,200}\d)[A-Za-z0-9+/_.~=-]{20,}`,
      'gi',
    ),
    `$1$2${PUT}`,
  ],
  // V8 quotes a piece of the text that JSON.parse was given: a piece of somebody's body.
  [/(?:\.\.\.)?"[\s\S]{0,48}"(?:\.\.\.)? is not valid JSON/g, `${PUT} is not valid JSON`],
  // The fetch standard's Headers quote the value they refuse.
  [/"[^"]*" is an invalid header value/g, `${PUT} is an invalid header value`],
];

function replaceAll(text: string, patterns: readonly (readonly [RegExp, string])[]): string {
  let clean = text;
  for (const [pattern, put] of patterns) clean = clean.replace(pattern, put);
  return clean;
}

/**
 * The text with `[redacted]` in place of whatever looks like a credential: keys with a known prefix, JWTs, private keys,
 * `Bearer …` and `Basic …`, `user:password@` in URLs, values after words like key, token, secret, password or cookie, and
 * the quotations that some errors make of bodies and header values. A secret that looks like an ordinary word and
 * stands without such a word before it is not known.
 */
export function redact(text: string): string {
  if (!SUSPICIOUS.test(text)) return text;
  return replaceAll(replaceAll(text, SHAPES), WORDS);
}

/**
 * As `redact`, but it leaves what follows a word like `key:` if it has no credential's shape: for public names such as
 * `key:search-prod`.
 */
export function redactShapes(text: string): string {
  return SUSPICIOUS.test(text) ? replaceAll(text, SHAPES) : text;
}

/**
 * The text, redacted, in at most some `maxLength` characters. A longer one is cut at white space before it is redacted, since half a
 * credential could not be known as one; then it ends in the count of the characters left out.
 */
export function redactWithin(text: string, maxLength: number): string {
  if (text.length <= maxLength) return redact(text);
  const cut = text.slice(0, maxLength).replace(/\S+$/, '');
  return `${redact(cut)}… (${text.length - cut.length} more characters)`;
}
