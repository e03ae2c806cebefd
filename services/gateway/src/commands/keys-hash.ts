import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { credentialHash } from '@nexus/config';
import { isWholeKey, KEY_PREFIX } from '@nexus/keys';

/** What a header can carry as a key, and the gateway takes. */
const KEY = /^[!-~]{1,4096}$/;
/** Nobody's key is longer; the rest of what comes is not waited for. */
const MOST_CHARACTERS = 8_192;

/** `nexus keys hash`: prints what stands for a key in a configuration that doesn't hold it. Resolves with the exit code. */
export async function hashKey(): Promise<number> {
  const key = process.stdin.isTTY ? await asked() : await piped();
  if (!KEY.test(key)) return no('that is no key: a key is one word of visible ASCII characters');
  if (key.startsWith(KEY_PREFIX) && !isWholeKey(key))
    return no(`that begins as a key of Nexus, and isn't a whole one: it was cut off or mistyped`);
  process.stdout.write(`hmac-sha256:${credentialHash(key)}\n`);
  return 0;
}

async function piped(): Promise<string> {
  let text = '';
  process.stdin.setEncoding('utf8');
  for await (const chunk of process.stdin) {
    text += String(chunk);
    if (text.length > MOST_CHARACTERS) break;
  }
  return text.replace(/\r?\n$/, '');
}

/** Asks on the terminal, and shows nothing of what is typed. */
function asked(): Promise<string> {
  process.stderr.write('The key (it is not shown): ');
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  return new Promise((resolve) => {
    let key = '';
    lines.once('line', (line) => {
      key = line;
      lines.close();
    });
    lines.once('close', () => {
      process.stderr.write('\n');
      resolve(key);
    });
  });
}

function no(why: string): number {
  process.stderr.write(`nexus: ${why}\n`);
  return 1;
}
