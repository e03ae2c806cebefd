// A counting thread that takes every task and answers none.
import { parentPort } from 'node:worker_threads';

parentPort?.on('message', () => undefined);
