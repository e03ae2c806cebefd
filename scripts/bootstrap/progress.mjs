/** What the set-up says, all of it on stderr: stdout belongs to the program that is started. */

let quiet = false;

/** Says only what went wrong from here on. */
export function silenceProgress() {
  quiet = true;
}

/** @param {string} line */
export function say(line) {
  if (!quiet) process.stderr.write(`${line}\n`);
}

/** How often a long step says that it is still at work, in milliseconds. */
const STILL_THERE_EVERY_MS = 15_000;

/**
 * Announces a step, says now and then that it is still under way, and how long it took.
 *
 * @template T
 * @param {string} title for example `Fetching Node 24.21.0`
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function step(title, work) {
  const startedAt = performance.now();
  const seconds = () => `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
  say(`${title} …`);
  const reminder = setInterval(() => say(`${title}: still at it after ${seconds()}`), STILL_THERE_EVERY_MS);
  try {
    const result = await work();
    say(`${title}: done in ${seconds()}`);
    return result;
  } finally {
    clearInterval(reminder);
  }
}

/** An end of the set-up that the reader can do something about: `message` says what happened and what to do next. */
export class SetupError extends Error {
  /**
   * @param {string} message
   * @param {{ output?: string, cause?: unknown }} [details] `output`: what the failing program printed
   */
  constructor(message, { output = '', cause } = {}) {
    super(message, { cause });
    this.name = 'SetupError';
    this.output = output;
  }
}

/**
 * The remedy for a failed set-up, read from what the failing program printed or from the error of a system call.
 *
 * @param {string} text
 * @returns {string} one sentence, or an empty string where nothing better than the text itself can be said
 */
export function remedyFor(text) {
  if (/ENOSPC|no space left|os error 28/i.test(text)) {
    return 'The disk is full: free about 1 GB and run the same command again.';
  }
  if (/EROFS|read-only file system|os error 30/i.test(text)) {
    return 'This checkout is read-only: run the command once where it can be written to, then mount it read-only.';
  }
  if (/EACCES|EPERM|permission denied|os error 13/i.test(text)) {
    return 'This user may not write here: run the command as the owner of the checkout, or change the owner.';
  }
  if (/ERR_PNPM_OUTDATED_LOCKFILE|ERR_PNPM_LOCKFILE|frozen-lockfile/i.test(text)) {
    return 'pnpm-lock.yaml does not match a package.json: run "node scripts/bootstrap.mjs pnpm install" and commit the lockfile.';
  }
  if (
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|network|dns error|error sending request|connection/i.test(
      text,
    )
  ) {
    return 'The package registry could not be reached: check the network, and behind a proxy set HTTPS_PROXY or "npm config set proxy".';
  }
  if (/\bE404\b|404 Not Found|ERR_PNPM_FETCH_404/i.test(text)) {
    return 'The package registry does not have this package: "npm config get registry" shows which one is asked.';
  }
  if (/CERT|self.signed|unable to verify/i.test(text)) {
    return "The registry's certificate is not trusted: set NODE_EXTRA_CA_CERTS to your company's CA file.";
  }
  return '';
}
