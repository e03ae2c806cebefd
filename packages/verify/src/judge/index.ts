export {
  allowedIn,
  CLOCK_DRIFT,
  CLOCK_TICK_MS,
  type Passed,
  type RateBound,
  type Window,
  worstWindow,
} from './windows.ts';
