/** What a command line asks for. */
export interface Asked {
  /** The figures to take, in the table's order. */
  readonly ids: readonly string[];
  readonly quick: boolean;
  readonly strict: boolean;
  /** Measure the pipe against another pipe. */
  readonly noise: boolean;
  readonly help: boolean;
  /** Over how many connections B1 calls. */
  readonly connections: number;
}

/** As many as keep the gateway's core busy, nine tenths of the time with Redis: what CPU time a call takes matters where it is short. */
const CONNECTIONS = 64;
const ASKED_CONNECTIONS = /^--connections=([1-9]\d{0,2})$/;

/** @throws RangeError that names the argument that means nothing */
export function readCommandLine(args: readonly string[], known: readonly string[]): Asked {
  const chosen = new Set<string>();
  const flags = { '--quick': false, '--strict': false, '--noise': false, '--help': false };
  let connections = CONNECTIONS;
  for (const arg of args) {
    const asked = ASKED_CONNECTIONS.exec(arg)?.[1];
    const id = arg.toUpperCase();
    if (known.includes(id)) chosen.add(id);
    else if (asked !== undefined) connections = Number(asked);
    else if (isFlag(arg, flags)) flags[arg] = true;
    else if (arg === '-h' || arg === '-help') flags['--help'] = true;
    else throw new RangeError(`"${arg}" is neither a figure (${known.join(', ')}) nor a flag.`);
  }
  return {
    ids: chosen.size === 0 ? known : known.filter((id) => chosen.has(id)),
    quick: flags['--quick'],
    strict: flags['--strict'],
    noise: flags['--noise'],
    help: flags['--help'],
    connections,
  };
}

function isFlag<Flags extends object>(arg: string, flags: Flags): arg is string & keyof Flags {
  return Object.hasOwn(flags, arg);
}
