/**
 * Rejects an admission whose request was settled or cancelled before: it came late or twice, and nobody is left to use
 * what it would take. It takes nothing.
 */
export class RequestEndedError extends Error {
  constructor() {
    super('The request has been settled or cancelled already');
    this.name = 'RequestEndedError';
  }
}
