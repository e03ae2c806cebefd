/** What the simulator has given out, for sums against a gateway's ledger. Tokens as the simulator counts them. */
export interface UsageServed {
  /** Model calls whose answer began. */
  readonly answers: number;
  /** Prompts of those. */
  readonly promptTokens: number;
  /** Tokens of answers that were written to the connection, reported or not. */
  readonly completionTokens: number;
  /** Prompt and completion tokens of the truthful usages that were written whole. */
  readonly reportedPromptTokens: number;
  readonly reportedCompletionTokens: number;
}

/** The running totals. */
export class Tally implements UsageServed {
  answers = 0;
  promptTokens = 0;
  completionTokens = 0;
  reportedPromptTokens = 0;
  reportedCompletionTokens = 0;

  begin(promptTokens: number): void {
    this.answers++;
    this.promptTokens += promptTokens;
  }

  wrote(completionTokens: number): void {
    this.completionTokens += completionTokens;
  }

  reported(promptTokens: number, completionTokens: number): void {
    this.reportedPromptTokens += promptTokens;
    this.reportedCompletionTokens += completionTokens;
  }

  snapshot(): UsageServed {
    return {
      answers: this.answers,
      promptTokens: this.promptTokens,
      completionTokens: this.completionTokens,
      reportedPromptTokens: this.reportedPromptTokens,
      reportedCompletionTokens: this.reportedCompletionTokens,
    };
  }
}
