/**
 * Runs the cleanup when the test that runs now is over, passed or failed. Outside a test (in a `beforeAll`, in a script) it does
 * nothing: there the caller cleans up, most easily with `await using`.
 */
export async function atTestEnd(cleanup: () => Promise<void>): Promise<void> {
  if (process.env.VITEST === undefined) return;
  const { onTestFinished } = await import('vitest');
  try {
    onTestFinished(cleanup);
  } catch {
    // No test runs now.
  }
}
