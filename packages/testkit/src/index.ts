export {
  type ChunkingServer,
  chunkingServer,
  type ReceivedRequest,
  receiveRequest,
} from './chunking-server.ts';
export { freePort } from './free-port.ts';
export { type HandClock, handClock } from './hand-clock.ts';
export { type RawAnswer, rawRequest } from './raw-request.ts';
export { readSse, type SseEvent } from './read-sse.ts';
export { type RedisProxy, startRedisProxy } from './redis-proxy.ts';
export { selfSignedCert } from './self-signed-cert.ts';
export { type ProcessEnd, type ProcessOptions, type StartedProcess, startProcess } from './start-process.ts';
export { tempDir } from './temp-dir.ts';
export { threadCpuMs } from './thread-cpu-ms.ts';
export { until } from './until.ts';
