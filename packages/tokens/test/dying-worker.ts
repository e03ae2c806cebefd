// A counting thread that dies of bodies that say so.
import { parentPort } from 'node:worker_threads';
import type { CountingRequest } from '../src/counting-messages.ts';
import { readCall } from '../src/read-call.ts';

parentPort?.on('message', ({ id, task }: CountingRequest) => {
  if (task.task !== 'read') return;
  const body = Buffer.from(task.body);
  if (body.includes('DIE')) throw new Error('The thread dies, as the test wants.');
  parentPort?.postMessage({ id, reading: readCall(task.kind, body, task.maxCountedChars) });
});
