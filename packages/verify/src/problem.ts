/** Ends the run with a sentence for the operator: what is wrong and what to do. It never holds the key. */
export class VerifyProblem extends Error {
  override readonly name = 'VerifyProblem';
}
