import type { ErrorCode } from 'yaml';
import type { Finding } from './problems.ts';

const OTHER: Finding = {
  wrong: 'this is not valid YAML',
  remedy: 'check the indentation, quotes and brackets here',
};

/**
 * The parser's findings in our words. Its own messages quote the source, which may be a secret.
 * @see https://eemeli.org/yaml/#errors
 */
const BY_CODE: ReadonlyMap<ErrorCode, Finding> = new Map<ErrorCode, Finding>([
  ['TAB_AS_INDENT', { wrong: 'a tab stands where YAML wants spaces', remedy: 'indent with spaces' }],
  ['BAD_INDENT', { wrong: 'the indentation is wrong', remedy: 'align the settings of one mapping' }],
  [
    'BLOCK_AS_IMPLICIT_KEY',
    {
      wrong: 'a second `name:` stands in one line or under a setting that has a value',
      remedy:
        'give each setting its own line with the right indentation, and put a value that holds `: ` in quotes',
    },
  ],
  [
    'MULTILINE_IMPLICIT_KEY',
    { wrong: 'a name runs over several lines', remedy: 'write `name: value`, with a space after the colon' },
  ],
  ['MISSING_CHAR', { wrong: 'a character is missing', remedy: 'close the quote, or write `name: value`' }],
  [
    'MULTIPLE_DOCS',
    { wrong: 'the file holds several YAML documents', remedy: 'keep one, without `---` between' },
  ],
  [
    'NON_STRING_KEY',
    { wrong: 'a list or mapping stands where a name should', remedy: 'write `name: value`' },
  ],
  ['RESOURCE_EXHAUSTION', { wrong: 'the file is nested too deeply', remedy: 'use at most 64 levels' }],
  ['BAD_ALIAS', { wrong: 'an alias is malformed', remedy: 'write `*name`' }],
  ['MULTIPLE_ANCHORS', { wrong: 'a value has several anchors', remedy: 'keep one' }],
  [
    'BAD_DQ_ESCAPE',
    { wrong: 'an escape in double quotes is not valid', remedy: "use single quotes: 'text'" },
  ],
  ['BAD_SCALAR_START', { wrong: 'a value begins with a reserved character', remedy: 'put it in quotes' }],
]);

const UNQUOTED_REFERENCE: Finding = {
  wrong: `\${…} stands unquoted between braces or brackets, where YAML reads a mapping`,
  remedy: `write it in quotes: "\${NAME}"`,
};

/** What to say of a syntax error; `lineText` is the line that it stands in, never repeated. */
export function syntaxFinding(code: ErrorCode, lineText: string): Finding {
  if (code === 'UNEXPECTED_TOKEN' && /[{[,].*[^"'$]\$\{/.test(lineText)) return UNQUOTED_REFERENCE;
  return BY_CODE.get(code) ?? OTHER;
}
