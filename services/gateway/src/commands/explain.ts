import { isHelp } from '../help-words.ts';
import { explained } from '../replay/explained.ts';
import { readLog } from '../replay/log-lines.ts';
import { flagsOf, isUsage } from './flags.ts';

const HELP = `nexus explain REQUEST_ID --log FILE: say why a request was refused, or what became of it.

REQUEST_ID is what the answer's x-request-id said. The log is Nexus' own, one JSON line a request; - is standard input.

Examples
  nexus explain req_7f3a --log /var/log/nexus.log
  journalctl -u nexus -o cat --since today | nexus explain req_7f3a --log -

Exit codes: 0 it was found, 1 it was not, 2 wrong usage.
`;

/** `nexus explain`; resolves with the exit code. */
export async function explain(args: readonly string[]): Promise<number> {
  if (args.some(isHelp)) {
    process.stdout.write(HELP);
    return 0;
  }
  const flags = flagsOf(args, { text: ['log'], plain: [] });
  if (isUsage(flags)) return usage(flags.wrong);
  const log = flags.texts.get('log');
  const [id, ...more] = flags.words;
  if (id === undefined || more.length > 0) return usage('it takes one request id');
  if (log === undefined) return usage('--log says which log to read');
  try {
    let found = false;
    for await (const request of readLog(log)) {
      if (request.requestId !== id) continue;
      found = true;
      process.stdout.write(explained(request));
    }
    if (found) return 0;
    process.stderr.write(
      `nexus: the log has no request ${id.slice(0, 128)}; refusals of a flood are counted, not written (docs/logs.md)\n`,
    );
    return 1;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
    if (code === undefined) throw error;
    process.stderr.write(
      `nexus: the log can't be read (${code}): name a readable file, or - for standard input\n`,
    );
    return 1;
  }
}

function usage(wrong: string): number {
  process.stderr.write(`nexus explain: ${wrong}. nexus explain -help says more.\n`);
  return 2;
}
