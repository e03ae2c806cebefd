/** The load of a measurement, in a process of its own: does what its parent asks for, and says what came of it. */
import { type Answering, answerParent } from '../remote.ts';
import { callsBackToBack, pacedCalls } from './calls.ts';
import { hostility } from './hostility.ts';
import { holdStreams, liveStreams, releaseStreams, streamsToTheEnd } from './streams.ts';

answerParent(
  new Map<string, Answering>([
    ['calls', callsBackToBack],
    ['paced', pacedCalls],
    ['streams', streamsToTheEnd],
    ['hold', holdStreams],
    ['live', liveStreams],
    ['release', releaseStreams],
    ['hostility', hostility],
  ]),
);
